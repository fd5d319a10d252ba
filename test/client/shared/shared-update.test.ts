import * as tf from '@tensorflow/tfjs-core'
import { layers, type Sequential, sequential } from '@tensorflow/tfjs-layers'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  DlgError,
  type DlgErrorCode,
  deepLeakage,
  type FunctionalModel,
  gradientsOf,
  type LeakageOptions,
  type PlainTensor,
  type UpdateOptions,
} from '../../../src'
import { plain, sample, spy, withUniformWeights } from '../../attacks/matching/tiny'
import { ownership } from '../../tensors'
import { at, torch, torchNet, truth } from './client'

// what a caller in JavaScript can pass
// biome-ignore lint/suspicious/noExplicitAny: that is anything
type Anything = any

const own = ownership()
let model: FunctionalModel

beforeEach(() => {
  model = torchNet()
  own({ dispose: () => tf.dispose(model.weights) })
})

const { before } = torch
const after = torch.after['one step']
const update: UpdateOptions = { learningRate: 0.3 }
const options: LeakageOptions = { batchSize: 5, labels: torch.labels, update }

/** after − before, or a multiple of it. */
const delta = (factor = 1): Record<string, PlainTensor> =>
  Object.fromEntries(
    Object.entries(after).map(([name, { shape, data }]) => [
      name,
      { shape, data: data.map((v, i) => factor * (v - before[name].data[i])) },
    ]),
  )

const MATCHED = 1e-24

describe('one step is a gradient, given as', () => {
  it.each<[string, Anything, UpdateOptions?]>([
    ['weights before and after', { before, after }],
    ['lists', { before: Object.values(before), after: Object.values(after) }],
    ['weights after those of the model', { after }],
    ['weights before, some of them', { before: { b2: before.b2 }, after }],
    ['a delta', { delta: delta() }],
    ['a delta that points down the loss', { delta: delta(-1) }, { ...update, sign: 'before-after' }],
  ])('%s', async (_, shared, how = update) => {
    expect(await truth(model, shared, torch.x.data, { ...options, update: how })).toBeLessThan(MATCHED)
  })

  it('tensors, which stay as they are', async () => {
    const tensors = Object.fromEntries(
      Object.entries(after).map(([name, { shape, data }]) => [name, own(tf.tensor(data, shape, 'float32'))]),
    )
    // float32 keeps 1e-7 of a weight, of which the update is a hundredth
    expect(await truth(model, { after: tensors }, torch.x.data, options)).toBeLessThan(1e-9)
    expect(tensors.w1.isDisposed).toBe(false)
  })

  it('weights before that are not the ones of the model', async () => {
    const strange = torchNet()
    for (const thing of Object.values(strange.weights)) own(thing)
    const zero = { ...strange, weights: { ...strange.weights, w1: own(tf.zerosLike(strange.weights.w1)) } }
    expect(await truth(zero, { before, after }, torch.x.data, options)).toBeLessThan(MATCHED)
    expect(await truth(zero, { before, delta: delta() }, torch.x.data, options)).toBeLessThan(MATCHED)
  })

  it('the same objective as of the gradient itself', async () => {
    const point = Float64Array.from({ length: 60 }, (_, i) => Math.sin(i))
    const gradients = delta(-1 / 0.3)
    const values = [{ delta: delta() }, gradients].map((shared, i) =>
      at(model, shared, { batchSize: 5, ...(i === 0 && { update }) }, async (attack) => attack.evaluate(point)),
    )
    const [a, b] = await Promise.all(values)
    expect(a.relativeLoss / b.relativeLoss).toBeCloseTo(1, 6)
  })
})

describe('weights that are not trained', () => {
  /** A batch norm, which has moving statistics. */
  function normalised(): Sequential {
    const net = sequential()
    net.add(layers.dense({ inputShape: [8], units: 6, activation: 'sigmoid' }))
    net.add(layers.batchNormalization())
    net.add(layers.dense({ units: 4 }))
    // variances are above 0
    const values = withUniformWeights(net)
      .getWeights()
      .map((w) => tf.abs(w))
    net.setWeights(values)
    tf.dispose(values)
    return own(net)
  }

  it('are those before, and are ignored after', async () => {
    const net = normalised()
    const x = own(sample([2, 8]))
    const gradients = plain(await gradientsOf(net, x, [1, 3], { runtime: 'reference' }))
    const names = [...net.trainableWeights, ...net.nonTrainableWeights].map((w) => w.name)
    const list = net.getWeights().map((w) => ({ shape: w.shape, data: [...w.dataSync()] }))
    const moved = list.map(({ shape, data }, i) => ({
      shape,
      data: data.map((v, k) => (gradients[names[i]] ? v - 0.1 * gradients[names[i]].data[k] : v + 1)),
    }))
    const all = { batchSize: 2, labels: [1, 3], update: { learningRate: 0.1 } }
    expect(await truth(net, { before: list, after: moved }, x.dataSync(), all)).toBeLessThan(1e-12)
    // the model an auditor has built anew, and the client's weights
    const anew = normalised()
    anew.setWeights(anew.getWeights().map((w) => own(tf.onesLike(w))))
    const maps = [list, moved].map((tensors) => Object.fromEntries(tensors.map((t, i) => [anew.weights[i].name, t])))
    for (const shared of [
      { before: list, after: moved },
      { before: maps[0], after: maps[1] },
    ])
      expect(await truth(anew, shared, x.dataSync(), all)).toBeLessThan(1e-12)
  })

  it('are not in a list of the trained ones', async () => {
    const net = normalised()
    const x = own(sample([2, 8]))
    const gradients = plain(await gradientsOf(net, x, [1, 3], { runtime: 'reference' }))
    const trained = net.trainableWeights.map((w) => gradients[w.name])
    const delta = trained.map(({ shape, data }) => ({ shape, data: Array.from(data, (v) => -0.1 * v) }))
    const before = net.trainableWeights.map((w) => ({ shape: w.shape as number[], data: [...w.read().dataSync()] }))
    const after = before.map(({ shape, data }, i) => ({ shape, data: data.map((v, k) => v + delta[i].data[k]) }))
    const all = { batchSize: 2, labels: [1, 3], update: { learningRate: 0.1 } }
    for (const shared of [{ delta }, { after }, { before, after }])
      expect(await truth(net, shared, x.dataSync(), all)).toBeLessThan(1e-12)
  })
})

describe('is refused', () => {
  async function refused(code: DlgErrorCode, words: RegExp, shared: Anything, given: Anything): Promise<void> {
    const runtime = spy()
    const error: unknown = await deepLeakage(model, shared, { ...options, runtime, ...given }).then(
      () => 'nothing was thrown',
      (thrown) => thrown,
    )
    expect(error).toBeInstanceOf(DlgError)
    expect(error).toMatchObject({ code, message: expect.stringMatching(words) })
    expect(runtime.compiled).toBe(0)
  }

  it.each<[string, DlgErrorCode, RegExp, Anything]>([
    ['no learning rate', 'invalid-option', /update.learningRate is undefined; it must be a number above 0/, {}],
    ['a rate of 0', 'invalid-option', /update.learningRate is 0;/, { learningRate: 0 }],
    ['an unknown name', 'invalid-option', /there is no 'rate' in update; there are learningRate/, { rate: 1 }],
    [
      'batches of more than all',
      'invalid-option',
      /update.batchSize is 6, more than the 5/,
      { ...update, batchSize: 6 },
    ],
    ['epochs and steps', 'invalid-option', /both epochs and localSteps/, { ...update, epochs: 2, localSteps: 2 }],
    [
      'samples that are never read',
      'invalid-option',
      /localSteps of at least 3/,
      { ...update, batchSize: 2, localSteps: 2 },
    ],
    ['half an epoch', 'invalid-option', /update.epochs is 0.5; it must be a whole number/, { ...update, epochs: 0.5 }],
    [
      'a momentum of 1',
      'invalid-option',
      /update.momentum is 1; it must be a number in \[0, 1\)/,
      { ...update, momentum: 1 },
    ],
    ['a negative decay', 'invalid-option', /update.weightDecay is -1;/, { ...update, weightDecay: -1 }],
    ['a strange approach', 'invalid-option', /'unrolled' or 'one-step' or 'surrogate'/, { ...update, approach: 'x' }],
    ['a sign of weights', 'invalid-option', /sign says which way delta points/, { ...update, sign: 'after-before' }],
    [
      'Adam',
      'invalid-option',
      /'adam' cannot be undone: its first step is learningRate · sign\(g\)/,
      { ...update, optimizer: 'adam' },
    ],
    ['AdamW', 'invalid-option', /'AdamW' cannot be undone: its first step/, { ...update, optimizer: 'AdamW' }],
    ['an old velocity', 'invalid-option', /with momentum: 0.9.*earlier rounds/, { ...update, optimizer: 'momentum' }],
    [
      'an unknown optimizer',
      'invalid-option',
      /update.optimizer is 'x'; it must be 'sgd'/,
      { ...update, optimizer: 'x' },
    ],
    ['a list', 'invalid-option', /update is \[\]; it must be an object/, []],
    ['billions of steps', 'invalid-option', /5000000000 local steps.*at most 1000000/, { ...update, localSteps: 5e9 }],
    ['billions of epochs', 'invalid-option', /5000000000 local steps.*at most 1000000/, { ...update, epochs: 5e9 }],
  ])('%s', (_, code, words, how) => refused(code, words, { after }, { update: how }))

  it.each<[string, DlgErrorCode, RegExp, Anything, Anything?]>([
    ['nothing that moved', 'invalid-gradients', /neither after nor delta; give \{before, after\}/, { before }],
    ['both', 'invalid-gradients', /both after and delta/, { after, delta: delta() }],
    [
      'a stranger',
      'invalid-option',
      /there is no 'middle' in the update; there are before, after, delta/,
      { after, middle: 1 },
    ],
    [
      'a weight too few',
      'invalid-gradients',
      /no 'after' tensor for weight 'b1' \[6\]/,
      { after: { w1: after.w1, w2: after.w2, b2: after.b2 } },
    ],
    [
      'a weight of another model',
      'invalid-gradients',
      /'after' tensors have one for 'w9'.*w1, b1/,
      { after: { ...after, w9: after.w1 } },
    ],
    [
      'a shape',
      'invalid-gradients',
      /'delta' tensor of 'b1' has shape \[8, 6\]; the weight has \[6\]/,
      { delta: { ...delta(), b1: delta().w1 } },
    ],
    [
      'a shape before',
      'invalid-gradients',
      /'before' tensor of 'b1' has shape \[4\]/,
      { before: { b1: before.b2 }, after },
    ],
    [
      'not a number',
      'invalid-gradients',
      /'after' tensor of 'b2' is NaN at position 3/,
      { after: { ...after, b2: { shape: [4], data: [0, 0, 0, Number.NaN] } } },
    ],
    ['a short list', 'invalid-gradients', /2 'after' tensors for 4 trained weights/, { after: [after.w1, after.b1] }],
    ['null', 'invalid-gradients', /'after' tensors must be a list or a map of tensors, got null/, { after: null }],
    [
      'weights that did not move',
      'invalid-gradients',
      /the same: there is nothing to match/,
      { before, after: before },
    ],
    [
      'a rate that leaves no numbers',
      'invalid-option',
      /the learning rate is 1e-300: what was shared, divided by it, is not finite/,
      { before, after },
      { update: { learningRate: 1e-300 } },
    ],
    [
      'a rate that leaves zeros',
      'invalid-gradients',
      /divided by the learning rate 1e\+300, is zero: there is nothing to match/,
      { before, after },
      { update: { learningRate: 1e300 } },
    ],
    [
      'an update without a word',
      'invalid-option',
      /say how it came about: update: \{ learningRate/,
      { after },
      { update: undefined },
    ],
    ['gradients with an update', 'invalid-gradients', /gradients were given; give \{before, after\}/, delta()],
    [
      'inferred labels of several batches',
      'labels',
      /not which local batch/,
      { after },
      { labels: 'infer', update: { ...update, batchSize: 2 } },
    ],
  ])('%s', (_, code, words, shared, given = {}) => refused(code, words, shared, given))

  it('but weights may be called after and delta', async () => {
    const named: FunctionalModel = {
      inputShape: [2],
      weights: { after: own(tf.tensor2d([1, 2, 3, 4], [2, 2])), delta: own(tf.tensor1d([0, 1])) },
      apply: (x, w) => tf.add(tf.matMul(x as tf.Tensor2D, w.after as tf.Tensor2D), w.delta),
    }
    const x = own(tf.tensor2d([0.3, 0.9], [1, 2]))
    const shared = plain(await gradientsOf(named, x, [1], { runtime: 'reference' }))
    expect(await truth(named, shared, x.dataSync(), { labels: [1] })).toBeLessThan(1e-12)
  })
})
