import { Tensor } from '@tensorflow/tfjs-core'
import { fitsFloat32, numberList, show } from '../errors/checks'
import { countOf } from '../errors/counted'
import { DlgError, type DlgErrorCode } from '../errors/dlg-error'
import * as g from '../graph'
import { type Shape, sameShape, sizeOf } from '../graph'
import { bindStatic } from '../runtime/reference'
import type { Values } from '../runtime/runtime'
import type { Criterion, TargetKind } from './model/criterion'
import { type Each, inOrder } from './model/each'
import { type TrainedOutput, weightsOf } from './model/loss'
import { requireFinite } from './read-data'
import type { PlainTensor } from './shared/tensor-values'

/** Targets of one output that are known: of its shape, or class indices of positions without its last axis. */
export interface KnownTargets {
  readonly targets: Tensor | PlainTensor
}

/** Class indices, one for each sample. */
export type ClassIndices =
  | readonly number[]
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array

/**
 * Targets of one output: class indices, one for each sample; one-hot or other rows [batch, classes] as lists; or a tensor. A
 * tensor has the output's shape, or lacks its last axis: then it holds class indices (of tokens, say), or numbers where the
 * output has one.
 */
export type OutputTargets = ClassIndices | readonly (readonly number[])[] | Tensor | KnownTargets

/** Targets of one output, read. */
export type PlainTargets = { readonly labels: readonly number[] } | { readonly shape: Shape; readonly values: Values }

const invalid = (message: string): DlgError => new DlgError('invalid-data', message)

/** Whether this is known targets, and not a map with an output of that name. */
export function isKnownTargets(y: unknown): y is KnownTargets {
  if (typeof y !== 'object' || y === null) return false
  const { targets } = y as { targets?: unknown }
  return targets instanceof Tensor || (typeof targets === 'object' && targets !== null && 'data' in targets)
}

/** Whether these are class indices of one output. */
export const isClassIndices = (y: unknown): y is ClassIndices =>
  (ArrayBuffer.isView(y) && !(y instanceof DataView) && !(y instanceof Float32Array) && !(y instanceof Float64Array)) ||
  (Array.isArray(y) && y.every((v) => typeof v !== 'object'))

/** Whether these are targets of one output, and not a list or a map of them. Rows in lists are told by the outputs: {@link ofOutput}. */
export const isOneTarget = (y: OutputTargets | Each<OutputTargets>): y is OutputTargets =>
  typeof y !== 'object' ||
  y === null ||
  y instanceof Tensor ||
  isKnownTargets(y) ||
  ArrayBuffer.isView(y) ||
  isClassIndices(y)

/** Reads the targets of one output; class indices are what they are. @throws DlgError `invalid-data` */
export async function readTargets(y: OutputTargets): Promise<PlainTargets> {
  if (isKnownTargets(y)) return y.targets instanceof Tensor ? readTargets(y.targets) : plainTargets(y.targets)
  if (y instanceof Tensor) {
    if (y.isDisposed) throw invalid('targets are a disposed tensor')
    const values = Float32Array.from(await y.data())
    requireFinite('targets', values)
    return { shape: y.shape, values }
  }
  if (isClassIndices(y)) return { labels: Array.from(y) }
  if (Array.isArray(y) && y.every(isNumbers)) return rowsOfLists(y.map((row) => ({ labels: row })))
  throw invalid(`labels must be a list of class indices, rows of numbers, a tensor or { targets }; got ${show(y)}`)
}

const isNumbers = (row: unknown): boolean => Array.isArray(row) && row.every((v) => typeof v === 'number')

/** @throws DlgError `invalid-data`, naming the first number that float32 does not hold */
function requireFloat32(values: Float64Array): void {
  requireFinite('targets', values)
  const wrong = values.findIndex((v) => !fitsFloat32(v))
  if (wrong >= 0)
    throw invalid(
      `targets have ${values[wrong]} at position ${wrong}; every number must be at most 3.4e38, as float32 holds it`,
    )
}

function plainTargets({ shape, data }: PlainTensor): PlainTargets {
  if (!Array.isArray(shape) || typeof data?.length !== 'number')
    throw invalid('targets must be a tensor or {shape, data}')
  const other = Array.prototype.findIndex.call(data, (v: unknown) => typeof v !== 'number')
  if (other >= 0) {
    const value: unknown = data[other]
    const what = typeof value === 'bigint' ? `the bigint ${value}` : show(value)
    throw invalid(`targets have ${what} at position ${other}; they must be numbers`)
  }
  const values = Float64Array.from(data)
  requireFloat32(values)
  if (sizeOf(shape) === values.length) return { shape, values }
  throw invalid(`targets have ${countOf(values.length, 'number')} for the shape [${shape}]`)
}

/**
 * The targets of one output among all. Where the model has one output, a list of lists is its rows, unless it is the one list
 * of class indices that it could be as well.
 *
 * @param what the things, in the plural, for error messages
 * @param one whether `given` holds what was given for one output
 */
export function ofOutput<T extends object>(
  what: string,
  given: Each<T | PlainTargets>,
  one: boolean,
  output: TrainedOutput,
  all: readonly TrainedOutput[],
  code: DlgErrorCode,
): T | PlainTargets {
  const [batch] = output.node.shape
  const lists = Array.isArray(given) && given.every((one) => 'labels' in one) ? (given as { labels: number[] }[]) : []
  const rows = !one && all.length === 1 && lists.length === batch && lists[0].labels.length > 1
  if (rows && !(batch === 1 && lists[0].labels.length === batch)) return rowsOfLists(lists)
  const names = all.map(({ name }) => name)
  return inOrder<T | PlainTargets>(what, given, names, code)[all.indexOf(output)]
}

function rowsOfLists(rows: readonly { readonly labels: readonly number[] }[]): PlainTargets {
  const width = rows[0]?.labels.length ?? 0
  const other = rows.findIndex(({ labels }) => labels.length !== width)
  if (other >= 0)
    throw invalid(`row ${other} of the targets has ${countOf(rows[other].labels.length, 'number')}; row 0 has ${width}`)
  for (const { labels } of rows) numberList('a row of the targets', labels)
  const values = Float64Array.from(rows.flatMap(({ labels }) => labels))
  requireFloat32(values)
  return { shape: [rows.length, width], values }
}

/** The kind of targets of an output. A criterion that does not say compares classes where the output has several. */
export function targetKind({ criterion, node }: TrainedOutput): TargetKind {
  const said = typeof criterion === 'function' ? undefined : criterion.targets
  return said ?? (node.shape[node.shape.length - 1] === 1 ? 'numbers' : 'classes')
}

/** Targets of the shape of the output. @throws DlgError `invalid-data` when they do not fit it, or leave no loss */
export function targetRows(y: PlainTargets, output: TrainedOutput): Float32Array {
  const rows = rowsOf(y, output)
  requireWeight(rows, output)
  return rows
}

/** @throws DlgError `invalid-data` where nothing counts in the mean: Σ weight is 0, and the loss 0 / 0 */
function requireWeight(rows: Float32Array, { name, node, criterion }: TrainedOutput): void {
  const total = typeof criterion === 'function' ? undefined : totalWeight(criterion, node.shape, rows)
  if (total === undefined || total > 0) return
  throw invalid(
    `targets of '${name}' count ${total} in all under '${criterion.name}': each is ignored, masked or a row of zeros, and there is no loss; one at least must count`,
  )
}

function rowsOf(y: PlainTargets, output: TrainedOutput): Float32Array {
  const { shape } = output.node
  const classes = shape[shape.length - 1]
  // one number a sample, which needs no axis of its own
  const column = classes === 1 && targetKind(output) !== 'classes'
  if ('labels' in y) return column ? numbersOf(y.labels, shape) : oneHotLabels(y.labels, shape, ignored(output))
  if (sameShape(y.shape, shape)) return Float32Array.from(y.values)
  const perPosition = sameShape(y.shape, shape.slice(0, -1))
  if (perPosition && column) return Float32Array.from(y.values)
  if (perPosition && targetKind(output) === 'classes') return oneHotRows(y.values, classes, ignored(output))
  throw invalid(`targets have shape [${y.shape}]; the model's output has [${shape}]`)
}

const ignored = ({ criterion }: TrainedOutput): number | undefined =>
  typeof criterion === 'function' ? undefined : criterion.ignoreIndex

function numbersOf(values: readonly number[], shape: Shape): Float32Array {
  if (!Array.isArray(values)) throw invalid('targets must be a list of numbers or a tensor')
  if (values.length !== sizeOf(shape))
    throw invalid(`${countOf(values.length, 'target')}; the model's output has [${shape}]`)
  const numbers = Float32Array.from(values)
  requireFinite('targets', numbers)
  return numbers
}

function oneHotLabels(labels: readonly number[], shape: Shape, ignore?: number): Float32Array {
  const [batch, classes] = shape
  if (shape.length !== 2) throw invalid(`class indices need an output [batch, classes]; it is [${shape}]`)
  if (!Array.isArray(labels)) throw invalid('labels must be a list of class indices')
  if (labels.length !== batch)
    throw invalid(`${countOf(labels.length, 'label')} for a batch of ${batch}; give one for each sample`)
  return oneHotRows(labels, classes, ignore)
}

/** Rows of the identity for class indices, and of zeros for the one that is ignored. */
function oneHotRows(labels: ArrayLike<number>, classes: number, ignore?: number): Float32Array {
  const out = new Float32Array(labels.length * classes)
  let counted = 0
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]
    if (label === ignore) continue
    if (!Number.isInteger(label) || label < 0 || label >= classes)
      throw invalid(`label ${typeof label === 'string' ? label : show(label)} is not a class index in [0, ${classes})`)
    out[i * classes + label] = 1
    counted++
  }
  if (counted === 0 && labels.length > 0) throw invalid(`every label is ${ignore}, which is ignored: there is no loss`)
  return out
}

/**
 * Σ weight of known targets, which a mean divides by; undefined where every sample counts 1, or weights depend on the
 * output too.
 *
 * @param target values of the output's shape
 */
export function totalWeight(criterion: Criterion, shape: g.Shape, target: Float32Array): number | undefined {
  const graph = g.createGraph()
  const output = g.parameter(graph, 'output', shape)
  const weights = weightsOf(criterion, output, g.parameter(graph, 'target', shape))
  if (!weights) return undefined
  const total = g.sum(weights)
  const nodes = g.reachable([total])
  return nodes.includes(output) ? undefined : bindStatic(nodes, new Map([['target', target]])).get(total)![0]
}
