import { number, show } from '../../errors/checks'
import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import type { Graph, Node, Shape } from '../../graph'
import * as g from '../../graph'
import { type Criterion, criterionOptions, perSample, type Reduction } from './criterion'
import { type OutputKind, scoresOf, stableLog } from './scores'

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
    throw new DlgError('invalid-option', `ignoreIndex is ${show(ignoreIndex)}; it must be a whole number`)
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
      `mask is [${rows.length}][${rows.map((row) => row.length)}]; the output has ${countOf(batch, 'sample')} of ${countOf(positions, 'position')}`,
    )
  return g.constant(graph, rows.flat(), [batch, positions, 1])
}

/**
 * −t log p − (1 − t) log(1 − p) for every element of the output, targets t in [0, 1].
 *
 * A sigmoid at the model's end is computed with the logarithm, as log(1 + e^z) − t z, which neither overflows nor cancels.
 *
 * @param options what the output is, and how the elements of a sample become its loss
 * @throws DlgError `invalid-option`
 */
export function binaryCrossEntropy(options: ElementOptions & { readonly output?: OutputKind } = {}): Criterion {
  const { output: kind = 'auto', within = 'mean' } = criterionOptions('binaryCrossEntropy', options, [
    'output',
    'within',
  ])
  return {
    name: 'binaryCrossEntropy',
    targets: 'bits',
    loss(output, target) {
      const logits = scoresOf(output, 'sigmoid', kind)
      return perSample(logits ? fromLogits(logits, target) : fromProbabilities(output, target), within)
    },
  }
}

const fromLogits = (z: Node, t: Node): Node => g.sub(g.unary('softplus', z), g.mul(t, z))

function fromProbabilities(p: Node, t: Node): Node {
  const complement = (x: Node): Node => g.offset(g.neg(x), 1)
  return g.neg(g.add(g.mul(t, stableLog(p)), g.mul(complement(t), stableLog(complement(p)))))
}

/** Options of a loss that is computed element by element. */
export interface ElementOptions {
  /**
   * How the elements of one sample become its loss; how samples become one is the option `reduction`. PyTorch's
   * `reduction='sum'` is `sum` in both places. Default `mean`.
   */
  readonly within?: Reduction
}

/** Options of Huber's loss. */
export interface HuberOptions extends ElementOptions {
  /** Where the loss turns from a parabola into a line; above 0, default 1. */
  readonly delta?: number
}

/** (y − t)² of every element. */
export const meanSquaredError = (options: ElementOptions = {}): Criterion =>
  elementwise('meanSquaredError', g.square, options)

/** |y − t| of every element. */
export const meanAbsoluteError = (options: ElementOptions = {}): Criterion =>
  elementwise('meanAbsoluteError', g.abs, options)

/**
 * d² / 2 where |d| < δ, else δ (|d| − δ / 2), of every element's d = y − t (Huber 1964).
 *
 * @throws DlgError `invalid-option` for a δ that is not above 0
 */
export function huber(options: HuberOptions = {}): Criterion {
  const { delta = 1, ...element } = criterionOptions('huber', options, ['delta', 'within'])
  number('delta', delta, (v) => v > 0 && v < Infinity, 'a number above 0')
  const measure = (d: Node): Node => {
    const size = g.abs(d)
    const line = g.scale(g.offset(size, -delta / 2), delta)
    return g.select(g.less(size, g.scalar(d.graph, delta)), g.scale(g.square(d), 0.5), line)
  }
  return elementwise('huber', measure, element)
}

function elementwise(name: string, measure: (difference: Node) => Node, options: ElementOptions): Criterion {
  const { within } = criterionOptions(name, options, ['within'])
  return { name, targets: 'numbers', loss: (output, target) => perSample(measure(g.sub(output, target)), within) }
}
