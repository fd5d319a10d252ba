import * as tf from '@tensorflow/tfjs-core'
import { layers, type Sequential, sequential } from '@tensorflow/tfjs-layers'
import { describe, expect, it } from 'vitest'
import { deepLeakage, gradientsOf } from '../../../src'
import { exactData, firstDense } from '../../../src/analytic'
import { denseLayerIn } from '../../../src/attacks/dense/first-dense'
import { crossEntropy } from '../../../src/client/model/criteria'
import { traceGradient } from '../../../src/client/model/gradient'
import type { Model } from '../../../src/client/model/model'
import { openModel } from '../../../src/client/model/open-model'
import * as g from '../../../src/graph'
import { relativeError } from '../../oracle'
import { convNet, denseNet, functionalNet, functionalWeights, sample } from '../matching/tiny'

/** What is recognised in a model, as shapes of its weights. */
function recognise(model: Model) {
  const found = firstDense(model)
  const { weights } = openModel(model)
  const shapeOf = (name: string) => weights.find((w) => w.name === name)!.shape
  return found && [shapeOf(found.weight), shapeOf(found.bias), found.transposed]
}

function withSpare(model: Sequential | ReturnType<typeof functionalNet>, check: () => void): void {
  try {
    check()
  } finally {
    if ('dispose' in model) model.dispose()
    else tf.dispose(model.weights)
  }
}

describe('the first dense layer is recognised', () => {
  it('of a dense network', () => {
    const model = denseNet()
    withSpare(model, () => expect(recognise(model)).toEqual([[8, 12], [12], false]))
  })

  it('behind a flattening of pictures', () => {
    const model = sequential()
    model.add(layers.flatten({ inputShape: [4, 3, 2] }))
    model.add(layers.dense({ units: 5, activation: 'relu' }))
    model.add(layers.dense({ units: 3 }))
    withSpare(model, () => expect(recognise(model)).toEqual([[24, 5], [5], false]))
  })

  it('of a functional model, also with the weight turned', () => {
    const weights = functionalWeights()
    const model = functionalNet(weights)
    const turned = tf.transpose(weights.w1)
    const other = {
      ...model,
      weights: { w1: turned, b1: weights.b1 },
      apply: (x: tf.Tensor, w: tf.NamedTensorMap) =>
        tf.add(w.b1, tf.matMul(x as tf.Tensor2D, w.w1 as tf.Tensor2D, false, true)),
    }
    withSpare(model, () => {
      expect(recognise(model)).toEqual([[8, 12], [12], false])
      expect(recognise(other)).toEqual([[12, 8], [12], true])
    })
    turned.dispose()
  })
})

describe('nothing is recognised', () => {
  it('where the first layer is a convolution', () => {
    const model = convNet()
    withSpare(model, () => expect(recognise(model)).toBeUndefined())
  })

  it('where it has no bias', () => {
    const model = denseNet({ bias: false })
    withSpare(model, () => expect(recognise(model)).toBeUndefined())
  })

  it('in the trace of a batch, whose samples a layer mixes', () => {
    const model = denseNet()
    const training = { criterion: crossEntropy(), reduction: 'mean', training: false } as const
    const traced = (batchSize: number) =>
      traceGradient(openModel(model), { ...training, batchSize }, (o) => g.parameter(o.graph, 'target', o.shape))
    withSpare(model, () => {
      expect(denseLayerIn(traced(1))).toEqual({ weight: 0, bias: 1, transposed: false })
      expect(denseLayerIn(traced(2))).toBeUndefined()
    })
  })

  it('where the layer runs over many places of one sample', () => {
    const model = sequential()
    model.add(layers.dense({ inputShape: [6, 3], units: 5 }))
    model.add(layers.flatten())
    model.add(layers.dense({ units: 3 }))
    withSpare(model, () => expect(recognise(model)).toBeUndefined())
  })

  it('where something is done to the data before', () => {
    const model = sequential()
    model.add(layers.activation({ inputShape: [8], activation: 'sigmoid' }))
    model.add(layers.dense({ units: 5 }))
    withSpare(model, () => expect(recognise(model)).toBeUndefined())
  })
})

describe('the data behind it', () => {
  /** Shares the gradient of a sample, and reads the data off it. */
  async function leak(model: Model, x: tf.Tensor) {
    const shared = await gradientsOf(model, x, [1], { runtime: 'reference' })
    return exactData(model, shared).finally(() => tf.dispose(shared))
  }

  it('are those of an update too, and of none that takes larger batches', async () => {
    const model = denseNet()
    const x = sample([1, 8])
    const shared = await gradientsOf(model, x, [1], { runtime: 'reference' })
    const delta = Object.entries(shared).map(([name, t]) => [
      name,
      { shape: t.shape, data: t.dataSync().map((v) => -0.1 * v) },
    ])
    const found = await exactData(model, { delta: Object.fromEntries(delta) }, { update: { learningRate: 0.1 } })
    expect(relativeError(found!.input, x.dataSync())).toBeLessThan(1e-6)
    await expect(exactData(model, shared, { batchSize: 2 })).rejects.toMatchObject({ code: 'invalid-option' })
    await expect(exactData(model, Object.values(shared).slice(1))).rejects.toMatchObject({ code: 'invalid-gradients' })
    tf.dispose([shared, x])
    model.dispose()
  })

  it.each([false, true])('come out exactly, weight turned: %s', async (isTurned) => {
    const weights = functionalWeights()
    const turned = { ...weights, w1: tf.transpose(weights.w1) }
    const model = functionalNet(isTurned ? turned : weights)
    const apply = (x: tf.Tensor, w: tf.NamedTensorMap) =>
      tf.add(
        tf.matMul(
          tf.sigmoid(tf.add(tf.matMul(x as tf.Tensor2D, w.w1 as tf.Tensor2D, false, isTurned), w.b1)),
          w.w2 as tf.Tensor2D,
        ),
        w.b2,
      )
    const x = sample([1, 8])
    const found = await leak({ ...model, apply }, x)
    expect(found!.deviation).toBeLessThan(1e-6)
    expect(relativeError(found!.input, x.dataSync())).toBeLessThan(1e-6)
    tf.dispose([weights, turned, x])
  })

  it('are unconfirmed where one neuron alone gives them, and still where the search starts', async () => {
    const model = sequential()
    model.add(layers.dense({ inputShape: [5], units: 1, activation: 'sigmoid' }))
    model.add(layers.dense({ units: 3 }))
    const x = sample([1, 5])
    const found = await leak(model, x)
    expect(found!.status).toBe('unconfirmed')
    expect(relativeError(found!.input, x.dataSync())).toBeLessThan(1e-6)
    const shared = await gradientsOf(model, x, [1], { runtime: 'reference' })
    const searched = await deepLeakage(model, shared, { runtime: 'reference', labels: 'infer' })
    expect(searched).toMatchObject({ status: 'converged', evaluations: 1 })
    searched.dispose()
    tf.dispose([x, shared])
    model.dispose()
  })

  it('are not claimed where the neurons disagree: the bias is used twice', async () => {
    const weights = functionalWeights()
    const model = functionalNet(weights)
    const apply = (x: tf.Tensor, w: tf.NamedTensorMap) => {
      const hidden = tf.add(tf.matMul(x as tf.Tensor2D, w.w1 as tf.Tensor2D), w.b1)
      return tf.add(tf.matMul(tf.mul(tf.sigmoid(hidden), w.b1) as tf.Tensor2D, w.w2 as tf.Tensor2D), w.b2)
    }
    const x = sample([1, 8])
    expect(await leak({ ...model, apply }, x)).toBeUndefined()
    tf.dispose([weights, x])
  })
})
