import { DlgError } from '../../errors/dlg-error'
import type { Graph, Node, Shape } from '../../graph'
import * as g from '../../graph'
import type { Criterion } from './criterion'
import { type CrossEntropyOptions, requireSmoothing, smoothed, surprise } from './criterion-class'
import { criterionOptions, perSample } from './per-sample'

/** Options of a cross-entropy over the positions of a sequence. */
export interface TokenOptions extends CrossEntropyOptions {
  /** Weight of each position, [batch][positions], at least 0. Default 1 each. */
  readonly mask?: readonly (readonly number[])[]
  /** Token id whose positions have no loss. Default −100. */
  readonly ignoreIndex?: number
}

/**
 * Cross-entropy of every position of a language model, output [batch, positions, classes]; the target of a position is a
 * token id or a row of probabilities. A causal model is given the next token as target, a masked one the hidden token.
 *
 * The mean is Σ mask · loss / Σ mask over the whole batch, not a mean of the samples' means: a position counts the same
 * in a short sentence as in a long one, as with PyTorch's `ignore_index`.
 *
 * @throws DlgError `invalid-option` for a mask of negative numbers or zeros only
 */
export function tokenCrossEntropy(options: TokenOptions = {}): Criterion {
  const {
    output: kind = 'auto',
    labelSmoothing = 0,
    mask,
    ignoreIndex = -100,
  } = criterionOptions('tokenCrossEntropy', options, ['output', 'labelSmoothing', 'mask', 'ignoreIndex'])
  requireSmoothing(labelSmoothing)
  if (!Number.isInteger(ignoreIndex))
    throw new DlgError('invalid-option', `ignoreIndex is ${ignoreIndex}; it must be a whole number`)
  const rows = mask && requireMask(mask)
  const weighted = (values: Node): Node => (rows ? g.mul(values, maskNode(values.graph, rows, values.shape)) : values)
  return {
    name: 'tokenCrossEntropy',
    targets: 'classes',
    ignoreIndex,
    loss: (output, target) => perSample(weighted(surprise(output, smoothed(target, labelSmoothing), kind)), 'sum'),
    // an ignored position has a row of zeros, any other one that sums to 1
    weights: (_, target) => perSample(weighted(g.sum(target, [-1])), 'sum'),
  }
}

function requireMask(mask: readonly (readonly number[])[]): number[][] {
  const wrong = (what: string) =>
    new DlgError(
      'invalid-option',
      `mask ${what}; it must be a list of rows, [batch][positions], of numbers of at least 0`,
    )
  if (!Array.isArray(mask) || !mask.every(Array.isArray)) throw wrong(`is ${typeof mask}`)
  const bad = mask.flat().find((v) => !(v >= 0 && v < Infinity))
  if (bad !== undefined) throw wrong(`has ${bad} in it`)
  if (!mask.flat().some((v) => v > 0)) throw wrong('leaves no position')
  return mask.map((row) => [...row])
}

/** The mask beside values [batch, positions, 1]. */
function maskNode(graph: Graph, rows: readonly (readonly number[])[], [batch, positions, ...rest]: Shape): Node {
  if (rest.length !== 1)
    throw new DlgError('invalid-option', 'tokenCrossEntropy with a mask needs an output [batch, positions, classes]')
  if (rows.length !== batch || rows.some((row) => row.length !== positions))
    throw new DlgError(
      'invalid-option',
      `mask is [${rows.length}][${rows.map((row) => row.length)}]; the output has ${batch} samples of ${positions} positions`,
    )
  return g.constant(graph, rows.flat(), [batch, positions, 1])
}
