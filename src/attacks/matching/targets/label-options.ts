import type { Each } from '../../../client/model/each'
import { choice, hasMethod, invalid, show } from '../../../errors/checks'
import { infer, joint, type LabelStrategy } from '../../labels/index'
import { isKnownTargets, type KnownTargets, type LabelChoice } from '../targets/label-choices'

/**
 * How the targets of one output are come by: searched (`joint`), inferred in closed form (`infer`), known class indices, known
 * targets, or by a strategy.
 */
export type LabelOption = 'joint' | 'infer' | readonly number[] | KnownTargets | LabelStrategy

const OTHERWISE =
  'a list of class indices or {targets} or an object with decide(), or a list or map of these with one for each output'

/** @throws DlgError `invalid-option` */
export function labelsOption(labels: LabelOption | Each<LabelOption>): LabelChoice | Each<LabelChoice> {
  if (isOne(labels)) return labelChoice('labels', labels)
  if (Array.isArray(labels)) return labels.map((label, i) => labelChoice(`labels[${i}]`, label))
  const entries = Object.entries(labels as { readonly [output: string]: LabelOption })
  if (entries.length === 0) throw invalid(`labels is ${show(labels)} without a name; it must be ${OTHERWISE}`)
  return Object.fromEntries(entries.map(([name, label]) => [name, labelChoice(`labels.${name}`, label)]))
}

const isOne = (labels: LabelOption | Each<LabelOption>): labels is LabelOption =>
  typeof labels !== 'object' ||
  labels === null ||
  hasMethod(labels, 'decide') ||
  isKnownTargets(labels) ||
  (Array.isArray(labels) && labels.every((label) => typeof label !== 'object' && !isName(label)))

const isName = (label: unknown): boolean => label === 'joint' || label === 'infer'

function labelChoice(what: string, label: LabelOption): LabelChoice {
  if (Array.isArray(label)) return { labels: [...label] }
  if (typeof label === 'object' && label !== null && (hasMethod(label, 'decide') || isKnownTargets(label)))
    return label as LabelChoice
  return choice(what, label, ['joint', 'infer'], OTHERWISE) === 'joint' ? joint() : infer()
}
