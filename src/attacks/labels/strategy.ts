import type { TargetKind } from '../../client/model/criterion'
import { choice, idList, invalid } from '../../errors/checks'
import type { Values } from '../../runtime/runtime'

/** The facts that a label strategy decides from. */
export interface LabelContext {
  readonly batchSize: number
  /** Name of the output the labels belong to. */
  readonly output?: string
  /** Name of the training loss. */
  readonly criterion?: string
  /** Size of the last axis of the model's output. */
  readonly classes: number
  /** Gradient of the last dense layer, where the model ends in one: weight [features, classes], bias [classes]. */
  readonly head: { readonly weight?: Values; readonly bias?: Values }
  /** The values of that layer, in the same shapes. */
  readonly layer?: { readonly weight?: Values; readonly bias?: Values }
  /** Why the gradient of the last layer is of no use, where it is not: its weights are used elsewhere too. */
  readonly reused?: string
  /** How losses of the batch became one. Default `mean`. */
  readonly reduction?: 'mean' | 'sum'
  /** The signs of a factor that nobody knows, where what was shared is the gradient times one (`scale: 'auto'`). */
  readonly anyFactor?: 'positive' | 'either'
  /** The class of each sample, where the masks of the client's dropout tell the samples apart. */
  readonly apart?: readonly number[]
}

/** How labels were inferred from a gradient. */
export interface LabelInference {
  /** `bias-signs` and `row-products` (exact for one-hot labels and the batch size that was told), `iLRG`, `LLG`, `dropout-masks`. */
  readonly rule: string
  /**
   * From 0 to 1: how well the labels explain the gradient of the last layer, and how much better than others. It falls under label
   * smoothing, for a wrong batch size and for a factor that nobody stated. 1/2 where nothing can be tested.
   */
  readonly confidence: number
  /** Other labels that have the gradient too, at a factor of the other sign; undefined where there are none. */
  readonly others?: readonly number[]
}

/** Labels that are known before the search, or found in it. */
export type LabelDecision =
  | { readonly kind: 'known'; readonly labels: readonly number[]; readonly inferred?: LabelInference }
  /** Targets of the shape of the output: probabilities [batchSize, classes], or numbers. */
  | { readonly kind: 'targets'; readonly targets: Values }
  /** Targets are optimised together with the data, as what the criterion compares them as unless said otherwise. */
  | { readonly kind: 'joint'; readonly as?: TargetKind }

/** How an attack obtains the labels of the samples. */
export interface LabelStrategy {
  readonly name: string
  /** As of an optimizer: what its functions keep to themselves. Results of an audit are kept under it. */
  readonly settings?: unknown
  /**
   * What takes long is a generator, which yields every few milliseconds: there the attack may be aborted.
   *
   * @throws DlgError `labels` when its assumptions do not hold, saying which.
   */
  decide(context: LabelContext): LabelDecision | Generator<void, LabelDecision, void>
}

/**
 * Labels are unknowns of the search: q = softmax(l) (Zhu, Liu, Han 2019), a sigmoid of each for a binary cross-entropy, and
 * any numbers for a regression.
 *
 * @param as which of these, whatever the criterion
 * @throws DlgError `invalid-option` for another word
 */
export function joint(as?: TargetKind): LabelStrategy {
  if (as !== undefined) choice('as', as, ['classes', 'bits', 'numbers'])
  return { name: 'joint', settings: { as }, decide: () => ({ kind: 'joint', as }) }
}

/** Labels the auditor knows: a class for each sample. @throws DlgError `invalid-option` for what is no list of classes */
export function known(labels: readonly number[]): LabelStrategy {
  idList('labels', labels, 'invalid-option')
  if (labels.length === 0) throw invalid('labels is []; it must have a class for each sample')
  const own = [...labels]
  return { name: 'known', settings: { classes: own }, decide: () => ({ kind: 'known', labels: own }) }
}
