import { knownNames, requireObject, show } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { coarser, isWhole, storedAs } from '../../numbers/stored-dtype'
import { type Ignore, ignores } from '../bytes/limits'
import { isRecord } from '../bytes/untrusted'
import type { NamedTensors } from '../tensors/stored-tensor'
import { checkTensor, requireTensorMap, type TensorToWrite } from '../tensors/tensor-to-write'
import { type ConventionDifference, conventionDifferences } from './conventions'
import { type FlattenOrder, orderFlattened } from './flatten-order'
import { type TensorSpec, tfjsLayers, torchLayers } from './layer-groups'
import type { Link } from './layer-links'
import { type LayerOrder, layerOrderOf } from './layer-order'
import { linkToTfjs, linkToTorch } from './link-values'
import { isList, pairInOrder } from './list-layers'
import { matchLayers } from './match-layers'

export type { ConventionDifference }

/** How tensors of PyTorch are paired with weights of tfjs, where their names and shapes do not say it. */
export interface LayoutOptions {
  /**
   * PyTorch's layers to tfjs's, such as `{ 'features.0': 'conv2d_Conv2D1' }`: names without `.weight` and `/kernel`. A
   * recurrent module's cells are `lstm.l0`, `lstm.l0_reverse`. What is left out is paired by equal names, then by kind, shape and
   * order.
   */
  readonly map?: Readonly<Record<string, string>>
  /** What PyTorch flattens before a layer, as `{ 'fc.weight': [channels, height, width] }`. */
  readonly flatten?: FlattenOrder
  /**
   * What the tensors are. It matters to the two biases of an LSTM or RNN in PyTorch, of which tfjs has the sum: weights
   * add, while gradients, and updates made of them, are equal. Default `gradients`.
   */
  readonly values?: 'gradients' | 'weights'
  /**
   * PyTorch's tensors that are left out, by name, such as masks and other buffers. Left out without being named: tensors of
   * booleans and whole numbers, and `num_batches_tracked`, `position_ids`, `total_ops` and `total_params`.
   */
  readonly ignore?: Ignore
}

/** How one tensor was moved between the layouts. */
export interface LayoutDecision {
  readonly from: readonly string[]
  readonly to: readonly string[]
  /** How its values were moved, from PyTorch's axes to tfjs's. */
  readonly layout: string
}

/** Tensors in the layout of the other framework, and how they got there. */
export interface ConvertedTensors {
  /** By the targets' names, in the targets' order. */
  readonly tensors: NamedTensors
  /** Every decision that was made, in tfjs's order. */
  readonly mapping: readonly LayoutDecision[]
  /** The names of PyTorch's tensors that were left out. */
  readonly ignored: readonly string[]
  /**
   * Layers of the model whose shapes are PyTorch's and whose values may not be, such as a stride with `same` padding. Known where the
   * targets have `layers`.
   */
  readonly differences: readonly ConventionDifference[]
}

/**
 * A tf.LayersModel, or its weights' names and shapes in order. For gradients: `{ weights: model.trainableWeights, layers: model.layers }`,
 * where `layers` tells which of them lie in parallel branches.
 */
export type TensorTargets =
  | { readonly weights: readonly TensorSpec[]; readonly layers?: readonly object[] }
  | readonly TensorSpec[]

/**
 * PyTorch's tensors as those of a tfjs model.
 *
 * Layers of equal names are paired first. The others are paired by kind and shape, and those of one kind and shape in order.
 * Layers that are alike in parallel branches have no order that both frameworks share, and are refused. Names tell what a tensor is,
 * never its shape alone. Convolutions (plain, transposed, grouped, depthwise, of 1 to 3 axes), dense and embedding layers, batch and
 * layer norms, RNN and LSTM convert exactly. GRU does where the target has `reset_after`'s bias `[2, 3·units]`, which tfjs
 * itself lacks.
 *
 * Tensors without names (`arr_0` or `0`, as Flower and `np.savez(f, *list)` leave them) are taken in the order of the model's
 * layers, each with its parameters in PyTorch's order: weight, bias, running_mean, running_var, num_batches_tracked.
 *
 * @param tensors by name, as in `state_dict` or `named_parameters`.
 * @param targets the tfjs model; for gradients its trained weights alone: `{ weights: model.trainableWeights, layers: model.layers }`.
 * @throws DlgError `invalid-gradients` when layers cannot be paired, or could be in several ways, or two biases' gradients
 * differ; `invalid-option` for a wrong `map` or `flatten`; `invalid-data` for a malformed tensor.
 */
export function fromPyTorch(
  tensors: ReadonlyMap<string, TensorToWrite>,
  targets: TensorTargets,
  options: LayoutOptions = {},
): ConvertedTensors {
  const values = valuesOf(options)
  const wanted = targetSpecs(targets)
  const { specs, ignored } = withoutBuffers(specsOf(tensors), tensors, options)
  const links = linksBetween(specs, inLayerOrder(targets, wanted), options, layerOrderOf(targets))
  const converted = new Map(
    links.map((link) => {
      const precision = link.torch.map((name) => storedAs(tensors.get(name) ?? {})).reduce(coarser)
      return [link.tfjs, { shape: link.tfjsShape, data: linkToTfjs(link, tensors, values), ...precision }]
    }),
  )
  return {
    tensors: inOrder(converted, wanted),
    mapping: links.map((link) => ({ from: link.torch, to: [link.tfjs], layout: describe(link, values) })),
    ignored,
    differences: conventionDifferences(targets),
  }
}

/**
 * The inverse of {@link fromPyTorch}: a tfjs model's tensors as those of a PyTorch module.
 *
 * An LSTM or RNN of PyTorch has two biases: the first takes the weights and the second zeros. Gradients go to both.
 * `num_batches_tracked` is left out.
 *
 * @param tensors by name, in the model's order.
 * @param targets names and shapes of PyTorch's tensors, in order.
 * @throws DlgError as {@link fromPyTorch}.
 */
export function toPyTorch(
  tensors: ReadonlyMap<string, TensorToWrite>,
  targets: readonly TensorSpec[],
  options: LayoutOptions = {},
): ConvertedTensors {
  const values = valuesOf(options)
  const ignored = bufferNames(options)
  const specs = targetSpecs(targets).filter(({ name }) => !ignored(name))
  const links = linksBetween(specs, specsOf(tensors), options, () => undefined)
  const shapes = new Map(targetSpecs(targets).map(({ name, shape }) => [name, shape as readonly number[]]))
  const converted = new Map(
    links.flatMap((link) =>
      linkToTorch(link, tensors, values).map((data, i) => [
        link.torch[i],
        { shape: shapes.get(link.torch[i]) ?? [], data, ...storedAs(tensors.get(link.tfjs) ?? {}) },
      ]),
    ),
  )
  return {
    tensors: inOrder(converted, targets),
    mapping: links.map((link) => ({ from: [link.tfjs], to: link.torch, layout: describe(link, values) })),
    ignored: targetSpecs(targets)
      .map(({ name }) => name)
      .filter(ignored),
    differences: [],
  }
}

function linksBetween(
  torch: readonly TensorSpec[],
  tfjs: readonly TensorSpec[],
  options: LayoutOptions,
  order: LayerOrder,
): Link[] {
  const { map = {}, flatten = {} } = options
  const inOrder = isList(torch.map(({ name }) => name)) && Object.keys(map).length === 0
  const pairs = inOrder
    ? pairInOrder(torch, tfjsLayers(tfjs), order)
    : matchLayers(torchLayers(torch), tfjsLayers(tfjs), map, isSorted(torch), order)
  return orderFlattened(pairs, flatten)
}

/** Buffers that are no parameters wherever they occur: counters of batches, positions, and what thop counts. */
const BUFFERS = /(^|\.)(num_batches_tracked|position_ids|total_ops|total_params)$/

const bufferNames = ({ ignore }: LayoutOptions): ((name: string) => boolean) => {
  const named = ignores(ignore)
  return (name) => BUFFERS.test(name) || named(name)
}

/** Tensors that may be parameters, and the names of those that cannot be. */
function withoutBuffers(
  all: readonly TensorSpec[],
  tensors: ReadonlyMap<string, TensorToWrite>,
  options: LayoutOptions,
): { specs: readonly TensorSpec[]; ignored: string[] } {
  // In a list a counter is known by its place, and all places count.
  if (isList(all.map(({ name }) => name))) return { specs: all, ignored: [] }
  const isBuffer = bufferNames(options)
  const left = all.filter(({ name }) => isBuffer(name) || isWhole(tensors.get(name) ?? {}))
  return { specs: all.filter((spec) => !left.includes(spec)), ignored: left.map(({ name }) => name) }
}

/** The targets layer by layer, where they are a model: its list of weights has those that are not trained last. */
function inLayerOrder(targets: TensorTargets, specs: readonly TensorSpec[]): readonly TensorSpec[] {
  const { layers } = targets as { readonly layers?: readonly { readonly weights?: readonly TensorSpec[] }[] }
  if (!layers) return specs
  const order = layers.flatMap(({ weights = [] }) => weights.map(({ name }) => name))
  const place = (name: string) => (order.includes(name) ? order.indexOf(name) : order.length)
  return specs.toSorted((a, b) => place(a.name) - place(b.name))
}

/** In the order of the names, as safetensors writes a file: then it says nothing about the model's order. */
function isSorted(specs: readonly TensorSpec[]): boolean {
  return specs.every(({ name }, i) => i === 0 || specs[i - 1].name < name)
}

function valuesOf(options: LayoutOptions): 'gradients' | 'weights' {
  knownNames('options', options, ['map', 'flatten', 'values', 'ignore'])
  const { values = 'gradients', map = {}, flatten = {} } = options
  requireObject('map', map, 'names of layers by name', 'invalid-option')
  requireObject('flatten', flatten, 'shapes by name', 'invalid-option')
  for (const [name, order] of Object.entries(flatten))
    if (order !== 'channels-last' && !(Array.isArray(order) && order.every((n) => Number.isSafeInteger(n) && n >= 1)))
      throw new DlgError(
        'invalid-option',
        `flatten has ${show(order)} for '${name}'; it must be a list of whole numbers or 'channels-last'`,
      )
  if (values === 'gradients' || values === 'weights') return values
  throw new DlgError('invalid-option', `values is ${show(values)}; it must be 'gradients' or 'weights'`)
}

function specsOf(tensors: ReadonlyMap<string, TensorToWrite>): TensorSpec[] {
  if (!(tensors instanceof Map)) {
    throw new DlgError('invalid-data', 'tensors must be a Map from name to {shape, data}, as readTensors gives')
  }
  requireTensorMap('tensors', tensors)
  return [...tensors].map(([name, { shape, data }]) => {
    checkTensor(`tensor '${name}'`, shape, data)
    return { name, shape }
  })
}

function targetSpecs(targets: TensorTargets): readonly TensorSpec[] {
  const specs = Array.isArray(targets) ? targets : isRecord(targets) ? targets.weights : undefined
  const sound = Array.isArray(specs) && specs.every((s) => typeof s?.name === 'string' && Array.isArray(s.shape))
  if (sound) return specs
  throw new DlgError('invalid-data', 'targets must be a tf.LayersModel, or a list of {name, shape} in order')
}

function inOrder(converted: NamedTensors, targets: readonly TensorSpec[]): NamedTensors {
  const names = targets.map(({ name }) => name).filter((name) => converted.has(name))
  return new Map(names.map((name) => [name, converted.get(name) as NonNullable<ReturnType<NamedTensors['get']>>]))
}

function describe({ layouts, biases }: Link, values: 'gradients' | 'weights'): string {
  if (biases === 'rows') return `[bias_ih, bias_hh] as rows, ${layouts[0].name}`
  if (biases === undefined) return layouts[0].name
  return values === 'weights' ? 'bias_ih + bias_hh' : 'either bias: their gradients are equal'
}
