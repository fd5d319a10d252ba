import { DlgError } from '../../errors/dlg-error'
import { isRecord, quote } from '../bytes/untrusted'
import { inTfjs, requireMirrored, requireNoMask } from './keras3-options'

/** Models within models, at most. */
const DEEPEST = 16

type Json = Record<string, unknown>

/** The class of each layer by its name. */
export type Layers = ReadonlyMap<string, unknown>

/**
 * Whether Keras 3 wrote this topology: by its version, or by fields that Keras 2 does not have.
 *
 * @param topology `modelTopology` of a `model.json`
 */
export function isKeras3(topology: Json): boolean {
  if (typeof topology.keras_version === 'string') return /^[3-9]\./.test(topology.keras_version)
  const { config } = isRecord(topology.model_config) ? topology.model_config : topology
  const layers = isRecord(config) && Array.isArray(config.layers) ? config.layers : []
  return layers.some(
    (layer) =>
      isRecord(layer) &&
      isRecord(layer.config) &&
      ('batch_shape' in layer.config || isRecord(layer.config.dtype) || layer.module === 'keras.layers'),
  )
}

/**
 * A model of Keras 3 in the words of Keras 2, which are the ones that tfjs builds models from: the shape of a batch has another name,
 * dtypes and activations are objects, and calls name tensors instead of layers.
 *
 * @param topology `modelTopology` of a `model.json`
 * @returns the topology, and the class of each layer by its name
 * @throws DlgError `invalid-file` for what has no counterpart: other dtypes than float32, calls with other arguments than tensors
 */
export function inKeras2(topology: Json, name: string): { readonly topology: Json; readonly layers: Layers } {
  const layers = new Map<string, unknown>()
  const model = isRecord(topology.model_config) ? topology.model_config : topology
  requireNoMask(model, name)
  return { topology: { ...topology, model_config: layerOf(model, name, layers, 0) }, layers }
}

/**
 * The name of a weight as tfjs has it. Keras 3 puts the models that a layer is in before the layer's own name.
 *
 * @returns undefined for the state of a random generator, which a dropout layer has in Keras 3
 */
export function weightName(name: string, layers: Layers): string | undefined {
  const parts = name.split('/')
  if (parts[parts.length - 1] === 'seed_generator_state') return undefined
  // the innermost model comes last before the layer: sequential/inner/dense/kernel
  const at = parts.slice(0, -1).findIndex((part) => layers.has(part))
  if (at < 0) return name
  const [layer, ...rest] = parts.slice(at)
  const depthwise = layers.get(layer) === 'DepthwiseConv2D' && rest.length === 1 && rest[0] === 'kernel'
  return [layer, ...(depthwise ? ['depthwise_kernel'] : rest)].join('/')
}

function layerOf(
  layer: unknown,
  name: string,
  layers: Map<string, unknown>,
  depth: number,
  models: ReadonlySet<unknown> = new Set(),
): Json {
  if (!isRecord(layer) || !isRecord(layer.config)) throw invalid(name, 'a layer is no object with a config')
  if (depth > DEEPEST) throw invalid(name, `models are nested deeper than ${DEEPEST}`)
  const { class_name, config, inbound_nodes } = layer
  const own = typeof config.name === 'string' ? config.name : layer.name
  const inner = Array.isArray(config.layers)
  // a model is no layer that holds weights itself
  if (typeof own === 'string' && !inner) layers.set(own, class_name)
  const said = `layer ${quote(own)}`
  return {
    ...inTfjs(
      renamedGru(class_name, config),
      configOf(config, `${name}: ${said}`, name, layers, depth),
      `${name}: ${said}`,
    ),
    ...(own !== undefined && { name: own }),
    ...(Array.isArray(inbound_nodes) && {
      inbound_nodes: inbound_nodes.map((call) => callOf(call, models, `${name}: ${said}`)),
    }),
  }
}

function configOf(config: Json, said: string, name: string, layers: Map<string, unknown>, depth: number): Json {
  const out: Json = {}
  const models = modelsIn(config.layers)
  requireMirrored(config, said)
  for (const [key, value] of Object.entries(config)) {
    if (key === 'batch_shape') out.batch_input_shape = value
    else if (key === 'dtype') out.dtype = dtypeOf(value, said)
    else if (key === 'layers' && Array.isArray(value))
      out.layers = value.map((layer) => layerOf(layer, name, layers, depth + 1, models))
    else if (key === 'layer' || key === 'cell')
      out[key] = isRecord(value) ? wrapped(value, said, name, layers, depth) : value
    else if (key === 'cells' && Array.isArray(value))
      out.cells = value.map((cell) => (isRecord(cell) ? wrapped(cell, said, name, layers, depth) : cell))
    else if (key === 'input_layers' || key === 'output_layers') out[key] = endsOf(value, models)
    // every weight comes from the file
    else if (key.endsWith('_initializer')) out[key] = { class_name: 'Zeros', config: {} }
    else if (key !== 'backward_layer') out[key] = plain(value)
  }
  return out
}

/** A layer within a layer, such as the cell of an RNN. Bidirectional puts `forward_` before the name of its layer by itself. */
function wrapped(
  { class_name, config }: Json,
  said: string,
  name: string,
  layers: Map<string, unknown>,
  depth: number,
): Json {
  if (!isRecord(config)) return { class_name, config }
  if (depth > DEEPEST) throw invalid(name, `layers are nested deeper than ${DEEPEST}`)
  const inner = configOf(config, said, name, layers, depth + 1)
  const own = inner.name
  const named = { ...inner, ...(typeof own === 'string' && { name: own.replace(/^forward_/, '') }) }
  return { ...inTfjs(renamedGru(class_name, config), named, said) }
}

/** A GRU with `reset_after` by the name under which `registerKerasLayers` registers it, because tfjs's own refuses it. */
function renamedGru(class_name: unknown, config: Json): unknown {
  const resets = config.reset_after === true && (class_name === 'GRU' || class_name === 'GRUCell')
  return resets ? `ResetAfter${class_name}` : class_name
}

/** A name, of a dtype or of the policy for one. */
function dtypeOf(dtype: unknown, said: string): unknown {
  const word = isRecord(dtype) && isRecord(dtype.config) ? dtype.config.name : dtype
  if (word === null || word === undefined || word === 'float32' || word === 'int32' || word === 'bool') return word
  throw new DlgError('invalid-file', `${said} computes in ${quote(word)}; it must be float32`)
}

/** An activation or initializer as Keras 2 writes it: a function by its name, an object without its module. */
function plain(value: unknown): unknown {
  if (!isRecord(value) || typeof value.class_name !== 'string') return value
  if (value.class_name === 'function' && typeof value.config === 'string') return value.config
  const { class_name, config } = value
  return { class_name, config }
}

/** `['dense', 0, 0]`, or a list or map of such, as a list of such. */
function endsOf(ends: unknown, models: ReadonlySet<unknown>): unknown {
  const list = isRecord(ends) ? Object.values(ends) : ends
  if (!Array.isArray(list)) return ends
  return typeof list[0] === 'string' ? [shifted(list, models)] : list.map((end) => shifted(end, models))
}

/** Names of the models among layers. */
const modelsIn = (layers: unknown): ReadonlySet<unknown> =>
  new Set(
    (Array.isArray(layers) ? layers : []).flatMap((layer) =>
      isRecord(layer) && isRecord(layer.config) && Array.isArray(layer.config.layers)
        ? [layer.name ?? layer.config.name]
        : [],
    ),
  )

/** `[layer, node, tensor]`. The first node of a model is its own in Keras 2; in Keras 3 it is the first call of it. */
function shifted(from: unknown, models: ReadonlySet<unknown>): unknown {
  if (!Array.isArray(from)) return from
  const [layer, node, ...rest] = from
  return models.has(layer) && typeof node === 'number' ? [layer, node + 1, ...rest] : from
}

/** `{ args: [tensors], kwargs }` → `[[layer, node, tensor, kwargs], …]` */
function callOf(call: unknown, models: ReadonlySet<unknown>, said: string): unknown {
  if (!isRecord(call)) return call
  const tensors: unknown[] = []
  const kwargs = Object.fromEntries(
    Object.entries(isRecord(call.kwargs) ? call.kwargs : {}).filter(([, value]) => value !== null && value !== false),
  )
  const strange = Object.entries(kwargs).find(([, value]) => typeof value === 'object')
  if (strange)
    throw new DlgError(
      'invalid-file',
      `${said} is called with ${quote(strange[0])}; only tensors without names are read`,
    )
  const take = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(take)
    else if (isRecord(value) && value.class_name === '__keras_tensor__' && isRecord(value.config)) {
      const from = value.config.keras_history
      if (!Array.isArray(from)) throw new DlgError('invalid-file', `${said} is called with a tensor of no layer`)
      tensors.push([...(shifted(from, models) as unknown[]), kwargs])
    } else
      throw new DlgError('invalid-file', `${said} is called with ${quote(value)}; it must be tensors of other layers`)
  }
  take(call.args)
  return tensors
}

const invalid = (name: string, message: string): DlgError => new DlgError('invalid-file', `${name}: ${message}`)
