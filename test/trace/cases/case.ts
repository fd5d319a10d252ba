import * as tf from '@tensorflow/tfjs-core'
import type { Shape } from '../../../src/graph'

/** tfjs types the rank of every tensor; a table over all operations does not. */
// biome-ignore lint/suspicious/noExplicitAny: see above
export type T = any

/** A range of reproducible random numbers; `away` keeps them from 0, where kinks are. */
export interface Range {
  low?: number
  high?: number
  away?: number
  seed?: number
}

/** One operation as a function of an input and weights. L = Σ ramp·apply(x, W) depends on both to second order. */
export interface OpCase extends Range {
  name: string
  /** Shape of the input. */
  x: Shape
  /** Shapes of the weights, in [0.7, 1.3] unless `scale` says otherwise. */
  weights: Record<string, Shape>
  scale?: Range
  apply(x: T, w: Record<string, T>): T
  /** What `apply` should give, written otherwise, where tfjs's own result is wrong. */
  right?(x: T, w: Record<string, T>): T
}

type Options = Partial<OpCase>

/** f of every element: f(x·w). */
export const each = (name: string, f: (z: T) => T, options: Options = {}): OpCase => ({
  name,
  x: [2, 3],
  weights: { w: options.x ?? [2, 3] },
  apply: (x, { w }) => f(tf.mul(x, w)),
  ...options,
})

/** An operation that is linear or moves numbers: bent before and after, so that it stands in both derivatives. */
export const moved = (name: string, x: Shape, f: (z: T) => T, options: Options = {}): OpCase => ({
  name,
  x,
  weights: { w: x },
  apply: (a, { w }) => tf.sin(f(tf.sin(tf.mul(a, w)))),
  ...options,
})

/** An operation of the bent input and of weights. */
export const weighted = (
  name: string,
  x: Shape,
  weights: Record<string, Shape>,
  f: (x: T, w: Record<string, T>) => T,
  options: Options = {},
): OpCase => ({
  name,
  x,
  weights,
  scale: { low: -0.8, high: 0.8 },
  apply: (a, w) => tf.sin(f(tf.sin(a), w)),
  ...options,
})
