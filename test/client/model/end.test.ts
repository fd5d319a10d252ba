import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { layers, type Sequential, sequential } from '@tensorflow/tfjs-layers'
import { describe, expect, it } from 'vitest'
import { binaryCrossEntropy, type Criterion, crossEntropy, type FunctionalModel, gradientsOf } from '../../../src'
import { numbers } from '../../attacks/matching/tiny'
import { relativeError } from '../../oracle'

type Weights = readonly tf.Tensor[]
type Forward = (x: tf.Tensor, weights: Weights) => tf.Tensor

const t = (shape: number[], seed: number, low = -1, high = 1): tf.Tensor =>
  tf.tensor(numbers(tf.util.sizeFromShape(shape), seed, low, high), shape)

/** Losses of the output as it stands, as tfjs has them: its own derivatives of logarithms are right at first order. */
const losses = {
  binary: (p: tf.Tensor, y: tf.Tensor) =>
    tf.neg(tf.mean(tf.add(tf.mul(y, tf.log(p)), tf.mul(tf.sub(1, y), tf.log(tf.sub(1, p)))))),
  classes: (p: tf.Tensor, y: tf.Tensor) => tf.neg(tf.mean(tf.sum(tf.mul(y, tf.log(p)), -1))),
}

const criteria = {
  binary: (output: 'auto' | 'probabilities') => binaryCrossEntropy({ output }),
  classes: (output: 'auto' | 'probabilities') => crossEntropy(output),
} satisfies Record<keyof typeof losses, (output: 'auto' | 'probabilities') => Criterion>

const conv = (x: tf.Tensor, [w, b]: Weights) => tf.add(tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'valid'), b)
const dense = (x: tf.Tensor, [w, b]: Weights) => tf.add(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D), b)
/** Means over the pixels of a picture. */
const pooled = (x: tf.Tensor) => tf.mean(x, [1, 2])

interface Case {
  readonly loss: keyof typeof losses
  readonly input: number[]
  readonly weights: number[][]
  readonly forward: Forward
}

const CONV = { input: [4, 4, 1], weights: [[2, 2, 1, 3], [3]] }
const DENSE = { input: [3], weights: [[3, 6], [6]] }

const cases: Record<string, Case> = {
  'a sigmoid of a convolution': { loss: 'binary', ...CONV, forward: (x, w) => tf.sigmoid(conv(x, w)) },
  'a flattened sigmoid of a convolution': {
    ...{ loss: 'binary', ...CONV },
    forward: (x, w) => tf.reshape(tf.sigmoid(conv(x, w)), [-1, 27]),
  },
  'a reshaped sigmoid': {
    ...{ loss: 'binary', ...DENSE },
    forward: (x, w) => tf.reshape(tf.sigmoid(dense(x, w)), [-1, 2, 3]),
  },
  'a turned, cropped, mirrored and repeated sigmoid': {
    ...{ loss: 'binary', ...DENSE },
    forward(x, w) {
      const p = tf.transpose(tf.reshape(tf.sigmoid(dense(x, w)), [-1, 2, 3]), [0, 2, 1])
      return tf.tile(tf.reverse(tf.slice(p, [0, 1, 0], [-1, 2, 2]), 1), [1, 1, 2])
    },
  },
  'sigmoids side by side': {
    ...{ loss: 'binary', ...DENSE },
    forward: (x, w) => tf.concat([tf.sigmoid(dense(x, w)), tf.sigmoid(tf.neg(dense(x, w)))], 1),
  },
  'a clipped sigmoid': {
    ...{ loss: 'binary', ...DENSE },
    forward: (x, w) => tf.clipByValue(tf.sigmoid(dense(x, w)), 1e-3, 1 - 1e-3),
  },
  'a complement and a product of sigmoids': {
    ...{ loss: 'binary', ...DENSE },
    forward: (x, w) => tf.sub(1, tf.mul(tf.sigmoid(dense(x, w)), tf.sigmoid(tf.square(dense(x, w))))),
  },
  'a mean of sigmoids': { loss: 'binary', ...CONV, forward: (x, w) => pooled(tf.sigmoid(conv(x, w))) },
  'a soft-max, under the loss of bits': { loss: 'binary', ...DENSE, forward: (x, w) => tf.softmax(dense(x, w)) },
  'a soft-max of a convolution': { loss: 'classes', ...CONV, forward: (x, w) => tf.softmax(conv(x, w)) },
  'a soft-max whose positions are turned and flattened': {
    ...{ loss: 'classes', ...CONV },
    forward: (x, w) => tf.reshape(tf.transpose(tf.softmax(conv(x, w)), [0, 2, 1, 3]), [-1, 9, 3]),
  },
  'a flattened soft-max of many positions': {
    ...{ loss: 'classes', ...CONV },
    forward: (x, w) => tf.reshape(tf.softmax(conv(x, w)), [-1, 27]),
  },
  'a soft-max over another axis': {
    ...{ loss: 'classes', ...CONV },
    forward: (x, w) => tf.transpose(tf.softmax(tf.reshape(conv(x, w), [-1, 9, 3])), [0, 2, 1]),
  },
  'a soft-max of which classes are left out': {
    ...{ loss: 'classes', ...DENSE },
    forward: (x, w) => tf.slice(tf.softmax(dense(x, w)), [0, 1], [-1, 4]),
  },
  'a mean of soft-maxes': {
    ...{ loss: 'classes', ...DENSE },
    forward: (x, w) => tf.mul(0.5, tf.add(tf.softmax(dense(x, w)), tf.softmax(tf.square(dense(x, w))))),
  },
  'a reshaped sigmoid, under the loss of classes': {
    ...{ loss: 'classes', ...DENSE },
    forward: (x, w) => tf.reshape(tf.sigmoid(dense(x, w)), [-1, 2, 3]),
  },
}

/** The largest distance of a gradient of ours to tfjs's, for the loss of the output itself or of what stands for it. */
async function errorOf({ loss, input, weights, forward }: Case, output: 'auto' | 'probabilities', seen = losses[loss]) {
  const w = weights.map((shape, i) => t(shape, i + 1))
  const x = t([2, ...input], 9)
  const y = t((forward(x, w) as tf.Tensor).shape, 12, 0, 1)
  const wanted = tf.grads((...v: tf.Tensor[]) => seen(forward(x, v), y) as tf.Scalar)([...w])
  const model: FunctionalModel = {
    inputShape: input,
    weights: Object.fromEntries(w.map((v, i) => [`w${i}`, v])),
    apply: (data, named) => forward(data, Object.values(named)),
  }
  const options = { criterion: criteria[loss](output), runtime: 'reference' } as const
  const found = Object.values(await gradientsOf(model, x, y, options))
  const errors = found.map((g, i) => relativeError(g.dataSync(), wanted[i].dataSync(), 1e-6))
  return Math.max(...errors)
}

describe("the end of a model is seen: the gradient is tfjs's own of the loss of probabilities", () => {
  it.each(Object.keys(cases))('%s', async (name) => {
    expect(await errorOf(cases[name], 'auto')).toBeLessThan(2e-5)
    expect(await errorOf(cases[name], 'probabilities')).toBeLessThan(2e-5)
  })
})

describe('logits stay logits', () => {
  const logits: Record<string, Case> = {
    'a dense layer': { loss: 'classes', ...DENSE, forward: dense },
    'a gated dense layer': {
      ...{ loss: 'classes', ...DENSE },
      forward: (x, w) => tf.mul(dense(x, w), tf.sigmoid(dense(x, w))),
    },
    'a sum of sigmoids': {
      ...{ loss: 'classes', ...CONV },
      forward: (x, w) => tf.sum(tf.sigmoid(conv(x, w)), [1, 2]),
    },
    'a tanh': { loss: 'classes', ...DENSE, forward: (x, w) => tf.tanh(dense(x, w)) },
    'a sigmoid less a half': {
      ...{ loss: 'classes', ...DENSE },
      forward: (x, w) => tf.sub(tf.sigmoid(dense(x, w)), 0.5),
    },
  }
  it.each(Object.keys(logits))('%s', async (name) => {
    const ofLogits = (z: tf.Tensor, y: tf.Tensor) => losses.classes(tf.softmax(z), y)
    expect(await errorOf(logits[name], 'auto', ofLogits)).toBeLessThan(2e-5)
  })
})

describe('layers that end in an activation', () => {
  const nets: [string, () => Sequential, 'binaryCrossEntropy' | 'crossEntropy'][] = [
    [
      'conv2d with a sigmoid',
      () => sequential({ layers: [layers.conv2d({ ...CONV_LAYER, activation: 'sigmoid' })] }),
      'binaryCrossEntropy',
    ],
    [
      'conv2d with a soft-max, flattened',
      () => sequential({ layers: [layers.conv2d({ ...CONV_LAYER, activation: 'softmax' }), layers.flatten()] }),
      'crossEntropy',
    ],
  ]
  const CONV_LAYER = { inputShape: [2, 2, 1] as number[], filters: 3, kernelSize: 2 }

  it.each(nets)('%s: the scores come before it, where a saturated output has none', async (_, build, criterion) => {
    const model = build()
    const [w, b] = model.getWeights()
    // scores around 200, where a float32 probability is 0 or 1 and its logarithm says nothing
    model.setWeights([tf.mul(w, 0), tf.add(tf.mul(b, 0), tf.tensor([200, -200, 0]))])
    const x = tf.ones([1, 2, 2, 1])
    const y = tf.reshape(tf.tensor([0, 1, 0]), criterion === 'crossEntropy' ? [1, 3] : [1, 1, 1, 3])
    const found = Object.values(await gradientsOf(model, x, y, { criterion, runtime: 'reference' }))
    // ∂L/∂z = (p − y), averaged over the elements of the binary one
    const expected = criterion === 'crossEntropy' ? [1, -1, 0] : [1 / 3, -1 / 3, 0.5 / 3]
    expect(relativeError(found[1].dataSync(), expected)).toBeLessThan(1e-6)
    model.dispose()
  })
})
