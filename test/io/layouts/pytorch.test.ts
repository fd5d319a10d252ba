import { fileURLToPath } from 'node:url'
import * as tf from '@tensorflow/tfjs-core'
import { layers, type Sequential, sequential } from '@tensorflow/tfjs-layers'
import { describe, expect, it } from 'vitest'
import { type Float32Tensor, fromPyTorch, type LayoutOptions, readTensors, toPyTorch } from '../../../src/io'
import { torchFixture } from '../../fixtures/torch'
import { torchLayer } from './torch-layers'

const recurrent = { units: 2, returnSequences: true, recurrentInitializer: 'glorotNormal' } as const
const lstm = () => layers.lstm({ ...recurrent, recurrentActivation: 'sigmoid' })
const both = (inputShape?: number[]) =>
  layers.bidirectional({ layer: lstm() as never, mergeMode: 'concat', ...(inputShape && { inputShape }) })

type Built = [build: () => Sequential['layers'], options: LayoutOptions]
/** The fixture's layers in tfjs. */
const cases: Record<string, Built> = {
  cnn: [
    () => [
      layers.conv2d({ filters: 3, kernelSize: 2, activation: 'tanh', inputShape: [5, 4, 2] }),
      layers.flatten(),
      layers.dense({ units: 3 }),
    ],
    { flatten: { '3.weight': [3, 4, 3] } },
  ],
  conv1d: [() => [layers.conv1d({ filters: 3, kernelSize: 2, inputShape: [5, 2] })], {}],
  conv3d: [() => [layers.conv3d({ filters: 3, kernelSize: 2, inputShape: [3, 4, 3, 2] })], {}],
  transposed: [() => [layers.conv2dTranspose({ filters: 3, kernelSize: [2, 3], inputShape: [5, 4, 2] })], {}],
  depthwise: [
    () => [layers.depthwiseConv2d({ kernelSize: [2, 3], depthMultiplier: 2, inputShape: [5, 4, 2] } as never)],
    {},
  ],
  separable: [
    () => [layers.separableConv2d({ filters: 3, kernelSize: 2, depthMultiplier: 2, inputShape: [5, 4, 2] })],
    {},
  ],
  norm: [() => [layers.conv2d({ filters: 3, kernelSize: 2, inputShape: [5, 4, 2] }), layers.batchNormalization()], {}],
  square: [() => [layers.dense({ units: 3, activation: 'tanh', inputShape: [3] }), layers.dense({ units: 3 })], {}],
  embedding: [() => [layers.embedding({ inputDim: 3, outputDim: 3, inputLength: 4 }), layers.dense({ units: 3 })], {}],
  lstm: [() => [layers.lstm({ ...recurrent, recurrentActivation: 'sigmoid', inputShape: [4, 3] })], {}],
  stacked: [() => [both([4, 3]), both()], {}],
  rnn: [() => [layers.simpleRNN({ ...recurrent, inputShape: [4, 3] })], {}],
}
/** Recurrent layers have features last in PyTorch too. */
const CHANNELS_FIRST = ['cnn', 'conv1d', 'conv3d', 'transposed', 'depthwise', 'separable', 'norm']

/** Where a tensor is in a state_dict: by its module or cell, and within it in PyTorch's order. */
function place(name: string): number {
  const roles = ['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked']
  const cells = ['weight_ih', 'weight_hh', 'bias_ih', 'bias_hh']
  const [, cell, layer, reverse] = /((?:weight|bias)_(?:ih|hh))_l(\d+)(_reverse)?$/.exec(name) ?? []
  if (cell) return 100 * (2 * Number(layer) + (reverse ? 1 : 0)) + cells.indexOf(cell)
  return 100 * Number.parseInt(name, 10) + roles.indexOf(name.slice(name.indexOf('.') + 1))
}

const close = (actual: ArrayLike<number>, expected: ArrayLike<number>) => {
  expect(actual.length).toBe(expected.length)
  // Both frameworks compute in float32 and add in another order.
  for (let i = 0; i < expected.length; i++) expect(actual[i]).toBeCloseTo(expected[i], 5)
}

describe.each(Object.keys(cases))('fromPyTorch: %s', (name) => {
  const [build, options] = cases[name]
  const torch = torchLayer(name)
  const moveChannels = ({ shape, data }: Float32Tensor) => {
    const tensor = tf.tensor(data, shape as number[])
    if (!CHANNELS_FIRST.includes(name) || shape.length < 3) return tensor
    return tf.transpose(tensor, [0, ...shape.slice(2).map((_, i) => i + 2), 1])
  }

  it('gives a model that computes what PyTorch computes, and PyTorch’s gradients', () => {
    const model = sequential({ layers: build() })
    const before = tf.memory().numTensors
    tf.tidy(() => {
      const { tensors } = fromPyTorch(torch.weights, model, { ...options, values: 'weights' })
      expect([...tensors.keys()]).toEqual(model.weights.map((weight) => weight.name))
      model.setWeights([...tensors.values()].map(({ shape, data }) => tf.tensor(data, shape as number[])))
      const x = moveChannels(torch.x)
      const y = model.apply(x, { training: false }) as tf.Tensor
      close(y.dataSync(), moveChannels(torch.y).dataSync())

      const trained = model.trainableWeights
      const variables = trained.map((weight) => (weight as unknown as { val: tf.Variable }).val)
      const { grads } = tf.variableGrads(
        () => tf.div(tf.sum(tf.square(model.apply(x, { training: false }) as tf.Tensor)), 2) as tf.Scalar,
        variables,
      )
      const shared = fromPyTorch(torch.gradients, { weights: trained }, options).tensors
      trained.forEach((weight, i) => {
        close(shared.get(weight.name)!.data, grads[variables[i].name].dataSync())
      })
    })
    expect(tf.memory().numTensors).toBe(before)
    model.dispose()
  })

  it('takes a list without names in the order of the layers, as Flower gives it', () => {
    const model = sequential({ layers: build() })
    for (const values of ['weights', 'gradients'] as const) {
      const ordered = [...torch[values]].sort(([a], [b]) => place(a) - place(b))
      const listed = new Map(ordered.map(([, tensor], i) => [`arr_${i}`, tensor]))
      const flatten = Object.fromEntries(
        Object.entries(options.flatten ?? {}).map(([key, order]) => [
          `arr_${ordered.findIndex(([other]) => other === key)}`,
          order,
        ]),
      )
      const targets = values === 'weights' ? model : { weights: model.trainableWeights }
      const expected = fromPyTorch(torch[values], targets, { ...options, values })
      expect(fromPyTorch(listed, targets, { flatten, values }).tensors).toEqual(expected.tensors)
    }
    model.dispose()
  })

  it.each(['weights', 'gradients'] as const)('and toPyTorch are inverses for %s', (values) => {
    const model = sequential({ layers: build() })
    const targets = { weights: values === 'weights' ? model.weights : model.trainableWeights }
    const there = fromPyTorch(torch[values], targets, { ...options, values })
    const specs = [...torch[values]].map(([key, { shape }]) => ({ name: key, shape }))
    const back = toPyTorch(there.tensors, specs, { ...options, values })
    expect(back.mapping.map(({ from, to }) => [to, from])).toEqual(there.mapping.map(({ from, to }) => [from, to]))
    const expected = new Map([...torch[values]].filter(([key]) => !key.endsWith('num_batches_tracked')))
    expect([...back.tensors.keys()]).toEqual([...expected.keys()])
    for (const [key, { shape, data }] of back.tensors) {
      expect(shape).toEqual(expected.get(key)!.shape)
      const stored = expected.get(key)!.data
      if (!/bias_(ih|hh)/.test(key)) expect(data).toEqual(stored)
      // PyTorch adds up the two biases' gradients in different orders.
      else if (values === 'gradients') close(data, stored)
      else if (key.includes('bias_hh')) expect(data).toEqual(new Float32Array(stored.length))
      else
        close(
          data,
          stored.map((value, i) => value + expected.get(key.replace('_ih', '_hh'))!.data[i]),
        )
    }
    model.dispose()
  })
})

describe('the paper’s LeNet', () => {
  it('has the gradients that the attack’s own fixture takes from the same file', () => {
    const { gradients, model } = torchFixture('lenet-b1')
    const file = readTensors(fileURLToPath(new URL('../../fixtures/lenet-b1.safetensors', import.meta.url)))
    const shared = new Map([...file].filter(([name]) => name.startsWith('grad.')))
    const { tensors } = fromPyTorch(shared, model, { flatten: { 'grad.fc.weight': [12, 8, 8] } })
    expect([...tensors.keys()]).toEqual(model.weights.map((weight) => weight.name))
    expect([...tensors.values()].map(({ shape, data }) => [shape, [...data]])).toEqual(
      gradients.map(({ shape, data }) => [shape, Array.from(data)]),
    )
    model.dispose()
  })
})
