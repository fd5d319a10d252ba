import { show } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import type { Node } from '../../graph'
import * as g from '../../graph'
import type { Criterion } from './criterion'
import { criterionOptions, perSample } from './per-sample'
import { type OutputKind, scoresOf } from './scores'
import { stableLog } from './stable-log'

/** Options of a cross-entropy over classes. */
export interface CrossEntropyOptions {
  /** Default `auto`. */
  readonly output?: OutputKind
  /** Share s of the target that is spread over all classes: q becomes (1 − s) q + s / classes. In [0, 1), default 0. */
  readonly labelSmoothing?: number
}

/**
 * −Σ q log p over the classes, mean over further positions; targets q are one-hot or soft, [batch, …, classes].
 *
 * A soft-max at the model's end is computed with the logarithm. Other probabilities p are taken as they are, whether or not
 * they sum to 1 over the classes.
 *
 * @throws DlgError `invalid-option` for a label smoothing outside [0, 1)
 */
export function crossEntropy(options: OutputKind | CrossEntropyOptions = {}): Criterion {
  const { output: kind = 'auto', labelSmoothing = 0 } = criterionOptions(
    'crossEntropy',
    typeof options === 'string' ? { output: options } : options,
    ['output', 'labelSmoothing'],
  )
  requireSmoothing(labelSmoothing)
  return {
    // what is true of hard labels' gradients is not true of smoothed ones'
    name: labelSmoothing === 0 ? 'crossEntropy' : `crossEntropy with label smoothing ${labelSmoothing}`,
    targets: 'classes',
    loss: (output, target) => perSample(surprise(output, smoothed(target, labelSmoothing), kind)),
  }
}

/** −Σ q log p over the classes, [batch, …, 1]. */
export function surprise(output: Node, target: Node, kind: OutputKind): Node {
  const logits = logitsOf(output, kind)
  const logProbabilities = logits ? g.logSoftmax(logits) : stableLog(output)
  return g.neg(g.sum(g.mul(target, logProbabilities), [-1]))
}

/** (1 − s) q + s / classes · Σ q: a row of zeros stays one. */
export function smoothed(target: Node, share: number): Node {
  if (share === 0) return target
  const classes = target.shape[target.shape.length - 1]
  return g.add(g.scale(target, 1 - share), g.scale(g.sum(target, [-1]), share / classes))
}

export function requireSmoothing(share: number): void {
  if (typeof share !== 'number' || !(share >= 0 && share < 1))
    throw new DlgError('invalid-option', `labelSmoothing is ${show(share)}; it must be a number in [0, 1)`)
}

/** The pre-soft-max scores [batch, …, classes], when the output has them. */
export const logitsOf = (output: Node, kind: OutputKind = 'auto'): Node | undefined => scoresOf(output, 'softmax', kind)
