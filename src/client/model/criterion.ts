import { choice, knownNames } from '../../errors/checks'
import type { Node } from '../../graph'
import * as g from '../../graph'

/** How losses become one. */
export type Reduction = 'mean' | 'sum'

/**
 * The kind of targets that a loss compares. Unknown targets are searched as this kind: `classes` are probabilities over the last
 * axis (a soft-max of unknowns), `bits` lie in [0, 1] each (a sigmoid), `numbers` are any numbers.
 */
export type TargetKind = 'classes' | 'bits' | 'numbers'

/** The loss a client trains with. */
export interface Criterion {
  readonly name: string
  /**
   * Loss of every sample, [batch].
   *
   * @param output what the model gives, [batch, …, classes]
   * @param target of the same shape: one-hot or soft labels, or regression targets
   */
  loss(output: Node, target: Node): Node
  /**
   * The weight of every sample in a mean, [batch]: the mean is Σ loss / Σ weight over the batch. Default 1 each. A loss per
   * token gives sums as losses and numbers of tokens as weights.
   */
  weights?(output: Node, target: Node): Node
  /** Default `classes`. */
  readonly targets?: TargetKind
  /** A class index that has no loss: its row of targets is zero. */
  readonly ignoreIndex?: number
}

/** Checks the options of a criterion that have names. @throws DlgError `invalid-option` */
export function criterionOptions<T extends object>(name: string, options: T, names: readonly (keyof T & string)[]): T {
  knownNames(name, options, names)
  const { output, within } = options as { readonly output?: string; readonly within?: string }
  if (output !== undefined) choice('output', output, ['auto', 'logits', 'probabilities'])
  if (within !== undefined) choice('within', within, ['mean', 'sum'])
  return options
}

/** Values [batch, …] reduced to one per sample, [batch]. */
export function perSample(values: Node, reduction: Reduction = 'mean'): Node {
  const batch = values.shape[0]
  const axes = g.range(values.shape.length).slice(1)
  return g.reshape(reduction === 'mean' ? g.mean(values, axes) : g.sum(values, axes), [batch])
}
