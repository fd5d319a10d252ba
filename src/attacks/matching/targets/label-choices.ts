import { Tensor } from '@tensorflow/tfjs-core'
import { type Each, mapEach } from '../../../client/model/each'
import type { TrainedOutput } from '../../../client/model/loss'
import {
  isClassIndices,
  isKnownTargets,
  isOneTarget,
  type KnownTargets,
  type OutputTargets,
  ofOutput,
  type PlainTargets,
  readTargets,
  targetKind,
} from '../../../client/target-values'
import { choice, hasMethod, invalid, requireFields, show } from '../../../errors/checks'
import { infer } from '../../labels/infer'
import { joint, type LabelStrategy } from '../../labels/strategy'
/** How the targets of one output are obtained. Class indices are in a record, so that a list of choices is not taken for them. */
export type LabelChoice = LabelStrategy | KnownTargets | { readonly labels: readonly number[] }

/** A choice whose tensors are read. */
export type ReadChoice = LabelStrategy | PlainTargets

/** Chooses for an output among all that have a loss. */
export type LabelChooser = (output: TrainedOutput, all: readonly TrainedOutput[]) => ReadChoice

const isStrategy = (labels: LabelChoice | Each<LabelChoice>): labels is LabelStrategy =>
  typeof (labels as LabelStrategy).decide === 'function'

const isLabels = (labels: LabelChoice | Each<LabelChoice>): labels is { readonly labels: readonly number[] } =>
  Array.isArray((labels as { labels?: unknown }).labels)

/** Reads what is known. */
export async function readLabels(labels: LabelChoice | Each<LabelChoice>): Promise<LabelChooser> {
  if (isStrategy(labels)) return (output, all) => forAll(labels, output, all)
  const one = isKnownTargets(labels) || isLabels(labels)
  const given = one ? [await readChoice(labels)] : await mapEach(labels, readChoice)
  return (output, all) => ofOutput<LabelStrategy>('labels', given, one, output, all, 'labels')
}

/** Inference knows cross-entropies; of several outputs, the others are searched. */
const forAll = (strategy: LabelStrategy, output: TrainedOutput, all: readonly TrainedOutput[]): LabelStrategy =>
  strategy.name === 'infer' && all.length > 1 && targetKind(output) !== 'classes' ? joint() : strategy

const readChoice = async (choice: LabelChoice): Promise<ReadChoice> =>
  isStrategy(choice) || isLabels(choice) ? choice : readTargets(choice)

/**
 * How the targets of one output are obtained: searched (`joint`), inferred in closed form (`infer`), known (class indices, rows
 * of probabilities, or a tensor), or by a strategy.
 */
export type LabelOption = 'joint' | 'infer' | OutputTargets | LabelStrategy

const OTHERWISE =
  'a list of class indices or {targets} or an object with decide(), or a list or map of these with one for each output'

/** @throws DlgError `invalid-option` */
export function labelsOption(labels: LabelOption | Each<LabelOption>): LabelChoice | Each<LabelChoice> {
  if (isOne(labels)) return labelChoice('labels', labels)
  if (Array.isArray(labels)) return labels.map((label, i) => labelChoice(`labels[${i}]`, label))
  requireFields('labels', labels as object, OTHERWISE)
  const entries = Object.entries(labels as { readonly [output: string]: LabelOption })
  if (entries.length === 0) throw invalid(`labels is ${show(labels)} without a name; it must be ${OTHERWISE}`)
  return Object.fromEntries(entries.map(([name, label]) => [name, labelChoice(`labels.${name}`, label)]))
}

const isOne = (labels: LabelOption | Each<LabelOption>): labels is LabelOption =>
  hasMethod(labels, 'decide') ||
  (isOneTarget(labels as OutputTargets) && !(Array.isArray(labels) && labels.some(isName)))

const isName = (label: unknown): boolean => label === 'joint' || label === 'infer'

function labelChoice(what: string, label: LabelOption): LabelChoice {
  if (isClassIndices(label)) return { labels: Array.from(label) }
  if (label instanceof Tensor) return { targets: label }
  if (hasMethod(label, 'decide') || isKnownTargets(label)) return label as LabelChoice
  return choice(what, label, ['joint', 'infer'], OTHERWISE) === 'joint' ? joint() : infer()
}
