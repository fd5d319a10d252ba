import { readFileSync } from 'node:fs'
import * as tf from '@tensorflow/tfjs-core'
import { type LayersModel, layers, sequential } from '@tensorflow/tfjs-layers'
import type { FunctionalModel, Model, PlainTensor } from '../../../src'
import { fromPyTorch, type LayoutOptions, type NamedTensors, parseNpz, type TensorSpec } from '../../../src/io'

const file = parseNpz(readFileSync(new URL('../../fixtures/torch-models.npz', import.meta.url)), {
  maximumBytes: 1 << 20,
})

/** A model that PyTorch trained, in tfjs, with the sample and the gradient of one client. */
export interface TorchModel {
  readonly model: Model
  /** In tfjs's layout. */
  readonly x: tf.Tensor
  readonly label: number
  /** By the names of the model's weights. */
  readonly gradients: Readonly<Record<string, PlainTensor>>
}

const below = (prefix: string): NamedTensors =>
  new Map([...file].filter(([name]) => name.startsWith(prefix)).map(([name, t]) => [name.slice(prefix.length), t]))

/** The gradient as PyTorch names it and lays it out. */
export const torchGradients = (name: 'convnet' | 'transformer' | 'lstm'): NamedTensors => below(`${name}/gradients/`)

const tensorOf = ({ data, shape }: PlainTensor): tf.Tensor => tf.tensor(data as Float32Array, [...shape])

function layersModel(name: string, model: LayersModel, options: LayoutOptions = {}): Omit<TorchModel, 'x'> {
  const { tensors } = fromPyTorch(below(`${name}/weights/`), model, { ...options, values: 'weights' })
  const values = model.weights.map((w) => tensorOf(tensors.get(w.name)!))
  model.setWeights(values)
  tf.dispose(values)
  const gradients = fromPyTorch(below(`${name}/gradients/`), { weights: model.trainableWeights }, options)
  return { model, label: file.get(`${name}/label`)!.data[0], gradients: Object.fromEntries(gradients.tensors) }
}

/** Two sigmoid convolutions and a dense layer on images [9, 9, 1]. */
export function torchConvNet(): TorchModel {
  const model = sequential()
  model.add(layers.conv2d({ inputShape: [9, 9, 1], filters: 6, kernelSize: 3, activation: 'sigmoid' }))
  model.add(layers.conv2d({ filters: 6, kernelSize: 3, strides: 2, activation: 'sigmoid' }))
  model.add(layers.flatten())
  model.add(layers.dense({ units: 4 }))
  const x = tf.tidy(() => tf.transpose(tensorOf(file.get('convnet/x')!), [0, 2, 3, 1]))
  return { ...layersModel('convnet', model, { flatten: { 'fc.weight': [6, 3, 3] } }), x }
}

/** An LSTM over [6, 5] and a dense layer on its last state. */
export function torchLstm(): TorchModel {
  const model = sequential()
  const recurrent = { units: 10, recurrentActivation: 'sigmoid', recurrentInitializer: 'glorotNormal' } as const
  model.add(layers.lstm({ inputShape: [6, 5], ...recurrent }))
  model.add(layers.dense({ units: 3 }))
  return { ...layersModel('lstm', model), x: tensorOf(file.get('lstm/x')!) }
}

const [TOKENS, SIZE, HEADS, HIDDEN] = [6, 12, 2, 24]

const norm = (name: string) => ({ [`${name}/gamma`]: [SIZE], [`${name}/beta`]: [SIZE] })
const dense = (name: string, from = SIZE, to = SIZE) => ({ [`${name}/kernel`]: [from, to], [`${name}/bias`]: [to] })
const block = (i: number) => ({
  ...norm(`${i}/norm1`),
  ...Object.assign({}, ...['query', 'key', 'value', 'out'].map((name) => dense(`${i}/${name}`))),
  ...norm(`${i}/norm2`),
  ...dense(`${i}/fc1`, SIZE, HIDDEN),
  ...dense(`${i}/fc2`, HIDDEN, SIZE),
})

/** In PyTorch's order of names. */
const SHAPES: Readonly<Record<string, number[]>> = {
  'position/embeddings': [TOKENS, SIZE],
  ...block(0),
  ...block(1),
  ...norm('norm'),
  ...dense('head', SIZE, 3),
}

/** Two pre-norm encoder blocks on embeddings [6, 12], and a dense layer on the mean. */
export function torchTransformer(): TorchModel {
  const specs: TensorSpec[] = Object.entries(SHAPES).map(([name, shape]) => ({ name, shape }))
  const { tensors } = fromPyTorch(below('transformer/weights/'), specs, { values: 'weights' })
  const weights = Object.fromEntries([...tensors].map(([name, tensor]) => [name, tensorOf(tensor)]))
  const gradients = fromPyTorch(below('transformer/gradients/'), specs)
  const model: FunctionalModel = { name: 'transformer', inputShape: [TOKENS, SIZE], weights, apply: transformer }
  return {
    model,
    x: tensorOf(file.get('transformer/x')!),
    label: file.get('transformer/label')!.data[0],
    gradients: Object.fromEntries(gradients.tensors),
  }
}

function transformer(x: tf.Tensor, w: tf.NamedTensorMap): tf.Tensor {
  const linear = (h: tf.Tensor, name: string) => {
    const [from, to] = w[`${name}/kernel`].shape
    const flat = tf.matMul(tf.reshape(h, [-1, from]) as tf.Tensor2D, w[`${name}/kernel`] as tf.Tensor2D)
    return tf.reshape(tf.add(flat, w[`${name}/bias`]), [...h.shape.slice(0, -1), to])
  }
  const normalized = (h: tf.Tensor, name: string) => {
    const { mean, variance } = tf.moments(h, -1, true)
    const unit = tf.div(tf.sub(h, mean), tf.sqrt(tf.add(variance, 1e-5)))
    return tf.add(tf.mul(unit, w[`${name}/gamma`]), w[`${name}/beta`])
  }
  const gelu = (h: tf.Tensor) => tf.mul(tf.mul(0.5, h), tf.add(1, tf.erf(tf.div(h, Math.SQRT2))))
  const [batch] = x.shape
  const split = (h: tf.Tensor) => tf.transpose(tf.reshape(h, [batch, TOKENS, HEADS, SIZE / HEADS]), [0, 2, 1, 3])
  let h = tf.add(x, w['position/embeddings'])
  for (const i of [0, 1]) {
    const inner = normalized(h, `${i}/norm1`)
    const [q, k, v] = ['query', 'key', 'value'].map((name) => split(linear(inner, `${i}/${name}`)))
    const scores = tf.softmax(tf.div(tf.matMul(q, k, false, true), Math.sqrt(SIZE / HEADS)))
    const mixed = tf.reshape(tf.transpose(tf.matMul(scores, v), [0, 2, 1, 3]), [batch, TOKENS, SIZE])
    h = tf.add(h, linear(mixed, `${i}/out`))
    h = tf.add(h, linear(gelu(linear(normalized(h, `${i}/norm2`), `${i}/fc1`)), `${i}/fc2`))
  }
  return linear(tf.mean(normalized(h, 'norm'), 1), 'head')
}
