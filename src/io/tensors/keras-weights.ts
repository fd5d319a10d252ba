import { DlgError } from '../../errors/dlg-error'
import { isRecord, quote } from '../bytes/untrusted'
import type { StoredTensor } from './stored-tensor'

type Json = Record<string, unknown>

/** Models and layers within each other, at most. */
const DEEPEST = 16

/** Whether datasets have the paths of a `.weights.h5` of Keras 3, such as `layers/dense/vars/0`. */
export const isKerasWeights = (tensors: readonly StoredTensor[]): boolean =>
  tensors.some(({ name }) => /^layers\/.*\/vars\/0$/.test(name))

const KERNEL = ['kernel', 'bias']
const DEPTHWISE = ['depthwise_kernel', 'bias']
const SEPARABLE = ['depthwise_kernel', 'pointwise_kernel', 'bias']
const CELL = ['kernel', 'recurrent_kernel', 'bias']

/** Weights of each class of layers in Keras's order, by their names in tfjs. */
const WEIGHTS: Readonly<Record<string, readonly string[]>> = {
  Dense: KERNEL,
  Conv1D: KERNEL,
  Conv2D: KERNEL,
  Conv3D: KERNEL,
  Conv2DTranspose: KERNEL,
  Conv3DTranspose: KERNEL,
  DepthwiseConv2D: DEPTHWISE,
  SeparableConv1D: SEPARABLE,
  SeparableConv2D: SEPARABLE,
  LSTMCell: CELL,
  GRUCell: CELL,
  SimpleRNNCell: CELL,
  ConvLSTM2DCell: CELL,
  BatchNormalization: ['gamma', 'beta', 'moving_mean', 'moving_variance'],
  LayerNormalization: ['gamma', 'beta'],
  Embedding: ['embeddings'],
  PReLU: ['alpha'],
}

/** The option without which a layer lacks a weight. */
const OPTION: Readonly<Record<string, string>> = { bias: 'use_bias', gamma: 'scale', beta: 'center' }

/** Layers that keep their weights in a cell. */
const CELL_OF: Readonly<Record<string, string>> = {
  LSTM: 'LSTMCell',
  GRU: 'GRUCell',
  SimpleRNN: 'SimpleRNNCell',
  ConvLSTM2D: 'ConvLSTM2DCell',
}

/**
 * The weights of a model by tfjs's names, out of the datasets that `model.save_weights` of Keras 3 writes.
 *
 * Their paths have no names of layers, but classes and their order: `layers/dense_1/vars/0` is the first weight of the second
 * `Dense`.
 *
 * @param model `{ class_name, config }` of the model
 * @throws DlgError `invalid-file` for a weight that is missing or left over, and for a layer whose weights are not known by name
 */
export function byLayer(model: Json, datasets: readonly StoredTensor[], name: string): StoredTensor[] {
  const open = new Map(datasets.map((tensor) => [tensor.name, tensor]))
  const weights: StoredTensor[] = []
  const take = (path: string, count: number): StoredTensor[] =>
    Array.from({ length: count }, (_, i) => {
      const at = `${path}vars/${i}`
      const tensor = open.get(at)
      if (!tensor) throw new DlgError('invalid-file', `${name}: has no ${quote(at)}; is it of another model?`)
      open.delete(at)
      return tensor
    })
  const visit = (layer: unknown, path: string, prefix: string, depth: number): void => {
    if (!isRecord(layer) || !isRecord(layer.config) || depth > DEEPEST) return
    const { config } = layer
    const kind = String(layer.class_name)
    const own = `${prefix}${String(config.name ?? layer.name)}`
    const inside = (key: string, member: unknown) => visit(member, `${path}${key}/`, `${own}/`, depth + 1)
    if (Array.isArray(config.layers)) visitAll(config.layers, path, depth)
    else if (kind === 'Bidirectional') {
      inside('forward_layer', renamed(config.layer, 'forward_'))
      inside('backward_layer', renamed(config.layer, 'backward_'))
    } else if (kind === 'TimeDistributed') inside('layer', config.layer)
    else if (kind === 'RNN') inside('cell', config.cell)
    else if (Object.hasOwn(CELL_OF, kind))
      visit({ class_name: CELL_OF[kind], config }, `${path}cell/`, prefix, depth + 1)
    else if (Object.hasOwn(WEIGHTS, kind)) {
      const names = WEIGHTS[kind].filter((weight) => config[OPTION[weight]] !== false)
      for (const [i, tensor] of take(path, names.length).entries())
        weights.push({ ...tensor, name: `${own}/${names[i]}` })
    } else if (open.has(`${path}vars/0`))
      throw new DlgError(
        'invalid-file',
        `${name}: layer ${quote(own)} is a ${quote(kind)}, whose weights are not known by name; save them with their names, np.savez('w.npz', **{w.path: w.numpy() for w in model.weights}), and give that file`,
      )
  }
  const visitAll = (layers: readonly unknown[], path: string, depth: number): void => {
    const used = new Map<string, number>()
    for (const layer of layers) {
      // a function of keras.ops is no layer
      if (!isRecord(layer) || String(layer.module).startsWith('keras.src.ops')) continue
      const key = snakeCase(String(layer.class_name))
      const before = used.get(key)
      used.set(key, before === undefined ? 0 : before + 1)
      visit(layer, `${path}layers/${before === undefined ? key : `${key}_${before + 1}`}/`, '', depth + 1)
    }
  }
  visit(model, '', '', 0)
  const left = [...open.keys()].find((path) => path.startsWith('layers/') && !SEEDS.test(path))
  if (left !== undefined)
    throw new DlgError(
      'invalid-file',
      `${name}: has ${quote(left)}, which no layer of the model takes; is it of another model?`,
    )
  return weights
}

/** States of random generators and of metrics. */
const SEEDS = /(^|\/)(seed_generator|metrics?)(_\d+)?\/vars\//

/** The layer of a Bidirectional by the name that one of its directions has. */
function renamed(layer: unknown, direction: string): unknown {
  if (!isRecord(layer) || !isRecord(layer.config)) return layer
  const { name } = layer.config
  return {
    ...layer,
    config: { ...layer.config, name: `${direction}${String(name).replace(/^(forward|backward)_/, '')}` },
  }
}

/** As Keras writes the name of a class: `Conv2DTranspose` is `conv2d_transpose`. */
const snakeCase = (name: string): string =>
  name
    .replace(/\W+/g, '')
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase()
