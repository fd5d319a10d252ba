import type { Node } from '../../graph'

export { binaryCrossEntropy } from './criterion-binary'
export { type CrossEntropyOptions, crossEntropy, logitsOf } from './criterion-class'
export {
  type ElementOptions,
  type HuberOptions,
  huber,
  meanAbsoluteError,
  meanSquaredError,
} from './criterion-regression'
export { type TokenOptions, tokenCrossEntropy } from './criterion-token'
export type { OutputKind } from './scores'

/** How losses become one. */
export type Reduction = 'mean' | 'sum'

/**
 * What the targets of a loss are, and so what unknown ones are searched as: `classes` are probabilities over the last
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
   * What every sample counts in a mean, [batch]: the mean is Σ loss / Σ weight over the batch. Default 1 each. A loss per
   * token gives sums as losses and numbers of tokens as weights.
   */
  weights?(output: Node, target: Node): Node
  /** Default `classes`. */
  readonly targets?: TargetKind
  /** A class index that has no loss: its row of targets is zero. */
  readonly ignoreIndex?: number
}
