import type { Values } from '../runtime/runtime'

/** What a label strategy may look at. */
export interface LabelContext {
  readonly batchSize: number
  /** Name of the training loss. */
  readonly criterion?: string
  /** Size of the last axis of the model's output. */
  readonly classes: number
  /** Gradient of the last dense layer, where the model ends in one: weight [features, classes], bias [classes]. */
  readonly head: { readonly weight?: Values; readonly bias?: Values }
  /** The values of that layer, in the same shapes. */
  readonly layer?: { readonly weight?: Values; readonly bias?: Values }
  /** How losses of the batch became one. Default `mean`. */
  readonly reduction?: 'mean' | 'sum'
}

/** Labels that are known before the search, or found in it. */
export type LabelDecision =
  | { readonly kind: 'known'; readonly labels: readonly number[] }
  /** Targets [batchSize, classes] as probabilities. */
  | { readonly kind: 'targets'; readonly targets: Values }
  /** One soft-max per sample is optimised together with the data. */
  | { readonly kind: 'joint' }

/** How an attack comes by the labels of the samples. */
export interface LabelStrategy {
  readonly name: string
  /** @throws DlgError `labels` when its assumptions do not hold, saying which. */
  decide(context: LabelContext): LabelDecision
}

/** Labels are unknowns of the search: q = softmax(l) (Zhu, Liu, Han 2019). */
export const joint = (): LabelStrategy => ({ name: 'joint', decide: () => ({ kind: 'joint' }) })

/** Labels the auditor knows. */
export function known(labels: readonly number[]): LabelStrategy {
  const own = [...labels]
  return { name: 'known', decide: () => ({ kind: 'known', labels: own }) }
}
