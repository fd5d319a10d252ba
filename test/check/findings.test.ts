import '@tensorflow/tfjs-backend-wasm'
import * as tf from '@tensorflow/tfjs-core'
import { initializers, layers } from '@tensorflow/tfjs-layers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { checkModel, describeCheck, type Example, gradientsOf, inferLabels } from '../../src'
import { convNet, denseNet, sample } from '../attacks/matching/tiny'
import { check, conv, found, head, levels, stack } from './checked'

beforeEach(async () => {
  await tf.setBackend('cpu')
})
afterEach(() => tf.setBackend('cpu'))

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
    expect(found(await check(denseNet(), example), 'closed-form')[0]).toMatchObject({
      message: expect.stringMatching(/no search is needed/),
      attack: 'dense-inversion',
    })
    expect(found(await check(denseNet({ bias: false }), example), 'closed-form')).toEqual([])
    const two = { x: sample([2, 8]), y: [1, 0] }
    expect(found(await check(denseNet(), two), 'closed-form')[0]).toMatchObject({
      message: expect.stringMatching(/samples that alone reach/),
      attack: 'isolated-inputs',
    })
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

  it('a search for what has a slope, where other inputs are whole numbers', async () => {
    const model = {
      inputShape: { ids: [2], features: [3] },
      weights: { table: sample([5, 4], 1), w: sample([7, 3], 2), u: sample([4, 3], 3) },
      apply({ ids, features }: tf.NamedTensorMap, { table, w, u }: tf.NamedTensorMap) {
        const rows = tf.sum(tf.gather(table, tf.cast(ids, 'int32')), 1)
        const h = tf.tanh(tf.concat([rows, features], 1))
        return tf.add(tf.matMul(h as tf.Tensor2D, w as tf.Tensor2D), tf.matMul(rows as tf.Tensor2D, u as tf.Tensor2D))
      },
    }
    const x = { ids: tf.tensor2d([[1, 4]], [1, 2], 'int32'), features: sample([1, 3]) }
    const result = await check(model, { x, y: [1] })
    expect([levels(result, 'no-search'), levels(result, 'second-order'), levels(result, 'first-order')]).toEqual([
      [],
      ['ok'],
      ['ok'],
    ])
    expect(found(result, 'token-set')[0].message).toMatch(/'table' is a trained embedding/)
    // three features and three label logits
    expect(result.unknowns).toBe(6)
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

  it.each([[[0, 1, 2, 3]], [[1, 1, 2, 3]], [[2, 0]], [[3, 3, 3]], [[0, 0, 1, 1, 2, 3]]])(
    'labels %j: what the check promises, the attack does',
    async (labels) => {
      const [model, x] = [denseNet(), sample([labels.length, 8])]
      const shared = await gradientsOf(model, x, labels)
      const attack = await inferLabels(model, shared, { batchSize: labels.length }).catch((error) => error as Error)
      const [finding] = found(await check(model, { x, y: labels }), 'labels')
      if (attack instanceof Error) {
        expect(finding).toMatchObject({ level: 'note', message: expect.stringContaining('searched with the data: ') })
        expect(finding.attack).toBeUndefined()
        expect(attack.message).toContain(finding.message.replace(/^.*?with the data: /, '').slice(0, 60))
      } else {
        expect(finding).toMatchObject({ attack: 'label-inference', message: expect.stringContaining(attack.rule) })
        expect(finding.level === 'warning').toBe(attack.labels.join() !== [...labels].sort().join())
      }
      tf.dispose(shared)
    },
  )

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

it('reads well in a terminal', async () => {
  const pool = layers.averagePooling2d({ poolSize: 2, strides: 2, padding: 'same' })
  const result = await check(stack(conv('sigmoid'), pool, ...head()), { x: sample([1, 7, 7, 1]), y: [1] })
  const lines = describeCheck(result).split('\n')
  expect(lines[0]).toBe(`model '${result.model}'`)
  for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(100)
  const text = lines.map((line) => line.trim()).join(' ')
  for (const { level, message } of result.findings) expect(text.replace(/ +/g, ' ')).toContain(`${level} ${message}`)
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
    ['too few labels', () => [sample([2, 6, 6, 1]), [1]], '1 label for a batch of 2'],
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
