import { readFileSync } from 'node:fs'
import * as tf from '@tensorflow/tfjs-core'
import { model as graphModel, input, type LayersModel, layers, type SymbolicTensor } from '@tensorflow/tfjs-layers'
import { describe, expect, it } from 'vitest'
import {
  deepLeakage,
  gradientsOf,
  huber,
  joint,
  type LabelStrategy,
  type LeakageOptions,
  type NamedFunctionalModel,
  type PlainTensor,
  tokenCrossEntropy,
} from '../../../src'
import { prepareAttack } from '../../../src/attacks/matching/leakage'
import { leakageOptions } from '../../../src/attacks/matching/options'
import { openTarget } from '../../../src/client/target'
import { mse } from '../../../src/metrics'
import { finiteDifference, relativeError, uniform } from '../../oracle'
import { ownership } from '../../tensors'
import { numbers, plain, sample, withUniformWeights } from './tiny'

type Stored = Record<string, { shape: number[]; data: number[] }>
interface TorchGradients {
  readonly loss: number
  readonly gradients: Stored
}

const torch: {
  readonly several: {
    readonly weights: Stored
    readonly inputs: Stored
    readonly labels: number[]
    readonly ages: { shape: number[]; data: number[] }
    readonly mean: TorchGradients
    readonly sum: TorchGradients
  }
  readonly tokens: {
    readonly weights: Stored
    readonly ids: number[][]
    readonly targets: number[][]
    readonly mean: TorchGradients
  }
} = JSON.parse(readFileSync(new URL('../../fixtures/several.json', import.meta.url)).toString())

const own = ownership()

const tensorOf = ({ shape, data }: { shape: number[]; data: number[] }) => own(tf.tensor(data, shape, 'float32'))
const tensorsOf = (stored: Stored) =>
  Object.fromEntries(Object.entries(stored).map(([name, t]) => [name, tensorOf(t)])) as tf.NamedTensorMap

/** Each of our gradients beside PyTorch's. */
function expectEqual(ours: tf.NamedTensorMap, theirs: Stored): void {
  expect(Object.keys(ours)).toEqual(Object.keys(theirs))
  for (const [name, { data }] of Object.entries(theirs)) {
    expect(relativeError(own(ours[name]).dataSync(), data, 1e-300), name).toBeLessThan(1e-6)
  }
}

describe('the gradient of several losses is that of PyTorch', () => {
  const model = (): NamedFunctionalModel => ({
    inputShape: { image: [3], vector: [2] },
    weights: tensorsOf(torch.several.weights),
    apply({ image, vector }, w) {
      const h = tf.tanh(
        tf.add(tf.matMul(tf.concat([image, vector], 1) as tf.Tensor2D, w.hidden as tf.Tensor2D), w.bias),
      )
      return { scores: tf.matMul(h, w.scores as tf.Tensor2D), ages: tf.matMul(h, w.ages as tf.Tensor2D) }
    },
  })
  const options = { criterion: { scores: 'crossEntropy', ages: huber({ delta: 0.5 }) } } as const

  it.each(['mean', 'sum'] as const)('with maps and %s', async (reduction) => {
    const { inputs, labels, ages } = torch.several
    const y = { ages: tensorOf(ages), scores: labels }
    const ours = await gradientsOf(model(), tensorsOf(inputs), y, {
      ...options,
      lossWeights: { scores: 0.7, ages: 2.5 },
      reduction,
    })
    expectEqual(ours, torch.several[reduction].gradients)
  })

  it('with lists', async () => {
    const { inputs, labels, ages } = torch.several
    const ours = await gradientsOf(model(), Object.values(tensorsOf(inputs)), [labels, tensorOf(ages)], {
      criterion: ['crossEntropy', huber({ delta: 0.5 })],
      lossWeights: [0.7, 2.5],
    })
    expectEqual(ours, torch.several.mean.gradients)
  })

  it('of a LayersModel, where an output without a criterion has no loss', async () => {
    const { weights, inputs, labels, ages } = torch.several
    const [a, b] = [input({ shape: [3], name: 'image' }), input({ shape: [2], name: 'vector' })]
    const hidden = layers.dense({ units: 6, activation: 'tanh' })
    const h = hidden.apply(layers.concatenate().apply([a, b])) as SymbolicTensor
    const heads = [
      layers.dense({ units: 3, useBias: false, activation: 'softmax', name: 'scores' }),
      layers.dense({ units: 2, useBias: false, name: 'ages' }),
      layers.activation({ activation: 'relu', name: 'features' }),
    ]
    const net = own(graphModel({ inputs: [a, b], outputs: heads.map((head) => head.apply(h) as SymbolicTensor) }))
    net.setWeights(Object.values(tensorsOf(weights)))
    const ours = await gradientsOf(net, tensorsOf(inputs), [labels, tensorOf(ages)], {
      ...options,
      lossWeights: [0.7, 2.5],
    })
    const theirs = Object.values(torch.several.mean.gradients)
    expectEqual(ours, Object.fromEntries(Object.keys(ours).map((name, i) => [name, theirs[i]])))
  })

  it('of a language model, from token ids with some ignored', async () => {
    const { weights, ids, targets, mean } = torch.tokens
    const model: NamedFunctionalModel = {
      inputShape: { ids: [5] },
      weights: tensorsOf(weights),
      apply({ ids: tokens }, { table, mix, scores }) {
        const rows = tf.cumsum(tf.gather(table, tf.cast(tokens, 'int32')), 1)
        const h = tf.tanh(tf.matMul(tf.reshape(rows, [10, 4]), mix as tf.Tensor2D))
        return tf.reshape(tf.matMul(h, scores as tf.Tensor2D), [2, 5, 7])
      },
    }
    const x = own(tf.tensor2d(ids, [2, 5], 'float32'))
    const y = own(tf.tensor2d(targets, [2, 5], 'int32'))
    expectEqual(await gradientsOf(model, x, y, { criterion: tokenCrossEntropy() }), mean.gradients)
  })
})

/** An image and a vector, mixed; classes, a number and bits come out. */
function mixed(outputs: readonly ('class' | 'age' | 'bits')[] = ['class', 'age', 'bits'], width = 16): LayersModel {
  const image = input({ shape: [5, 5, 1], name: 'image' })
  const vector = input({ shape: [4], name: 'vector' })
  const conv = layers.conv2d({ filters: 3, kernelSize: 3, activation: 'sigmoid' })
  const flat = layers.flatten().apply(conv.apply(image)) as SymbolicTensor
  const joined = layers.concatenate().apply([flat, vector]) as SymbolicTensor
  const h = layers.dense({ units: width, activation: 'sigmoid' }).apply(joined) as SymbolicTensor
  const units = { class: 4, age: 1, bits: 3 }
  const heads = outputs.map((name) => layers.dense({ units: units[name], name }).apply(h) as SymbolicTensor)
  return own(withUniformWeights(graphModel({ inputs: [image, vector], outputs: heads, name: 'mixed' })))
}

describe('the objective of an attack', () => {
  const criterion = { class: 'crossEntropy', age: 'meanSquaredError', bits: 'binaryCrossEntropy' } as const

  it('has the derivatives that finite differences in float64 have, in every unknown', async () => {
    const model = mixed(['class', 'age', 'bits'], 5)
    const x = { image: own(sample([2, 5, 5, 1], 3)), vector: own(sample([2, 4], 4)) }
    const y = { class: [3, 1], age: [0.4, -0.8], bits: own(tf.tensor2d([1, 0, 1, 0, 0, 1], [2, 3])) }
    const lossWeights = { class: 0.5, age: 2, bits: 1.5 }
    const training = { criterion, lossWeights, runtime: 'reference' } as const
    const shared = plain(await gradientsOf(model, x, y, training))
    const settings = leakageOptions({ ...training, batchSize: 2, priors: {} })
    const attack = await prepareAttack(await openTarget(model, shared, settings), settings)
    // two images, two vectors, and the targets: 8 of classes, 2 numbers, 6 bits
    const point = uniform(2 * 25 + 2 * 4 + 8 + 2 + 6, -1, 1, 5)
    const { gradient } = await attack.evaluate(point)
    const numeric = await finiteDifference(async (at) => (await attack.evaluate(at)).value, point)
    attack.dispose()
    expect(gradient).toHaveLength(point.length)
    expect(relativeError(gradient, numeric)).toBeLessThan(1e-7)
    for (const [from, to] of [
      [0, 50],
      [50, 58],
      [58, 66],
      [66, 68],
      [68, 74],
    ])
      expect(relativeError(gradient.slice(from, to), numeric.slice(from, to), 1e-300)).toBeLessThan(1e-6)
  })
})

/** A client shares the gradient of one sample of the mixed model. */
async function attack(outputs: readonly ('class' | 'age' | 'bits')[], options: LeakageOptions = {}) {
  const model = mixed(outputs)
  const x = { image: own(sample([1, 5, 5, 1], 3)), vector: own(sample([1, 4], 4)) }
  const all = { class: [2], age: [0.3], bits: own(tf.tensor2d([1, 0, 1], [1, 3])) }
  const y = Object.fromEntries(outputs.map((name) => [name, all[name]]))
  const { criterion, lossWeights } = options
  const shared = plain(await gradientsOf(model, x, y, { criterion, lossWeights, runtime: 'tfjs' }))
  const leak = own(await deepLeakage(model, shared, { runtime: 'tfjs', ...options }))
  const error = (name: 'image' | 'vector') => mse(leak.inputs[name].dataSync(), x[name].dataSync())
  return { leak, shared, model, x, error }
}

/** Mean squared errors of at most 2.5e-6 measured. */
const RECOVERED = 1e-4

describe('recovers', () => {
  it('both inputs of a model', async () => {
    const { leak, error } = await attack(['class'])
    expect(leak.status).toBe('converged')
    expect(leak.labels).toEqual([2])
    expect(Object.keys(leak.inputs)).toEqual(['image', 'vector'])
    expect(leak.data).toBe(leak.inputs.image)
    expect([leak.data.shape, leak.inputs.vector.shape]).toEqual([
      [1, 5, 5, 1],
      [1, 4],
    ])
    expect(error('image')).toBeLessThan(RECOVERED)
    expect(error('vector')).toBeLessThan(RECOVERED)
  })

  const two = { criterion: { class: 'crossEntropy', age: 'meanSquaredError' } } as const
  it.each<[string, LeakageOptions]>([
    ['joint targets', {}],
    ['inferred classes and a joint number', { labels: 'infer' }],
    ['a list of choices', { labels: ['infer', joint()] }],
    ['known targets', { labels: { class: [2], age: { targets: { shape: [1, 1], data: [0.3] } } } }],
    ['weights', { lossWeights: { class: 0.25, age: 3 } }],
    ['weights and inference', { lossWeights: { class: 0.25, age: 3 }, labels: 'infer' }],
  ])('class and number of a two-output model, with %s', async (_, options) => {
    const { leak, error } = await attack(['class', 'age'], { ...two, ...options })
    expect(leak.status).toBe('converged')
    expect(leak.outputs.class.labels).toEqual([2])
    expect(leak.outputs.age.labels).toEqual([])
    expect(leak.outputs.age.targets.dataSync()[0]).toBeCloseTo(0.3, 3)
    expect([leak.labels, leak.labelProbabilities]).toEqual([[2], leak.outputs.class.targets])
    expect(error('image')).toBeLessThan(RECOVERED)
    expect(error('vector')).toBeLessThan(RECOVERED)
  })

  it('what a strategy of your own decides, which is asked once for each output', async () => {
    const asked: string[] = []
    const own = (name: string, decide: LabelStrategy['decide']): LabelStrategy => ({
      name,
      decide(context) {
        asked.push(name)
        return decide(context)
      },
    })
    const inSteps = own('in steps', function* () {
      yield
      return { kind: 'known', labels: [2] }
    })
    const labels = { class: inSteps, age: own('at once', () => ({ kind: 'joint' })) }
    const { leak } = await attack(['class', 'age'], { ...two, labels, iterations: 1, restarts: 1 })
    expect(leak.outputs.class.labels).toEqual([2])
    expect(asked).toEqual(['in steps', 'at once'])
  })

  it('bits', async () => {
    const { leak, error } = await attack(['bits'], { criterion: 'binaryCrossEntropy' })
    expect(leak.status).toBe('converged')
    expect([...leak.labelProbabilities.dataSync()].map(Math.round)).toEqual([1, 0, 1])
    expect(error('image')).toBeLessThan(RECOVERED)
  })

  it('one input where the other is known', async () => {
    const { model, shared, x } = await attack(['class'], { iterations: 1, restarts: 1 })
    const leak = own(await deepLeakage(model, shared, { runtime: 'tfjs', known: { image: x.image } }))
    expect(leak.status).toBe('converged')
    expect(Object.keys(leak.inputs)).toEqual(['vector'])
    expect(leak.data.shape).toEqual([1, 4])
    expect(mse(leak.data.dataSync(), x.vector.dataSync())).toBeLessThan(RECOVERED)
  })

  it('from where it is told to start', async () => {
    const { model, shared, x } = await attack(['class'], { iterations: 1, restarts: 1 })
    const init = { data: { vector: x.vector, image: x.image.dataSync() } }
    const leak = own(
      await deepLeakage(model, shared, { runtime: 'tfjs', init, labels: [2], iterations: 1, restarts: 1, priors: {} }),
    )
    expect(leak.history[0].relativeLoss).toBeLessThan(1e-12)
  })

  it('the embedding beside known whole numbers', async () => {
    // word embeddings and token types: types are indices of a table, and only known ones can be
    const table = own(tf.tensor2d(numbers(6, 1, -0.5, 0.5), [2, 3]))
    const w = own(tf.tensor2d(numbers(12 * 4, 2, -0.5, 0.5), [12, 4]))
    const v = own(tf.tensor2d(numbers(4 * 3, 3, -0.5, 0.5), [4, 3]))
    const model: NamedFunctionalModel = {
      name: 'typed',
      inputShape: { words: [4, 3], types: [4] },
      weights: { table, w, v },
      apply({ words, types }, weights) {
        const sum = tf.add(words, tf.gather(weights.table, types as tf.Tensor2D))
        const h = tf.sigmoid(tf.matMul(tf.reshape(sum, [1, 12]), weights.w as tf.Tensor2D))
        return tf.matMul(h, weights.v as tf.Tensor2D)
      },
    }
    const x = { words: own(sample([1, 4, 3])), types: own(tf.tensor2d([[0, 1, 1, 0]], [1, 4], 'int32')) }
    const shared = plain(await gradientsOf(model, x, [1], { runtime: 'reference' }))
    const leak = own(await deepLeakage(model, shared, { runtime: 'reference', known: { types: x.types } }))
    expect({ status: leak.status, labels: leak.labels }).toEqual({ status: 'converged', labels: [1] })
    expect(mse(leak.data.dataSync(), x.words.dataSync())).toBeLessThan(RECOVERED)
  })
})

describe('a batch of several inputs', () => {
  const criterion = { class: 'crossEntropy', age: 'meanSquaredError' } as const

  it.each(['tfjs', 'onnx'] as const)('is recovered with known labels on %s (onnxruntime-node)', async (runtime) => {
    const model = mixed(['class', 'age'], 40)
    const x = { image: own(sample([2, 5, 5, 1], 3)), vector: own(sample([2, 4], 4)) }
    const y = { class: [2, 0], age: [0.3, -0.5] }
    const shared = plain(await gradientsOf(model, x, y, { criterion, runtime }))
    const options = { criterion, runtime, batchSize: 2, restarts: 2, concurrency: runtime === 'onnx' ? 2 : 1 }
    const labels = { class: [2, 0], age: { targets: { shape: [2], data: y.age } } }
    const leak = own(await deepLeakage(model, shared, { ...options, labels }))
    expect(leak.status).toBe('converged')
    expect(mse(leak.data.dataSync(), x.image.dataSync())).toBeLessThan(RECOVERED)
    expect(mse(leak.inputs.vector.dataSync(), x.vector.dataSync())).toBeLessThan(RECOVERED)
  })
})

it('an Embedding of a LayersModel reads known whole numbers', async () => {
  const words = input({ shape: [4, 3], name: 'words' })
  const types = input({ shape: [4], name: 'types', dtype: 'int32' })
  const embedded = layers.embedding({ inputDim: 2, outputDim: 3 }).apply(types) as SymbolicTensor
  const sum = layers.add().apply([words, embedded]) as SymbolicTensor
  const hidden = layers.dense({ units: 16, activation: 'sigmoid' })
  const h = hidden.apply(layers.flatten().apply(sum)) as SymbolicTensor
  const output = layers.dense({ units: 3 }).apply(h) as SymbolicTensor
  const model = own(withUniformWeights(graphModel({ inputs: [words, types], outputs: output, name: 'typed' })))
  const x = [own(sample([1, 4, 3])), own(tf.tensor2d([[0, 1, 1, 0]], [1, 4], 'int32'))]
  const shared = plain(await gradientsOf(model, x, [1], { runtime: 'tfjs' }))
  const leak = own(await deepLeakage(model, shared, { runtime: 'tfjs', known: { types: x[1] } }))
  expect({ status: leak.status, labels: leak.labels }).toEqual({ status: 'converged', labels: [1] })
  expect(mse(leak.data.dataSync(), x[0].dataSync())).toBeLessThan(RECOVERED)
  await expect(deepLeakage(model, shared, { runtime: 'tfjs' })).rejects.toMatchObject({
    code: 'invalid-model',
    message: expect.stringMatching(/its input 'types' smoothly.*give it as known/),
  })
})

describe('gradients that were not shared', () => {
  const without = (shared: Record<string, PlainTensor>, pattern: RegExp) =>
    Object.fromEntries(Object.entries(shared).filter(([name]) => !pattern.test(name)))

  it.each(['named', 'allowed'])('may be missing when that is said: %s', async (how) => {
    const { model, shared, x } = await attack(['class'], { iterations: 1, restarts: 1 })
    const names = Object.keys(shared).filter((name) => /conv/.test(name))
    expect(names).toHaveLength(2)
    const leak = own(
      await deepLeakage(model, without(shared, /conv/), {
        runtime: 'tfjs',
        missing: how === 'allowed' ? 'allowed' : names,
        known: { image: x.image },
      }),
    )
    expect(leak.status).toBe('converged')
    expect(mse(leak.data.dataSync(), x.vector.dataSync())).toBeLessThan(RECOVERED)
  })

  it('and a list lacks them in its order', async () => {
    const { model, shared, x } = await attack(['class'], { iterations: 1, restarts: 1 })
    const missing = Object.keys(shared).filter((name) => /conv/.test(name))
    const options = { runtime: 'tfjs', known: { image: x.image }, missing, restarts: 1 } as const
    const map = own(await deepLeakage(model, without(shared, /conv/), options))
    const list = own(await deepLeakage(model, Object.values(without(shared, /conv/)), options))
    expect(list.data.dataSync()).toEqual(map.data.dataSync())
  })
})
