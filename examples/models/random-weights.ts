import * as tf from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'

/** The interval weights are drawn from, by the end of their name. */
export type Interval = (name: string, shape: readonly number[]) => readonly [low: number, high: number]

/** Gives every weight uniform numbers, the same for the same seed. */
export function drawWeights(model: LayersModel, seed: number, interval: Interval): void {
  const values = model.weights.map((w, i) => {
    const [low, high] = interval(w.originalName, w.shape as number[])
    return tf.randomUniform(w.shape as number[], low, high, 'float32', seed * 1000 + i)
  })
  model.weights.forEach((w, i) => {
    w.write(values[i])
  })
  tf.dispose(values)
}

/** ±1/√inputs of one output, for a kernel whose last axis is the outputs. */
export const fanIn = (shape: readonly number[]): readonly [number, number] => {
  const limit = 1 / Math.sqrt(shape.slice(0, -1).reduce((n, size) => n * size, 1))
  return [-limit, limit]
}
