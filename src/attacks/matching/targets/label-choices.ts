import { Tensor } from '@tensorflow/tfjs-core'
import { type Each, inOrder, mapEach } from '../../../client/model/each'
import type { TrainedOutput } from '../../../client/model/outputs'
import { requireFinite } from '../../../client/read-data'
import type { PlainTensor } from '../../../client/shared/tensor-values'
import { type PlainTargets, readTargets, targetKind } from '../../../client/target-values'
import { DlgError } from '../../../errors/dlg-error'
import { sizeOf } from '../../../graph/index'
import { joint, type LabelStrategy } from '../../labels/index'

/** Targets of one output that are known: of its shape, or class indices of positions without its last axis. */
export interface KnownTargets {
  readonly targets: Tensor | PlainTensor
}

/** How the targets of one output are come by; class indices are in a record, which a list of choices cannot be taken for. */
export type LabelChoice = LabelStrategy | KnownTargets | { readonly labels: readonly number[] }

/** The same, read. */
export type ReadChoice = LabelStrategy | PlainTargets

/** Chooses for an output among all that have a loss. */
export type LabelChooser = (output: TrainedOutput, all: readonly TrainedOutput[]) => ReadChoice

const isStrategy = (labels: LabelChoice | Each<LabelChoice>): labels is LabelStrategy =>
  typeof (labels as LabelStrategy).decide === 'function'

/** Whether this is known targets, and not a map with an output of that name. */
export function isKnownTargets(labels: unknown): labels is KnownTargets {
  const { targets } = labels as { targets?: unknown }
  return targets instanceof Tensor || (typeof targets === 'object' && targets !== null && 'data' in targets)
}

const isLabels = (labels: LabelChoice | Each<LabelChoice>): labels is { readonly labels: readonly number[] } =>
  Array.isArray((labels as { labels?: unknown }).labels)

/** Reads what is known. */
export async function readLabels(labels: LabelChoice | Each<LabelChoice>): Promise<LabelChooser> {
  if (isStrategy(labels)) return (output, all) => forAll(labels, output, all)
  const one = isKnownTargets(labels) || isLabels(labels)
  const given = one ? [await readChoice(labels)] : await mapEach(labels, readChoice)
  return (output, all) => {
    const names = all.map(({ name }) => name)
    return inOrder<ReadChoice>('labels', given, names, 'labels')[all.indexOf(output)]
  }
}

/** Inference knows cross-entropies; of several outputs, the others are searched. */
const forAll = (strategy: LabelStrategy, output: TrainedOutput, all: readonly TrainedOutput[]): LabelStrategy =>
  strategy.name === 'infer' && all.length > 1 && targetKind(output) !== 'classes' ? joint() : strategy

async function readChoice(choice: LabelChoice): Promise<ReadChoice> {
  if (isStrategy(choice) || isLabels(choice)) return choice
  const { targets } = choice
  if (targets instanceof Tensor) return readTargets(targets)
  const { shape, data } = targets
  if (!Array.isArray(shape) || typeof data?.length !== 'number')
    throw new DlgError('invalid-data', 'targets must be a tensor or {shape, data}')
  const values = Float64Array.from(data)
  requireFinite('targets', values)
  if (sizeOf(shape) === values.length) return { shape, values }
  throw new DlgError('invalid-data', `targets have ${values.length} numbers for the shape [${shape}]`)
}
