/** What every part of the honesty bench is made of: verdicts, seeded numbers, what clients do to a gradient, and when something is wrong. */
import * as tf from '@tensorflow/tfjs-core'
import { gradientsOf, type Model } from '../../src'
import { random } from '../../src/numbers/random'

export type Verdict = 'right' | 'unclaimed' | 'refused' | 'false claim' | 'false failure'
export type Gradient = Record<string, { shape: number[]; data: Float32Array }>

export interface Judged {
  readonly verdict: Verdict
  /** What was said, and how far it is from the truth. */
  readonly says: string
}

/** A set-up of one kind by seed; whatever it makes in tfjs is freed for it. */
export interface Kind {
  readonly attack: string
  readonly name: string
  run(seed: number): Promise<Judged>
}

export const CLASSES = 4

export function uniform(size: number, seed: number, low: number, high: number): Float32Array {
  const draw = random(seed, 0x686f6e)
  return Float32Array.from({ length: size }, () => low + (high - low) * draw.uniform())
}

export const rows = (shape: readonly number[], seed: number, low = 0, high = 1): tf.Tensor =>
  tf.tensor(
    uniform(
      shape.reduce((a, b) => a * b, 1),
      seed,
      low,
      high,
    ),
    [...shape],
  )

/** The gradient as plain numbers, each changed. */
export async function shared(
  model: Model,
  x: tf.Tensor,
  y: Parameters<typeof gradientsOf>[2],
  change: (v: number) => number = (v) => v,
  options = {},
): Promise<Gradient> {
  const gradient = await gradientsOf(model, x, y, options)
  return Object.fromEntries(
    Object.entries(gradient).map(([name, t]) => [
      name,
      { shape: t.shape, data: Float32Array.from(t.dataSync(), change) },
    ]),
  )
}

export const bfloat16 = (v: number): number => {
  if (v === 0) return 0
  const step = 2 ** (Math.floor(Math.log2(Math.abs(v))) - 7)
  return Math.round(v / step) * step
}

export const float16 = (v: number): number => {
  if (v === 0) return 0
  const step = 2 ** (Math.max(Math.floor(Math.log2(Math.abs(v))), -14) - 10)
  return Math.round(v / step) * step
}

export function eachTensor(gradient: Gradient, change: (data: Float32Array) => Float32Array): Gradient {
  return Object.fromEntries(
    Object.entries(gradient).map(([name, { shape, data }]) => [name, { shape, data: change(data) }]),
  )
}

export const int8 = (data: Float32Array): Float32Array => {
  const scale = data.reduce((m, v) => Math.max(m, Math.abs(v)), 0) / 127 || 1
  return data.map((v) => Math.round(v / scale) * scale)
}

/** The tenth of each tensor that is largest. */
export const pruned = (data: Float32Array): Float32Array => {
  const least = data.map(Math.abs).sort()[Math.floor(0.9 * data.length)]
  return data.map((v) => (Math.abs(v) >= least ? v : 0))
}

export const smoothed = (labels: readonly number[], epsilon: number, classes = CLASSES): tf.Tensor =>
  tf.tensor(
    labels.flatMap((label) =>
      Array.from({ length: classes }, (_, c) => (c === label ? 1 - epsilon : 0) + epsilon / classes),
    ),
    [labels.length, classes],
  )

/** Mean squared error of the closest pairing of rows, greedily. */
export function distance(found: ArrayLike<number>, truth: ArrayLike<number>, batch: number): number {
  if (found.length !== truth.length) return Number.POSITIVE_INFINITY
  const size = truth.length / batch
  const left = Array.from({ length: batch }, (_, i) => i)
  let total = 0
  for (let s = 0; s < batch; s++) {
    const errors = left.map((t) => {
      let sum = 0
      for (let i = 0; i < size; i++) sum += (found[s * size + i] - truth[t * size + i]) ** 2
      return sum / size
    })
    const best = errors.indexOf(Math.min(...errors))
    total += errors[best] / batch
    left.splice(best, 1)
  }
  return total
}

// What is wrong, and what is right to the floor.

export const WRONG = 1e-3
export const RIGHT = 1e-7
export const SURE = 0.9

export const sorted = (labels: readonly number[]): string => [...labels].sort((a, b) => a - b).join()
