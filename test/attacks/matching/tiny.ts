import * as tf from '@tensorflow/tfjs-core'
import { type LayersModel, layers, type Sequential, sequential } from '@tensorflow/tfjs-layers'
import type { FunctionalModel, PlainTensor, Runtime } from '../../../src'
import { reference } from '../../../src'
import { uniform } from '../../oracle'

export const CLASSES = 4

/** The paper's kind of network on 6×6×1 images: one sigmoid convolution and a dense layer, U(−0.5, 0.5). */
export function convNet(end: 'logits' | 'softmax' = 'logits'): Sequential {
  const model = sequential({ name: 'tiny' })
  model.add(layers.conv2d({ inputShape: [6, 6, 1], filters: 4, kernelSize: 3, activation: 'sigmoid' }))
  model.add(layers.flatten())
  model.add(layers.dense({ units: CLASSES, ...(end === 'softmax' && { activation: 'softmax' }) }))
  return withUniformWeights(model)
}

export function denseNet(options: { bias?: boolean; activation?: 'sigmoid' | 'tanh' } = {}): Sequential {
  const { bias = true, activation = 'sigmoid' } = options
  const model = sequential({ name: 'tiny dense' })
  model.add(layers.dense({ inputShape: [8], units: 12, activation, useBias: bias }))
  model.add(layers.dense({ units: CLASSES, useBias: bias }))
  return withUniformWeights(model)
}

export function withUniformWeights<M extends LayersModel>(model: M): M {
  const values = model.getWeights().map((w, i) => tf.tensor(numbers(w.size, i + 1, -0.5, 0.5), w.shape))
  model.setWeights(values)
  tf.dispose(values)
  return model
}

/** A two-layer sigmoid net without tfjs-layers. */
export function functionalNet(weights: tf.NamedTensorMap = functionalWeights()): FunctionalModel {
  return {
    name: 'two layers',
    inputShape: [8],
    weights,
    apply: (x, w) =>
      tf.add(
        tf.matMul(tf.sigmoid(tf.add(tf.matMul(x as tf.Tensor2D, w.w1 as tf.Tensor2D), w.b1)), w.w2 as tf.Tensor2D),
        w.b2,
      ),
  }
}

export const functionalWeights = (): tf.NamedTensorMap => ({
  w1: tf.tensor(numbers(8 * 12, 1, -0.5, 0.5), [8, 12]),
  b1: tf.tensor(numbers(12, 2, -0.5, 0.5)),
  w2: tf.tensor(numbers(12 * CLASSES, 3, -0.5, 0.5), [12, CLASSES]),
  b2: tf.tensor(numbers(CLASSES, 4, -0.5, 0.5)),
})

/** Values in [0, 1), the same for the same seed. */
export const sample = (shape: number[], seed = 99): tf.Tensor =>
  tf.tensor(numbers(tf.util.sizeFromShape(shape), seed), shape)

export const numbers = (count: number, seed: number, low = 0, high = 1): Float32Array =>
  Float32Array.from(uniform(count, low, high, seed))

/** The numbers of tensors, as gradients that own no tfjs memory. */
export function plain(tensors: tf.NamedTensorMap): Record<string, PlainTensor> {
  const entries = Object.entries(tensors).map(
    ([name, t]) => [name, { shape: t.shape, data: Float32Array.from(t.dataSync()) }] as const,
  )
  tf.dispose(tensors)
  return Object.fromEntries(entries)
}

/** A runtime that counts what it is asked for. */
export function spy(inner: Runtime = reference()): Runtime & { compiled: number; evaluated: number } {
  const counts = { compiled: 0, evaluated: 0 }
  const counting: Runtime = {
    name: 'spy',
    precision: inner.precision,
    async compile(program) {
      counts.compiled++
      const executable = await inner.compile(program)
      return {
        ...executable,
        async bind(parameters) {
          const evaluator = await executable.bind(parameters)
          return {
            ...evaluator,
            run(inputs) {
              counts.evaluated++
              return evaluator.run(inputs)
            },
          }
        },
      }
    },
  }
  return Object.assign(counts, counting)
}
