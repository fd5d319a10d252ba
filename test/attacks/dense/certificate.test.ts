import * as tf from '@tensorflow/tfjs-core'
import { layers, regularizers, sequential } from '@tensorflow/tfjs-layers'
import { describe, expect, it } from 'vitest'
import { checkModel, gradientsOf } from '../../../src'
import { exactData, firstDense, invertDense } from '../../../src/analytic'
import { attack, type TargetOptions, targetOf } from '../../../src/attacks'
import { relativeError, uniform } from '../../oracle'
import { leavesNoTensors } from '../../tensors'
import { denseNet, numbers, sample } from '../matching/tiny'

leavesNoTensors()

type Activation = 'linear' | 'relu' | 'sigmoid' | 'tanh'

/** Twelve inputs, a hidden layer where there is an activation, and classes; every weight within ±size. */
function network(seed: number, classes: number, size: number, activation?: Activation) {
  const model = sequential()
  if (activation) model.add(layers.dense({ inputShape: [12], units: 16, activation }))
  model.add(layers.dense({ units: classes, ...(!activation && { inputShape: [12] }) }))
  const weights = model
    .getWeights()
    .map((w, i) => tf.tensor(Float32Array.from(uniform(w.size, -size, size, 100 * seed + i)), w.shape))
  model.setWeights(weights)
  tf.dispose(weights)
  return model
}

const data = (batch: number, seed: number) => tf.tensor(numbers(12 * batch, seed, 0, 1), [batch, 12])

/** Reads the data of one sample from a gradient of several, as both doors do. */
async function asOne(model: ReturnType<typeof network>, x: tf.Tensor, labels: number[], options: TargetOptions = {}) {
  const shared = await gradientsOf(model, x, labels)
  const [weight, bias] = Object.values(shared).map((t) => t.dataSync<'float32'>())
  const found = await exactData(model, shared, options)
  const outcome = await attack('dense-inversion', await targetOf(model, shared, options))
  const result = { pure: invertDense({ weight, bias }).status, status: found?.status, attack: outcome.status, found }
  outcome.dispose()
  tf.dispose(shared)
  return result
}

describe('several samples told as one', () => {
  it('are not exact where they are in proportion and turn on the same units of a ReLU', async () => {
    const model = network(1, 8, 1e-3, 'relu')
    const still = model.getWeights().map((w, i) => (i % 2 ? tf.zeros(w.shape) : w.clone()))
    model.setWeights(still)
    const x = data(1, 31)
    const two = tf.tidy(() => tf.concat([x, tf.mul(x, 3)]))
    const { pure, status, attack } = await asOne(model, two, [1, 1])
    expect([pure, status, attack]).toEqual(['agreed', 'unconfirmed', 'undetermined'])
    tf.dispose([x, two, still])
    model.dispose()
  })

  it.each<[string, number, number, Activation | undefined, number[]]>([
    ['two classes', 2, 0.5, undefined, [0, 1, 0, 1]],
    ['two classes, one label', 2, 0.5, undefined, [1, 1, 1, 1]],
    ['two classes behind a linear layer', 2, 0.5, 'linear', [0, 1, 0, 1]],
    ['ten classes, one label, weights within 0.01', 10, 0.01, 'linear', [1, 1, 1, 1]],
    ['ten classes, one label, sigmoid, weights within 0.01', 10, 0.01, 'sigmoid', [1, 1]],
    ['ten classes, one label, sigmoid, weights within 0.001', 10, 0.001, 'sigmoid', [1, 1, 1, 1]],
  ])('are never exact: %s', async (_, classes, size, activation, labels) => {
    let agreed = 0
    for (const seed of [1, 2, 3]) {
      const [model, x] = [network(seed, classes, size, activation), data(labels.length, seed + 30)]
      const { pure, status, attack } = await asOne(model, x, labels)
      if (pure === 'agreed') agreed++
      expect(status).not.toBe('exact')
      expect(['failed', 'undetermined', 'partial']).toContain(attack)
      x.dispose()
      model.dispose()
    }
    // the layer alone cannot tell
    expect(agreed).toBeGreaterThan(0)
  })
})

describe('a factor that is not known', () => {
  it.each<[string, number[]]>([
    ['labels 0 and 1', [0, 1]],
    ['one label', [1, 1]],
  ])('two samples of a soft-max regression of two classes are never exact: %s', async (_, labels) => {
    for (const seed of [1, 2, 3]) {
      const [model, x] = [network(seed, 2, 3), data(2, seed + 30)]
      const { status, attack, found } = await asOne(model, x, labels, { scale: 'auto' })
      expect([status, attack]).toEqual(['unconfirmed', 'undetermined'])
      expect(found!.reason).toContain('of several samples')
      x.dispose()
      model.dispose()
    }
  })

  it('one sample is exact, after its gradient was recomputed', async () => {
    const [model, x] = [network(1, 10, 0.5, 'tanh'), data(1, 31)]
    const { status, attack } = await asOne(model, x, [4], { scale: 'auto' })
    expect([status, attack]).toEqual(['exact', 'proven'])
    x.dispose()
    model.dispose()
  })
})

describe('one sample', () => {
  it.each<[string, number, number, Activation | undefined]>([
    ['ten classes', 10, 0.5, undefined],
    ['two classes behind tanh', 2, 0.5, 'tanh'],
    ['ten classes behind ReLU', 10, 0.5, 'relu'],
    ['ten classes behind a sigmoid', 10, 0.5, 'sigmoid'],
    ['four classes behind tanh', 4, 0.2, 'tanh'],
  ])('is exact, after its gradient was recomputed: %s', async (_, classes, size, activation) => {
    for (const seed of [1, 2, 3]) {
      const [model, x] = [network(seed, classes, size, activation), data(1, seed + 30)]
      const { status, attack, found } = await asOne(model, x, [seed % classes])
      expect([status, attack]).toEqual(['exact', 'proven'])
      expect(relativeError(found!.input, x.dataSync())).toBeLessThan(1e-5)
      expect(found!.residual).toBeLessThan(1e-5)
      x.dispose()
      model.dispose()
    }
  })

  it('is exact beside regularizers, whose part is taken off', async () => {
    const model = sequential()
    const kernelRegularizer = regularizers.l2({ l2: 0.05 })
    model.add(layers.dense({ inputShape: [12], units: 8, activation: 'sigmoid', kernelRegularizer }))
    model.add(layers.dense({ units: 4, kernelRegularizer }))
    const x = data(1, 5)
    expect(await asOne(model, x, [2])).toMatchObject({ status: 'exact', attack: 'proven' })
    x.dispose()
    model.dispose()
  })

  it('is unconfirmed under a label that is not its own, or where no rule gives one', async () => {
    const [model, x] = [network(1, 4, 0.5, 'sigmoid'), data(1, 7)]
    const shared = await gradientsOf(model, x, [2])
    const wrong = await exactData(model, shared, { labels: [1] })
    expect(wrong).toMatchObject({ status: 'unconfirmed', reason: expect.stringContaining('the label is another') })
    const y = sample([1, 4])
    const squared = await gradientsOf(model, x, y, { criterion: 'meanSquaredError' })
    const options = { criterion: 'meanSquaredError' } as const
    expect((await exactData(model, squared, options))!.reason).toContain('no rule gives the label')
    expect(await exactData(model, squared, { ...options, labels: y })).toMatchObject({ status: 'exact' })
    tf.dispose([x, y, shared, squared])
    model.dispose()
  })

  it('is exact to what bfloat16 holds', async () => {
    const [model, x] = [network(2, 10, 2, 'tanh'), data(1, 8)]
    const shared = await gradientsOf(model, x, [3])
    const coarse = Object.fromEntries(
      Object.entries(shared).map(([name, t]) => {
        const data = t.dataSync<'float32'>().map((v) => {
          const step = 2 ** (Math.floor(Math.log2(Math.abs(v))) - 7)
          return Math.round(v / step) * step
        })
        return [name, { shape: t.shape, data }]
      }),
    )
    // by the numbers themselves, and by what the caller says; said to be float32 they are no sample's gradient
    for (const options of [{}, { precision: 'bfloat16' as const }]) {
      const found = await exactData(model, coarse, options)
      expect(found!.status).toBe('exact')
      expect(relativeError(found!.input, x.dataSync())).toBeLessThan(0.01)
    }
    expect(await exactData(model, coarse, { precision: 'float32' })).toBeUndefined()
    tf.dispose([x, shared])
    model.dispose()
  })
})

describe('weights that are used more than once', () => {
  const weights = () => ({ W: sample([8, 6], 1), b: sample([6], 2), V: sample([6, 5], 3) })
  type Apply = (x: tf.Tensor, w: tf.NamedTensorMap) => tf.Tensor
  const dense = (x: tf.Tensor, w: tf.Tensor, b: tf.Tensor) => tf.add(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D), b)

  it.each<[string, string, number, Apply]>([
    [
      'one layer twice',
      'W',
      2,
      (x, { W, b, V }) => tf.matMul(tf.add(dense(x, W, b), dense(tf.mul(x, 2), W, b)) as tf.Tensor2D, V as tf.Tensor2D),
    ],
    [
      'the bias again',
      'b',
      2,
      (x, { W, b, V }) => tf.matMul(tf.add(tf.sigmoid(dense(x, W, b)), b) as tf.Tensor2D, V as tf.Tensor2D),
    ],
    [
      'the weight turned',
      'W',
      2,
      (x, { W, b, V }) => {
        const hidden = tf.sigmoid(dense(x, W, b)) as tf.Tensor2D
        const back = tf.matMul(hidden, W as tf.Tensor2D, false, true)
        return tf.matMul(tf.add(hidden, tf.slice(back, [0, 0], [1, 6])) as tf.Tensor2D, V as tf.Tensor2D)
      },
    ],
    [
      'a penalty within the model',
      'W',
      3,
      (x, { W, b, V }) =>
        tf.add(tf.matMul(tf.sigmoid(dense(x, W, b)) as tf.Tensor2D, V as tf.Tensor2D), tf.mean(tf.square(W))),
    ],
  ])('%s: refused by name everywhere', async (_, name, times, apply) => {
    const model = { inputShape: [8], weights: weights(), apply }
    const x = sample([1, 8], 4)
    const shared = await gradientsOf(model, x, [1])
    expect(firstDense(model)).toBeUndefined()
    expect(await exactData(model, shared)).toBeUndefined()
    const { status, reason } = await attack('dense-inversion', await targetOf(model, shared))
    expect([status, reason]).toEqual([
      'refused',
      expect.stringContaining(`'${name}' of the first dense layer is used ${times} times`),
    ])
    const { findings } = await checkModel(model, { x, y: [1] })
    const [closed] = findings.filter(({ code }) => code === 'closed-form')
    expect(closed.message).toContain('no closed form gives the data')
    expect(closed.attack).toBeUndefined()
    tf.dispose([x, shared, model.weights, Object.values(model.weights)])
  })

  it('a layer of tfjs that is applied twice', async () => {
    const shared = layers.dense({ units: 8, activation: 'sigmoid' })
    const input = tf.tensor(numbers(8, 3), [1, 8])
    const model = sequential({
      layers: [layers.inputLayer({ inputShape: [8] }), shared, shared, layers.dense({ units: 3 })],
    })
    expect(firstDense(model)).toBeUndefined()
    input.dispose()
    model.dispose()
  })

  it('one use is one use: behind every activation, and in a model with penalties', () => {
    for (const activation of [
      'relu',
      'sigmoid',
      'tanh',
      'elu',
      'selu',
      'softplus',
      'softsign',
      'hardSigmoid',
      'swish',
    ] as const) {
      const model = sequential({
        layers: [
          layers.dense({ inputShape: [6], units: 5, activation }),
          layers.dense({ units: 3, activation: 'softmax' }),
        ],
      })
      expect(firstDense(model), activation).toBeDefined()
      model.dispose()
    }
    const model = denseNet()
    expect(firstDense(model)).toBeDefined()
    model.dispose()
  })
})
