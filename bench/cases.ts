import * as tf from '@tensorflow/tfjs-core'
import { convnet } from '../examples/models/convnet'
import { encoder } from '../examples/models/encoder'
import { kerasCnn } from '../examples/models/keras-cnn'
import { lenet } from '../examples/models/lenet'
import { resnet18, resnet20 } from '../examples/models/resnet'
import { vit } from '../examples/models/vit'
import type { Model } from '../src'
import { openModel } from '../src/client/model/open-model'
import type { TensorToWrite } from '../src/io'

/** One thing to measure, as every peer understands it. */
export interface Case {
  readonly name: string
  readonly kind: 'lenet' | 'convnet' | 'keras' | 'resnet18' | 'resnet20' | 'encoder' | 'vit'
  readonly batch: number
  readonly classes: number
  /** Shape of one sample, channels last. */
  readonly inputShape: readonly number[]
  readonly layers: number
  readonly heads: number
}

const image = (name: string, kind: Case['kind'], batch: number, size: number, classes: number): Case => ({
  ...{ name, kind, batch, classes },
  ...{ inputShape: [size, size, 3], layers: 0, heads: 0 },
})

const text = (name: string, layers: number, hidden: number, heads: number, tokens: number): Case => ({
  ...{ name, kind: 'encoder', batch: 1, classes: 2 },
  ...{ inputShape: [tokens, hidden], layers, heads },
})

export const CASES: readonly Case[] = [
  ...[1, 2, 4, 8, 16].map((batch) => image(`lenet-b${batch}`, 'lenet', batch, 32, 100)),
  ...[64, 128].map((size) => image(`lenet-${size}px`, 'lenet', 1, size, 100)),
  ...[1, 8].map((batch) => image(`convnet-b${batch}`, 'convnet', batch, 32, 10)),
  ...[1, 8].map((batch) => image(`keras-b${batch}`, 'keras', batch, 32, 10)),
  image('resnet18', 'resnet18', 1, 32, 10),
  image('resnet20', 'resnet20', 1, 32, 10),
  { ...image('vit', 'vit', 1, 32, 10), layers: 2, heads: 4 },
  text('encoder-2x128', 2, 128, 4, 16),
  text('encoder-6x384', 6, 384, 12, 32),
]

/** Larger cases for a GPU, beside those above. */
export const GPU_CASES: readonly Case[] = [
  image('lenet-b128', 'lenet', 128, 32, 100),
  image('convnet-b64', 'convnet', 64, 32, 10),
  image('resnet18-b32', 'resnet18', 32, 32, 10),
]

/** Cases of a short run. */
export const QUICK = ['lenet-b1', 'lenet-b8', 'convnet-b1', 'encoder-2x128']

/** @throws Error for a name that no case has. */
export function findCase(name: string): Case {
  const all = [...CASES, ...GPU_CASES]
  const found = all.find((c) => c.name === name)
  if (!found) throw new Error(`there is no case '${name}'; there are ${all.map((c) => c.name).join(', ')}`)
  return found
}

/** The model of a case; a tfjs backend must be active. */
export function buildModel({ kind, inputShape, classes, layers, heads }: Case, seed = 1): Model {
  const [first, second] = inputShape
  switch (kind) {
    case 'lenet':
      return lenet({ size: first, classes, seed })
    case 'convnet':
      return convnet({ size: first, classes, seed })
    case 'keras':
      return kerasCnn({ size: first, classes, seed })
    case 'resnet18':
      return resnet18({ size: first, classes, seed })
    case 'resnet20':
      return resnet20({ size: first, classes, seed })
    case 'vit':
      return vit({ size: first, classes, blocks: layers, heads, seed })
    case 'encoder':
      return encoder({ layers, hidden: second, heads, tokens: first, classes, seed })
  }
}

/** What the client trained on, and where the comparison of the objectives takes place. */
export interface Problem {
  readonly x: tf.Tensor
  readonly labels: readonly number[]
  /** A point to evaluate at: data, and label logits [batch, classes]. */
  readonly start: { readonly data: tf.Tensor; readonly labels: tf.Tensor }
}

/** Random data of a case, the same on every run. */
export function problemOf({ batch, inputShape, classes }: Case): Problem {
  const shape = [batch, ...inputShape]
  return {
    x: tf.randomUniform(shape, 0, 1, 'float32', 7),
    labels: Array.from({ length: batch }, (_, i) => (i * 37 + 11) % classes),
    start: {
      data: tf.randomUniform(shape, 0, 1, 'float32', 8),
      labels: tf.randomUniform([batch, classes], -1, 1, 'float32', 9),
    },
  }
}

/** A weight's name without the number that tfjs gives the weights of a second copy of a model. */
const firstName = (name: string): string => name.replace(/(\/[^/]*?)_\d+$/, '$1')

/** Everything a peer needs to compute the same thing, by name. Convolutions are [height, width, in, out], images channels last. */
export async function tensorsOf(model: Model, { x, labels, start }: Problem): Promise<Map<string, TensorToWrite>> {
  const opened = openModel(model)
  const plain = async (t: tf.Tensor): Promise<TensorToWrite> => ({ shape: t.shape, data: await t.data() })
  const entries: (readonly [string, tf.Tensor])[] = [
    ...opened.weights.map((w) => [`${w.trainable ? 'trained' : 'fixed'} ${firstName(w.name)}`, w.tensor()] as const),
    ['x', x],
    ['start data', start.data],
    ['start labels', start.labels],
  ]
  const tensors = new Map(await Promise.all(entries.map(async ([name, t]) => [name, await plain(t)] as const)))
  return tensors.set('labels', { shape: [labels.length], data: [...labels] })
}
