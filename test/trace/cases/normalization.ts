import * as tf from '@tensorflow/tfjs-core'
import { moved, type OpCase, type T, weighted } from './case'

const affine = { g: [2], b: [2] }

/** Batch statistics, as in training. */
const trained = (name: string, x: number[], scaled = true): OpCase =>
  weighted(name, x, affine, (a, { g, b }) => {
    const { mean, variance } = tf.moments(
      a,
      x.slice(1).map((_, i) => i),
    )
    const norm = x.length === 2 ? tf.batchNorm2d : tf.batchNorm4d
    return norm(a, mean as T, variance as T, b, scaled ? g : undefined, 1e-3)
  })

export const normalizationCases: OpCase[] = [
  weighted('batchNorm4d scale+offset (const stats)', [1, 2, 2, 2], affine, (x, { g, b }) =>
    tf.batchNorm4d(x, tf.tensor1d([0.2, -0.1]), tf.tensor1d([0.6, 1.2]), b, g, 1e-3),
  ),
  trained('batchNorm4d batch stats (training)', [2, 2, 2, 2]),
  trained('batchNorm4d batch stats, no scale', [2, 2, 2, 2], false),
  trained('batchNorm2d batch stats (training)', [4, 2]),
  weighted('batch norm primitives', [4, 2], affine, (x, { g, b }) => {
    const { mean, variance } = tf.moments(x, 0)
    return tf.add(tf.mul(tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, tf.scalar(1e-3)))), g), b)
  }),
  moved('localResponseNormalization', [1, 2, 2, 5], (z) => tf.localResponseNormalization(z, 1, 1, 0.5, 0.6)),
  moved('dropout(seed)', [4, 3], (z) => tf.dropout(z, 0.4, undefined, 7)),
]
