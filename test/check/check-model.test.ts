import '@tensorflow/tfjs-backend-wasm'
import * as tf from '@tensorflow/tfjs-core'
import { model as functional, initializers, input, type LayersModel, layers, sequential } from '@tensorflow/tfjs-layers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { checkModel, type Example, type FindingCode, type ModelCheck, type Runtime, reference } from '../../src'
import { convNet, denseNet, functionalNet, sample } from '../leakage/tiny'

type Layer = LayersModel['layers'][number]

const stack = (...parts: Layer[]): LayersModel => {
  const model = sequential()
  for (const part of parts) model.add(part)
  return model
}
const head = () => [layers.flatten(), layers.dense({ units: 4 })]
const conv = (activation?: 'sigmoid' | 'relu') =>
  layers.conv2d({
    inputShape: [7, 7, 1],
    filters: 3,
    kernelSize: 3,
    activation,
    kernelInitializer: initializers.randomUniform({ minval: -0.5, maxval: 0.5, seed: 4 }),
  })

const found = ({ findings }: ModelCheck, code: FindingCode) => findings.filter((f) => f.code === code)
const levels = (check: ModelCheck, code: FindingCode) => found(check, code).map(({ level }) => level)

beforeEach(async () => {
  await tf.setBackend('cpu')
})
afterEach(() => tf.setBackend('cpu'))

/** A check, that leaves no tensor and no other backend behind, and is plain data. */
async function check(model: Parameters<typeof checkModel>[0], example: Example, options = {}): Promise<ModelCheck> {
  const [before, backend] = [tf.memory().numTensors, tf.getBackend()]
  const result = await checkModel(model, example, { runtime: reference(), ...options })
  expect([tf.memory().numTensors, tf.getBackend()]).toEqual([before, backend])
  expect(JSON.parse(JSON.stringify(result))).toEqual(result)
  return result
}

describe('a sound model', () => {
  it('has nothing but facts and good news', async () => {
    const result = await check(convNet(), { x: sample([1, 6, 6, 1]), y: [2] })
    expect(result.findings.map(({ level, code }) => [code, level])).toEqual([
      ['trace', 'ok'],
      ['first-order', 'ok'],
      ['second-order', 'ok'],
      ['labels', 'ok'],
      ['smooth', 'ok'],
      ['unknowns', 'ok'],
    ])
    const { parameters, unknowns, graph, time } = result
    // 3·3·1·4 + 4 of the convolution, 4·4·4·4 + 4 of the dense layer; 36 pixels and 4 label logits
    expect([parameters.count, parameters.trained, unknowns]).toEqual([300, 300, 40])
    expect(parameters.weights.map(({ shape }) => shape)).toEqual([[3, 3, 1, 4], [4], [64, 4], [4]])
    for (const { gradientNorm, difference } of parameters.weights) {
      expect(gradientNorm).toBeGreaterThan(1e-3)
      expect(difference).toBeLessThan(1e-5)
    }
    expect(graph!.objective).toBeGreaterThan(graph!.gradient)
    expect(time!.attack).toBeCloseTo(2000 * time!.evaluation, 6)
    expect(time!.runtime).toBe('reference')
  })

  it('is checked against central differences in float64 to seven digits', async () => {
    const { secondOrder } = await check(convNet(), { x: sample([1, 6, 6, 1]), y: [2] })
    expect(secondOrder).toMatchObject({ precision: 'float64', step: 1e-5, tolerance: 0.01 })
    for (const error of secondOrder!.errors) expect(error).toBeLessThan(1e-6)
  })

  it.each(['softmax', 'logits'] as const)(
    'with %s at its end agrees with tfjs for soft targets in a batch',
    async (end) => {
      const y = tf.softmax(sample([3, 4], 5))
      const result = await check(convNet(end), { x: sample([3, 6, 6, 1]), y })
      expect(levels(result, 'first-order')).toEqual(['ok'])
    },
  )

  it('agrees with tfjs for a sigmoid at its end, a sum and several inputs', async () => {
    const ins = [input({ shape: [5] }), input({ shape: [3] })]
    const joined = layers.dense({ units: 6, activation: 'tanh' }).apply(layers.concatenate().apply(ins))
    const model = functional({
      inputs: ins,
      outputs: layers.dense({ units: 2, activation: 'sigmoid' }).apply(joined) as never,
    })
    const example = { x: [sample([2, 5]), sample([2, 3])], y: sample([2, 2], 7) }
    const result = await check(model, example, { criterion: 'binaryCrossEntropy', reduction: 'sum' })
    expect(levels(result, 'first-order')).toEqual(['ok'])
    expect(found(result, 'labels')[0].message).toMatch(/searched with the data: only classes of a cross-entropy/)
    expect(result.unknowns).toBe(2 * (5 + 3) + 2 * 2)
    expect(levels(result, 'closed-form')).toEqual([])
  })

  it('may be a function, and its tensors stay', async () => {
    const model = functionalNet()
    const result = await check(model, { x: sample([1, 8]), y: [1] })
    expect(levels(result, 'first-order')).toEqual(['ok'])
    expect(Object.values(model.weights).every((w) => !w.isDisposed)).toBe(true)
  })
})

describe("tfjs's own gradient", () => {
  it("is wrong for average pooling with 'same' padding, and right with 'valid'", async () => {
    const pool = (padding: 'same' | 'valid') => layers.averagePooling2d({ poolSize: 2, strides: 2, padding })
    const example = { x: sample([1, 7, 7, 1]), y: [1] }
    const wrong = await check(stack(conv('sigmoid'), pool('same'), ...head()), example)
    const [finding] = found(wrong, 'first-order')
    expect(finding.level).toBe('error')
    expect(finding.message).toMatch(/wrong for '[^']*\/kernel' .*average pooling with 'same' padding/)
    // what lies behind the pooling is right
    expect(wrong.parameters.weights.map(({ difference }) => difference! > 0.01)).toEqual([true, true, false, false])
    const right = await check(stack(conv('sigmoid'), pool('valid'), ...head()), example)
    expect(levels(right, 'first-order')).toEqual(['ok'])
  })

  it('is wrong for mirror padding', async () => {
    const weights = { k: sample([9, 9], 3), d: sample([121, 4], 4) }
    const result = await check(
      {
        inputShape: [9, 1] as const,
        weights,
        apply: (x: tf.Tensor, { k, d }: tf.NamedTensorMap) => {
          const h = tf.reshape(
            tf.sigmoid(tf.matMul(k as tf.Tensor2D, tf.matMul(tf.reshape(x, [9, 1]), tf.ones([1, 9])) as tf.Tensor2D)),
            [1, 9, 9, 1],
          )
          const mirrored = tf.mirrorPad(
            h,
            [
              [0, 0],
              [1, 1],
              [1, 1],
              [0, 0],
            ],
            'reflect',
          )
          return tf.matMul(tf.reshape(mirrored, [1, 121]), d as tf.Tensor2D)
        },
      },
      { x: sample([1, 9, 1]), y: [1] },
    )
    expect(found(result, 'first-order')[0]).toMatchObject({
      level: 'error',
      message: expect.stringContaining('mirror padding'),
    })
  })

  it('is wrong for strided convolutions over three axes on wasm alone', async () => {
    const model = () =>
      stack(
        layers.conv3d({
          inputShape: [4, 5, 5, 2],
          filters: 3,
          kernelSize: 2,
          strides: 2,
          padding: 'same',
          activation: 'sigmoid',
        }),
        ...head(),
      )
    const example = { x: sample([1, 4, 5, 5, 2]), y: [1] }
    expect(levels(await check(model(), example), 'first-order')).toEqual(['ok'])
    await tf.setBackend('wasm')
    const [finding] = found(await check(model(), { x: sample([1, 4, 5, 5, 2]), y: [1] }), 'first-order')
    expect(finding).toMatchObject({
      level: 'error',
      message: expect.stringContaining('convolution over three axes on wasm'),
    })
  })

  it('may not exist, which is no error, and frees what tfjs leaves behind', async () => {
    await tf.setBackend('wasm')
    const result = await check(convNet(), { x: sample([1, 6, 6, 1]), y: [2] })
    expect(levels(result, 'first-order')).toEqual([])
    expect(found(result, 'tfjs-cannot-differentiate')[0]).toMatchObject({
      level: 'note',
      message: expect.stringContaining('Conv2DBackpropFilter'),
    })
    expect(result.parameters.weights[0]).not.toHaveProperty('difference')
  })

  it('is not compared where layers are random or the output has reached its bounds', async () => {
    const random = stack(
      layers.dense({ inputShape: [6], units: 5 }),
      layers.dropout({ rate: 0.5, seed: 1 }),
      layers.dense({ units: 3 }),
    )
    const example = { x: sample([1, 6]), y: [1] }
    expect(found(await check(random, example, { training: true }), 'not-compared')[0].message).toMatch(
      /dropout or noise/,
    )
    expect(found(await check(random, example), 'not-compared')).toEqual([])
    const certain = stack(
      layers.dense({
        inputShape: [6],
        units: 3,
        activation: 'softmax',
        biasInitializer: initializers.constant({ value: 0 }),
      }),
    )
    const [kernel, bias] = certain.getWeights()
    certain.setWeights([tf.zerosLike(kernel), tf.tensor1d([60, 0, 0])])
    expect(bias.shape).toEqual([3])
    expect(found(await check(certain, example), 'not-compared')[0].message).toMatch(/has reached 0 or 1/)
  })
})

describe('a wrong derivative', () => {
  /** Computes right values, and wrong derivatives with respect to the data. */
  const faulty = (factor: number): Runtime => ({
    name: 'faulty',
    precision: 'float64',
    async compile(program) {
      const executable = await reference().compile(program)
      return {
        ...executable,
        async bind(parameters) {
          const evaluator = await executable.bind(parameters)
          const run: typeof evaluator.run = async (inputs) =>
            (await evaluator.run(inputs)).map((v, i) =>
              program.inputs[0].attributes.name === 'data' && i === 2 && v.length === 36 ? v.map((d) => d * factor) : v,
            )
          return { ...evaluator, run }
        },
      }
    },
  })

  it.each([
    [1, 'ok'],
    [1.1, 'error'],
    [-1, 'error'],
    [0, 'error'],
  ])('times %s is %s', async (factor, level) => {
    const example = { x: sample([1, 6, 6, 1]), y: [2] }
    const result = await check(convNet(), example, { runtime: faulty(factor) })
    expect(levels(result, 'second-order')).toEqual([level])
  })
})

describe('layers that do not learn', () => {
  const dense = (activation: 'relu' | 'sigmoid' | 'tanh', value: number) =>
    stack(
      layers.dense({ inputShape: [6], units: 8, activation, biasInitializer: initializers.constant({ value }) }),
      layers.dense({ units: 3 }),
    )
  const example = () => ({ x: sample([2, 6]), y: [1, 0] })

  it.each([
    ['relu', -50, 'dead', /100 % of 8 units of the relu after '[^']*\/bias' are 0/],
    ['sigmoid', 20, 'saturated', /100 % of 8 units of the sigmoid after '[^']*\/bias' are within 0.001/],
    ['tanh', -20, 'saturated', /100 % of 8 units of the tanh after/],
  ] as const)('%s with a bias of %s is %s', async (activation, bias, code, message) => {
    const result = await check(dense(activation, bias), example())
    expect(found(result, code)).toEqual([{ level: 'warning', code, message: expect.stringMatching(message) }])
    expect(found(result, 'zero-gradient')[0].message).toMatch(/the gradient of '[^']*\/kernel'/)
  })

  it.each(['relu', 'sigmoid', 'tanh'] as const)('%s around 0 is neither', async (activation) => {
    const result = await check(dense(activation, 0), example())
    for (const code of ['dead', 'saturated', 'zero-gradient'] as const) expect(found(result, code)).toEqual([])
    expect(levels(result, 'smooth')).toEqual([activation === 'relu' ? 'warning' : 'ok'])
  })
})

describe('which attacks apply', () => {
  it('closed form where the first layer is dense with a bias', async () => {
    const example = { x: sample([1, 8]), y: [1] }
    expect(found(await check(denseNet(), example), 'closed-form')[0].message).toMatch(/no search is needed/)
    expect(found(await check(denseNet({ bias: false }), example), 'closed-form')).toEqual([])
    const two = { x: sample([2, 8]), y: [1, 0] }
    expect(found(await check(denseNet(), two), 'closed-form')[0].message).toMatch(/samples that alone reach/)
  })

  it('token sets where there is an embedding, whose ids no search moves', async () => {
    const lstm = layers.lstm({ units: 6, recurrentActivation: 'sigmoid', recurrentInitializer: 'glorotNormal' })
    const model = stack(
      layers.embedding({ inputDim: 10, outputDim: 4, inputLength: 5 }),
      lstm as never,
      layers.dense({ units: 3 }),
    )
    const result = await check(model, { x: tf.tensor2d([[1, 2, 3, 4, 5]]), y: [1] })
    expect(found(result, 'token-set')[0].message).toMatch(/\/embeddings' is a trained embedding/)
    expect(found(result, 'no-search')[0].message).toMatch(/does not depend on its input smoothly/)
    expect(found(result, 'smooth')).toMatchObject([
      { level: 'ok', message: expect.stringContaining('the rows of the embedding') },
    ])
    expect([result.time, result.secondOrder]).toEqual([undefined, undefined])
  })

  it('labels where the last layer is dense', async () => {
    const first = { x: sample([1, 8]), y: [1] }
    const two = { x: sample([2, 8]), y: [1, 0] }
    expect(levels(await check(denseNet(), first), 'labels')).toEqual(['ok'])
    expect(levels(await check(denseNet({ bias: false }), first), 'labels')).toEqual(['ok'])
    expect(levels(await check(denseNet({ bias: false }), two), 'labels')).toEqual(['note'])
    expect(
      levels(await check(denseNet(), { ...first, y: sample([1, 4]) }, { criterion: 'meanSquaredError' }), 'labels'),
    ).toEqual(['note'])
  })

  it('warns of batch statistics, and leaves the moving ones alone', async () => {
    const model = stack(
      conv(),
      layers.batchNormalization() as never,
      layers.activation({ activation: 'sigmoid' }) as never,
      ...head(),
    )
    const moving = () => model.weights.slice(-2).map((w) => [...w.read().dataSync()])
    const before = moving()
    const example = { x: sample([3, 7, 7, 1]), y: [1, 0, 2] }
    const coupled = await check(model, example, { training: true })
    expect(moving()).toEqual(before)
    expect(levels(coupled, 'batch-coupling')).toEqual(['warning'])
    expect(levels(coupled, 'first-order')).toEqual(['ok'])
    // behind the mean that is taken off, a bias has no gradient
    expect(found(coupled, 'zero-gradient')[0].message).toMatch(/the gradient of '[^']*\/bias' is zero/)
    expect(levels(await check(model, example), 'batch-coupling')).toEqual([])
    expect(coupled.parameters.count - coupled.parameters.trained).toBe(6)
  })

  it('compares unknowns with the numbers of the gradient', async () => {
    const model = stack(
      layers.dense({ inputShape: [20], units: 1, useBias: false, activation: 'tanh' }),
      layers.dense({ units: 3 }),
    )
    const few = await check(model, { x: sample([2, 20]), y: [1, 0] })
    // 20 + 3 + 3 numbers for 2 · (20 + 3) unknowns
    expect(found(few, 'unknowns')).toEqual([
      { level: 'warning', code: 'unknowns', message: expect.stringMatching(/26 numbers for 46 unknowns/) },
    ])
  })
})

describe('what cannot be checked', () => {
  const untraceable = () => ({
    inputShape: [5],
    weights: { a: tf.ones([5, 3]) },
    apply(x: tf.Tensor, { a }: tf.NamedTensorMap) {
      if (x.dataSync()[0] > 0.5) return tf.matMul(x as tf.Tensor2D, a as tf.Tensor2D)
      return tf.matMul(tf.neg(x) as tf.Tensor2D, a as tf.Tensor2D)
    },
  })

  it('a model that is not traced is an error by name, and nothing is thrown', async () => {
    const result = await check(untraceable(), { x: sample([2, 5]), y: [1, 0] })
    expect(result.findings).toEqual([
      { level: 'error', code: 'trace', message: expect.stringMatching(/^cannot trace a read of values.*[^,]$/) },
    ])
    expect(result).toMatchObject({ batchSize: 2, parameters: { count: 15, trained: 15 }, unknowns: 10 })
  })

  it('a gradient of zero leaves nothing to search', async () => {
    const zero = {
      inputShape: [4],
      weights: { a: tf.zeros([4, 3]) },
      apply: (x: tf.Tensor, { a }: tf.NamedTensorMap) => tf.matMul(x as tf.Tensor2D, tf.square(a) as tf.Tensor2D),
    }
    const result = await check(zero, { x: sample([1, 4]), y: [1] })
    expect(found(result, 'no-search')[0].message).toMatch(/every shared gradient is zero/)
  })

  it.each<[string, () => [unknown, unknown, object?], string]>([
    ['data of another shape', () => [sample([1, 5, 5, 1]), [1]], 'data has shape [1,5,5,1]'],
    ['no data', () => [undefined, [1]], 'data must be a tf.Tensor'],
    ['too few labels', () => [sample([2, 6, 6, 1]), [1]], '1 labels for a batch of 2'],
    ['a class that is none', () => [sample([1, 6, 6, 1]), [4]], 'label 4 is not a class index'],
    ['an unknown option', () => [sample([1, 6, 6, 1]), [1], { directions: 3 }], "there is no 'directions' in options"],
    ['a seed that is none', () => [sample([1, 6, 6, 1]), [1], { seed: 0.5 }], 'seed is 0.5; it must be a whole number'],
  ])('%s is thrown', async (_, given, message) => {
    const [x, y, options] = given()
    await expect(checkModel(convNet(), { x, y } as Example, options)).rejects.toThrow(message)
  })

  it('an example that is none is thrown', async () => {
    await expect(checkModel(convNet(), undefined as unknown as Example)).rejects.toThrow('data must be a tf.Tensor')
  })
})
