import { Tensor } from '@tensorflow/tfjs-core'
import { DlgError } from '../errors/dlg-error'
import { type Shape, sameShape, sizeOf } from '../graph/index'
import type { Values } from '../runtime/runtime'
import type { TargetKind } from './model/criterion'
import type { Each } from './model/each'
import type { TrainedOutput } from './model/outputs'
import { requireFinite } from './read-data'
import { totalWeight } from './total-weight'

/**
 * Targets of one output: class indices, one for each sample, or a tensor. A tensor has the output's shape, or lacks its last
 * axis: then it holds class indices (of tokens, say), or numbers where the output has one.
 */
export type OutputTargets = readonly number[] | Tensor

/** The same, read. */
export type PlainTargets = { readonly labels: readonly number[] } | { readonly shape: Shape; readonly values: Values }

const invalid = (message: string): DlgError => new DlgError('invalid-data', message)

/** Whether these are targets of one output, and not a list or a map of them. */
export const isOneTarget = (y: OutputTargets | Each<OutputTargets>): y is OutputTargets =>
  typeof y !== 'object' ||
  y === null ||
  y instanceof Tensor ||
  (Array.isArray(y) && y.every((v) => typeof v !== 'object'))

/** Reads targets out of a tensor; class indices are what they are. @throws DlgError `invalid-data` */
export async function readTargets(y: OutputTargets): Promise<PlainTargets> {
  if (!(y instanceof Tensor)) return { labels: y }
  if (y.isDisposed) throw invalid('targets are a disposed tensor')
  const values = Float32Array.from(await y.data())
  requireFinite('targets', values)
  return { shape: y.shape, values }
}

/** What the targets of an output are; a criterion that does not say is taken to compare classes where there are several. */
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
  if (values.length !== sizeOf(shape)) throw invalid(`${values.length} targets; the model's output has [${shape}]`)
  const numbers = Float32Array.from(values)
  requireFinite('targets', numbers)
  return numbers
}

function oneHotLabels(labels: readonly number[], shape: Shape, ignore?: number): Float32Array {
  const [batch, classes] = shape
  if (shape.length !== 2) throw invalid(`class indices need an output [batch, classes]; it is [${shape}]`)
  if (!Array.isArray(labels)) throw invalid('labels must be a list of class indices')
  if (labels.length !== batch)
    throw invalid(`${labels.length} labels for a batch of ${batch}; give one for each sample`)
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
      throw invalid(`label ${label} is not a class index in [0, ${classes})`)
    out[i * classes + label] = 1
    counted++
  }
  if (counted === 0 && labels.length > 0) throw invalid(`every label is ${ignore}, which is ignored: there is no loss`)
  return out
}
