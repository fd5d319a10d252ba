import * as tf from '@tensorflow/tfjs-core'
import { layers, type Sequential, sequential } from '@tensorflow/tfjs-layers'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  deepLeakage,
  type FunctionalModel,
  gradientsOf,
  type LeakageOptions,
  type NamedFunctionalModel,
  type UpdateOptions,
} from '../../../src'
import * as metrics from '../../../src/metrics'
import { convNet, functionalNet, numbers, plain, sample, withUniformWeights } from '../../attacks/matching/tiny'
import { finiteDifference, relativeError, uniform } from '../../oracle'
import { ownership } from '../../tensors'
import { at, torch, torchNet, train, truth } from './client'

const own = ownership()
let model: FunctionalModel

beforeEach(() => {
  model = torchNet()
  own({ dispose: () => tf.dispose(model.weights) })
})

const LABELS = { batchSize: 5, labels: torch.labels }
const momentum = { momentum: 0.9, weightDecay: 0.05 }
const clients: [string, UpdateOptions, LeakageOptions?][] = [
  ['one step', { learningRate: 0.3 }],
  ['one step, momentum and weight decay', { learningRate: 0.3, ...momentum }],
  ['three steps', { learningRate: 0.3, localSteps: 3 }],
  ['three consecutive batches', { learningRate: 0.3, batchSize: 2 }],
  ['sums of three consecutive batches', { learningRate: 0.1, batchSize: 2 }, { reduction: 'sum' }],
  ['two epochs, momentum and weight decay', { learningRate: 0.3, batchSize: 2, epochs: 2, ...momentum }],
]

describe("the client's steps are those of torch.optim.SGD", () => {
  it.each(clients)('%s', async (name, update, options) => {
    const { x, before, after } = torch
    const relativeLoss = await truth(model, { before, after: after[name] }, x.data, { ...LABELS, ...options, update })
    // ‖Δ − Δ torch‖ is 1e-12 of ‖Δ‖, and float64 has no more: Δ is the difference of weights
    expect(Math.sqrt(relativeLoss)).toBeLessThan(1e-12)
  })

  it.each(clients.slice(2))('%s, where some weights were not shared but moved', async (name, update, options) => {
    const { w1, b2 } = torch.after[name]
    const missing = ['b1', 'w2']
    const all = { ...LABELS, ...options, update, missing }
    expect(await truth(model, { after: { w1, b2 } }, torch.x.data, all)).toBeLessThan(1e-24)
  })

  it('another learning rate, order or number of steps does not fit', async () => {
    const right: UpdateOptions = { learningRate: 0.3, batchSize: 2 }
    for (const wrong of [{ learningRate: 0.4 }, { batchSize: 3 }, { localSteps: 4 }]) {
      const after = torch.after['three consecutive batches']
      const relativeLoss = await truth(model, { after }, torch.x.data, { ...LABELS, update: { ...right, ...wrong } })
      expect(relativeLoss, JSON.stringify(wrong)).toBeGreaterThan(1e-4)
    }
  })
})

describe('the objective has the derivatives that finite differences in float64 have', () => {
  const update: UpdateOptions = { learningRate: 0.5, batchSize: 2, epochs: 2, ...momentum }

  it.each<[string, LeakageOptions]>([
    ['unrolled', { update }],
    ['at any scale', { update, scale: 'auto' }],
    ['as a cosine', { update, distance: 'cosine' }],
    ['surrogate', { update: { ...update, approach: 'surrogate' } }],
    ['in one step', { update: { ...update, approach: 'one-step' } }],
  ])('%s', async (_, options) => {
    const after = torch.after['two epochs, momentum and weight decay']
    const point = uniform(5 * 8 + 5 * 4, -1, 1, 5)
    await at(model, { after }, { batchSize: 5, ...options }, async (attack) => {
      const { gradient } = await attack.evaluate(point)
      const numeric = await finiteDifference(async (x) => (await attack.evaluate(x)).value, point)
      expect(relativeError(gradient, numeric)).toBeLessThan(1e-8)
    })
  })

  it('through convolutions', async () => {
    const net = own(convNet())
    const x = own(sample([2, 6, 6, 1]))
    const delta = plain(await gradientsOf(net, x, [1, 2], { runtime: 'reference' }))
    const options: LeakageOptions = { batchSize: 2, update: { learningRate: 2, batchSize: 1, localSteps: 3 } }
    const point = uniform(2 * 36 + 2 * 4, 0, 1, 3)
    await at(net, { delta }, options, async (attack) => {
      const { gradient } = await attack.evaluate(point)
      const numeric = await finiteDifference(async (at) => (await attack.evaluate(at)).value, point)
      expect(relativeError(gradient, numeric)).toBeLessThan(1e-8)
    })
  })
})

describe('models that do more than multiply', () => {
  /** Batch statistics in training, pooling, and a weight of every kind of layer. */
  function normalised(): Sequential {
    const net = sequential()
    net.add(layers.conv2d({ inputShape: [6, 6, 1], filters: 3, kernelSize: 3, activation: 'tanh' }))
    net.add(layers.batchNormalization())
    net.add(layers.averagePooling2d({ poolSize: 2 }))
    net.add(layers.flatten())
    net.add(layers.layerNormalization())
    net.add(layers.dense({ units: 4 }))
    return own(withUniformWeights(net))
  }
  const update: UpdateOptions = { learningRate: 0.5, batchSize: 2, epochs: 2 }
  const options: LeakageOptions = { batchSize: 4, training: true, update }
  const point = uniform(4 * 36 + 4 * 4, 0, 1, 3)

  it('have the derivatives of finite differences through batch statistics', async () => {
    const net = normalised()
    const x = own(sample([4, 6, 6, 1]))
    const delta = plain(await gradientsOf(net, x, [1, 2, 0, 3], { runtime: 'reference', training: true }))
    await at(net, { delta }, options, async (attack) => {
      const { gradient } = await attack.evaluate(point)
      const numeric = await finiteDifference(async (at) => (await attack.evaluate(at)).value, point)
      expect(relativeError(gradient, numeric)).toBeLessThan(1e-7)
    })
  })

  it.each(['tfjs', 'onnx'] as const)('are the same in float32 on %s (onnxruntime-node)', async (runtime) => {
    const net = normalised()
    const x = own(sample([4, 6, 6, 1]))
    const delta = plain(await gradientsOf(net, x, [1, 2, 0, 3], { runtime: 'reference', training: true }))
    const [a, b] = await Promise.all(
      ([runtime, 'reference'] as const).map((runtime) =>
        at(net, { delta }, { ...options, runtime }, (attack) => attack.evaluate(point)),
      ),
    )
    expect(a.relativeLoss / b.relativeLoss).toBeCloseTo(1, 4)
    expect(relativeError(a.gradient, b.gradient)).toBeLessThan(1e-4)
  })
})

it('what is known of several inputs and outputs goes to the batch it belongs to', async () => {
  const two: NamedFunctionalModel = {
    inputShape: { a: [3], b: [2] },
    weights: { w: own(tf.tensor(numbers(15, 1, -1, 1), [5, 3])), v: own(tf.tensor(numbers(5, 2, -1, 1), [5, 1])) },
    apply({ a, b }, { w, v }) {
      const x = tf.sigmoid(tf.concat([a, b], 1)) as tf.Tensor2D
      return { kind: tf.matMul(x, w as tf.Tensor2D), size: tf.matMul(x, v as tf.Tensor2D) }
    },
  }
  const [a, b] = [own(sample([3, 3], 1)), own(sample([3, 2], 2))]
  const sizes = { targets: { shape: [3], data: [0.1, 0.2, 0.3] } }
  const options: LeakageOptions = {
    criterion: { kind: 'crossEntropy', size: 'meanSquaredError' },
    labels: { kind: [0, 2, 1], size: sizes },
    update: { learningRate: 0.5, batchSize: 2, epochs: 2 },
    batchSize: 3,
  }
  const delta = { w: { shape: [5, 3], data: numbers(15, 3) }, v: { shape: [5, 1], data: numbers(5, 4) } }
  const searched = [...a.dataSync(), ...b.dataSync()]
  const known = await truth(two, { delta }, a.dataSync(), { ...options, known: { b } })
  expect(known).toBeCloseTo(await truth(two, { delta }, searched, options), 10)
  const swapped = own(tf.reverse(b, 0))
  expect(
    Math.abs((await truth(two, { delta }, a.dataSync(), { ...options, known: { b: swapped } })) - known),
  ).toBeGreaterThan(1e-6)
})

describe('weights in float32', () => {
  const learningRate = 1e-4

  async function shared(steps: number) {
    const net = functionalNet()
    for (const thing of Object.values(net.weights)) own(thing)
    const x = own(sample([1, 8]))
    const after = await train(net, x, [2], { learningRate, steps })
    return { net, x, after, update: { learningRate, localSteps: steps } }
  }

  it.each([1, 3])('leave the true data as far from a match as was expected, after %d steps', async (steps) => {
    const { net, x, after, update } = await shared(steps)
    await at(net, { after }, { labels: [2], update }, async (attack) => {
      const { relativeLoss } = await attack.evaluate(Float64Array.from(x.dataSync()))
      expect(relativeLoss).toBeGreaterThan(1e-7)
      expect(Math.abs(Math.log2(relativeLoss / attack.rounding))).toBeLessThan(2)
    })
  })

  it('are matched as far as can be told', async () => {
    const { net, after, update } = await shared(1)
    const leak = own(await deepLeakage(net, { after }, { runtime: 'tfjs', labels: [2], update }))
    expect(leak.status).toBe('converged')
    expect(leak.relativeLoss).toBeGreaterThan(1e-8)
  })

  it('in float64 have no such limit', async () => {
    const { net, after, update } = await shared(1)
    const finer = Object.fromEntries(
      Object.entries(after).map(([name, { shape, data }]) => [name, { shape, data: Array.from(data, (v) => v / 3) }]),
    )
    const rounding = await at(net, { after: finer }, { update }, async (attack) => attack.rounding)
    expect(rounding).toBe(0)
  })
})

describe('steps taken for one', () => {
  /** How the distance at the true data falls when the client's steps are halved. */
  async function fall(approach: 'one-step' | 'surrogate'): Promise<number> {
    const x = own(sample([1, 8]))
    const net = functionalNet()
    for (const thing of Object.values(net.weights)) own(thing)
    const loss = async (learningRate: number) => {
      const after = await train(net, x, [2], { learningRate, steps: 4 })
      const update = { learningRate, localSteps: 4, approach }
      return truth(net, { after }, x.dataSync(), { labels: [2], update })
    }
    return (await loss(0.02)) / (await loss(0.01))
  }

  it('are off in first order at the weights before, in second at their mean', async () => {
    // squares of η and of η²
    expect(await fall('one-step')).toBeCloseTo(4, 0)
    const second = await fall('surrogate')
    expect(second).toBeGreaterThan(12)
    expect(second).toBeLessThan(20)
  })

  it('need no learning rate', async () => {
    const after = torch.after['three steps']
    const update = { localSteps: 3, approach: 'surrogate' } as const
    const loss = (learningRate?: number) =>
      truth(model, { after }, torch.x.data, { ...LABELS, update: { ...update, learningRate } })
    expect(await loss()).toBeCloseTo(await loss(0.3), 12)
  })
})

describe('recovers the data behind local steps', () => {
  /** A client trains on images, and shares its weights. */
  async function client(update: UpdateOptions, labels: number[], options: LeakageOptions) {
    const net = functionalNet()
    for (const thing of Object.values(net.weights)) own(thing)
    const x = own(sample([labels.length, 8]))
    const { learningRate = 0, localSteps: steps = 1, batchSize } = update
    const after = await train(net, x, labels, { learningRate, steps, batchSize })
    const leak = own(
      await deepLeakage(net, { after }, { runtime: 'tfjs', batchSize: labels.length, update, ...options }),
    )
    return { leak, mse: metrics.mse(leak.data.dataSync(), x.dataSync()) }
  }

  it.each<[string, LeakageOptions['labels']]>([
    ['joint', 'joint'],
    ['inferred', 'infer'],
    ['known', [2]],
  ])('of one sample with %s labels', async (_, labels) => {
    const { leak, mse } = await client({ learningRate: 0.5, localSteps: 5 }, [2], { labels })
    expect({ status: leak.status, labels: leak.labels, scale: leak.scale }).toEqual({
      ...{ status: 'converged', labels: [2], scale: 1 },
    })
    expect(mse).toBeLessThan(1e-6)
  })

  it('of two samples in batches of their own, in the order in which they were read', async () => {
    const { leak, mse } = await client({ learningRate: 0.5, localSteps: 4, batchSize: 1 }, [2, 0], { labels: 'joint' })
    expect({ status: leak.status, labels: leak.labels }).toEqual({ status: 'converged', labels: [2, 0] })
    expect(mse).toBeLessThan(1e-4)
  })
})
