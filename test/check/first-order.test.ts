import '@tensorflow/tfjs-backend-wasm'
import * as tf from '@tensorflow/tfjs-core'
import { model as functional, initializers, input, layers } from '@tensorflow/tfjs-layers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { convNet, functionalNet, sample } from '../attacks/matching/tiny'
import { check, conv, found, head, levels, stack } from './checked'

beforeEach(async () => {
  await tf.setBackend('cpu')
})
afterEach(() => tf.setBackend('cpu'))

describe('a sound model', () => {
  it('has nothing but facts and good news', async () => {
    const result = await check(convNet(), { x: sample([1, 6, 6, 1]), y: [2] })
    expect(result.findings.map(({ level, code }) => [code, level])).toEqual([
      ['trace', 'ok'],
      ['first-order', 'ok'],
      ['second-order', 'ok'],
      ['labels', 'ok'],
      ['smooth', 'ok'],
      ['layer-ranks', 'note'],
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
    expect(secondOrder).toMatchObject({ precision: 'float64', steps: [1e-5, 1e-5, 1e-5], tolerance: 0.01 })
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
