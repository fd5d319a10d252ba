import * as tf from '@tensorflow/tfjs-core'
import { layers, type Sequential, sequential } from '@tensorflow/tfjs-layers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { PlainTensor } from '../../../src'
import type { OpenModel } from '../../../src/client/model/model'
import { openModel } from '../../../src/client/model/open-model'
import { precisionsOf, readGradients } from '../../../src/client/shared/read-gradients'
import { readMovement } from '../../../src/client/shared/shared-update'

let layered: Sequential
let model: OpenModel
/** By name; every number once. */
let weights: Record<string, PlainTensor>

beforeEach(async () => {
  await tf.setBackend('cpu')
  layered = sequential({
    layers: [
      layers.dense({ inputShape: [5], units: 4, trainable: false }),
      layers.batchNormalization(),
      layers.dense({ units: 3 }),
    ],
  })
  model = openModel(layered)
  let next = 0
  weights = Object.fromEntries(
    model.weights.map(({ name, shape }) => [
      name,
      { shape, data: Float32Array.from({ length: tf.util.sizeFromShape([...shape]) }, () => next++) },
    ]),
  )
})
afterEach(() => layered.dispose())

const doubled = (tensor: PlainTensor): PlainTensor => ({
  ...tensor,
  data: Float32Array.from(tensor.data, (v) => 2 * v),
})
const trained = () => model.weights.filter((w) => w.trainable)

describe('a list of all weights', () => {
  it("is in tfjs's order, or layer by layer as Keras's get_weights()", async () => {
    const named = {
      before: weights,
      after: Object.fromEntries(Object.entries(weights).map(([n, t]) => [n, doubled(t)])),
    }
    const read = (shared: Parameters<typeof readMovement>[0]) => readMovement(shared, model, () => [], 1)
    const expected = await read(named)
    const orders = [model.weights.map(({ name }) => name), [...model.layerOrder!]]
    expect(orders[0]).not.toEqual(orders[1])
    // what is not trained comes first here, and the statistics between
    expect(orders[1].map((name) => name.split('/').at(-1))).toEqual([
      'kernel',
      'bias',
      'gamma',
      'beta',
      'moving_mean',
      'moving_variance',
      'kernel',
      'bias',
    ])
    for (const order of orders) {
      const list = order.map((name) => weights[name])
      const found = await read({ before: list, after: list.map(doubled) })
      expect(found.delta).toEqual(expected.delta)
      for (const { name } of trained()) expect(found.before.get(name)).toEqual(expected.before.get(name))
    }
    const wrong = [...model.layerOrder!].reverse().map((name) => weights[name])
    await expect(read({ after: wrong })).rejects.toThrow(/has shape/)
  })
})

describe('gradients out of files', () => {
  const shared = () => Object.fromEntries(trained().map(({ name }) => [name, weights[name]]))

  it('may have masks and counters beside them', async () => {
    const mask: PlainTensor = { shape: [2], data: Float32Array.of(0, 1), dtype: 'bool' }
    const expected = await readGradients(shared(), trained())
    expect(await readGradients({ 'attn.mask': mask, ...shared() }, trained())).toEqual(expected)
    await expect(readGradients({ more: { ...mask, dtype: 'float16' }, ...shared() }, trained())).rejects.toThrow(
      /'more' belongs to no trained weight.*leave it out: readTensors\(path, \{ ignore: 'more' \}\)/,
    )
  })

  it('must be floats themselves', async () => {
    const [{ name }] = trained()
    const whole = { ...shared(), [name]: { ...weights[name], dtype: 'int8' as const } }
    await expect(readGradients(whole, trained())).rejects.toThrow(/was stored as int8; floats are needed/)
    const quantized = { ...weights[name], dtype: 'uint8' as const, quantization: { scale: 1, min: 0 } }
    expect(await readGradients({ ...shared(), [name]: quantized }, trained())).toHaveLength(trained().length)
  })

  it('say how exactly they were shared, in the order of the weights', () => {
    const [gamma, beta, kernel, bias] = trained().map(({ name }) => weights[name])
    const quantization = { scale: 0.01, min: -1 }
    const tensor = tf.tensor(bias.data as Float32Array, [...bias.shape])
    const given = [
      { ...gamma, dtype: 'bfloat16' as const },
      { ...beta, dtype: 'uint8' as const, quantization },
      { ...kernel, data: Float64Array.from(kernel.data) },
      tensor,
    ]
    const expected = [
      { dtype: 'bfloat16' },
      { dtype: 'uint8', quantization },
      { dtype: 'float64' },
      { dtype: 'float32' },
    ]
    expect(precisionsOf(given, trained())).toEqual(expected)
    const named = Object.fromEntries(
      trained()
        .map(({ name }, i) => [name, given[i]])
        .reverse(),
    )
    expect(precisionsOf(named, trained())).toEqual(expected)
    const numbers = given.map(({ shape }) => ({ shape, data: new Array(tf.util.sizeFromShape([...shape])).fill(0) }))
    expect(precisionsOf(numbers, trained())).toEqual([{}, {}, {}, {}])
    tensor.dispose()
  })
})
