import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import { spectrum } from '../../numbers/singular-values'
import type { Steps } from '../../numbers/steps'
import type { Values } from '../../runtime/runtime'
import { countsAtAnyFactor, presentIn } from './any-factor'
import { type DenseLayer, labelCounts, summedCounts } from './counts'
import { explainsAnything, weighed } from './explained'
import type { LabelContext, LabelDecision, LabelStrategy } from './strategy'

/**
 * Labels in closed form, from the gradient of the last layer of a cross-entropy classifier (Zhao, Mopuri, Bilen 2020).
 *
 * ∂L/∂b_c = mean over samples of p_c − [y = c]: only classes that are present can be negative. Without a bias, and for
 * one sample, ∂L/∂W_c = (p_c − [y = c])·h: the row of the label has no positive product with any other row.
 *
 * Finds one label, or those of a batch: distinct ones from the signs alone, repeated ones by counting what explains the
 * layer (iLRG), and without a bias by the sums of its rows (LLG), which takes features that are not negative. The labels of a
 * batch come out in the order of the classes, so each of its samples has a place of its own.
 *
 * Under dropout the masks of a batch tell its samples apart, and each has a gradient of its own.
 *
 * A factor that nobody knows, of either sign, is fitted with the counts where the layer has a bias and its values are known.
 * Two classes tell nothing then: −α times the gradient of one label is α′ times that of the other.
 *
 * The rules assume one-hot labels and the batch size that was told. The confidence tests both: it says how well the labels explain the whole
 * gradient of the layer (`weighed`). Where the layer's own values are not known, nothing can be tested, and it is 1/2.
 *
 * What no rule applies to is refused at once; what takes longer is done in steps.
 */
export const infer = (): LabelStrategy => ({
  name: 'infer',
  decide(context) {
    const { head, batchSize, classes, criterion = 'crossEntropy' } = context
    if (criterion !== 'crossEntropy')
      throw refused(`its rules are those of a cross-entropy, and the training loss is ${criterion}`)
    if (context.apart) return certain(context.apart, 'dropout-masks', 1)
    if (context.anyFactor && (head.bias || head.weight)) return atAnyFactor(context)
    if (head.bias?.length === classes) return fromBias(head.bias, context)
    if (head.weight && batchSize === 1) return fromProducts(head.weight, context)
    if (head.weight) return fromSums(head.weight, context)
    throw refused(context.reused ?? 'the model does not end in a dense layer whose gradient was shared')
  },
})

/** Confidence where nothing can be tested. */
const UNTESTED = 0.5

function countsOf(labels: readonly number[], classes: number): number[] {
  const counts = new Array<number>(classes).fill(0)
  for (const label of labels) counts[label]++
  return counts
}

/** The decision for these counts, or for a neighbour that explains the gradient better. @param untested the confidence without a test */
function* tested(
  given: readonly number[],
  rule: string,
  untested: number,
  context: LabelContext,
): Steps<LabelDecision> {
  const { head, layer, batchSize, reduction = 'mean' } = context
  const testable = head.weight && layer?.weight && (!head.bias || layer.bias !== undefined)
  if (!testable) return certain(spelledOut(given), rule, untested)
  const least = given.map((n, c) => (head.bias ? (n > 0 && head.bias[c] < 0 ? 1 : 0) : 0))
  const exact = rule === 'bias-signs' || rule === 'row-products'
  const last = {
    ...{ weightGradient: head.weight!, weight: layer!.weight! },
    ...{ biasGradient: head.bias, bias: layer!.bias },
  }
  const samples = reduction === 'mean' ? batchSize : 1
  const { counts, confidence } = yield* weighed(last, given, exact ? given : least, samples)
  return certain(spelledOut(counts), rule, confidence * (yield* shownBy(head.weight!, context)))
}

/**
 * The part of the samples that the rank of ∂W shows. Each sample adds one direction at most, so a rank below what the batch size
 * allows means that there are fewer samples, or samples that are the same.
 */
function* shownBy(weightGradient: Values, { batchSize, classes }: LabelContext): Steps<number> {
  const features = weightGradient.length / classes
  const most = Math.min(batchSize, classes - 1, features, MOST_DIRECTIONS)
  if (most <= 1) return 1
  const { rank } = yield* spectrum(weightGradient, features, classes, most)
  return Math.min(1, rank / most)
}

const MOST_DIRECTIONS = 32

const certain = (labels: readonly number[], rule: string, confidence: number): LabelDecision => ({
  ...{ kind: 'known', labels },
  inferred: { rule, confidence: Math.max(0, Math.min(1, confidence)) },
})

const spelledOut = (counts: readonly number[]): number[] => counts.flatMap((n, c) => new Array<number>(n).fill(c))

/** Labels behind a factor that nobody knows. */
function atAnyFactor(context: LabelContext): Steps<LabelDecision> {
  const { head, layer, batchSize, classes, anyFactor } = context
  const signs = anyFactor === 'positive' ? [1] : [1, -1]
  if (classes === 2 && signs.length > 1)
    throw refused('with two classes, a factor of the other sign turns the gradient of one label into that of the other')
  // what is left goes by signs and ratios alone, which no factor of one sign changes
  const untested = { ...context, layer: undefined }
  if (head.bias?.length === classes) {
    if (head.weight && layer?.weight && layer.bias)
      return factored({ weightGradient: head.weight, biasGradient: head.bias, weight: layer.weight, bias: layer.bias }, signs, context) // biome-ignore format: one line
    const sets = signs.map((sign) => presentIn(head.bias!, sign)).filter(({ length: n }) => n > 0 && n <= batchSize)
    if (sets.length === 1 && sets[0].length === batchSize)
      return tested(countsOf(sets[0], classes), 'bias-signs', UNTESTED, untested)
    throw refused('the factor is not known, and neither is which of the classes are present at its sign')
  }
  if (batchSize === 1 && head.weight) return fromProducts(head.weight, untested)
  if (head.weight && signs.length === 1) return fromSums(head.weight, untested)
  throw refused('the factor is not known, and without the gradient of a bias it may have either sign')
}

/** @throws DlgError `labels` where no factor has counts that explain the gradient */
function* factored(layer: DenseLayer, signs: readonly number[], context: LabelContext): Steps<LabelDecision> {
  const { batchSize, classes, reduction = 'mean' } = context
  const samples = reduction === 'mean' ? batchSize : 1
  const [best, rival] = yield* countsAtAnyFactor(layer, batchSize, samples, signs)
  if (!best || best.residual > EXPLAINED)
    throw refused('the factor is not known, and at none do counts of the classes explain the gradient')
  const { confidence } = yield* weighed(layer, best.counts, best.counts, samples / best.factor)
  const present = best.counts.filter((n) => n > 0).length
  // the factor is one more unknown, the other sign another answer, and a class that is counted twice may stand for a sample that the
  // model is sure of, which adds next to nothing
  const isOpen = present >= classes - 1 || present < batchSize || (rival !== undefined && rival.residual <= EXPLAINED)
  const rule = present === batchSize ? 'bias-signs' : 'iLRG'
  const shown = yield* shownBy(layer.weightGradient, context)
  const decision = certain(spelledOut(best.counts), rule, confidence * shown * (isOpen ? UNTESTED : 1))
  if (!rival || rival.residual > EXPLAINED || decision.kind !== 'known') return decision
  return { ...decision, inferred: { ...decision.inferred!, others: spelledOut(rival.counts) } }
}

function fromBias(bias: Values, context: LabelContext): Steps<LabelDecision> {
  const { batchSize, classes } = context
  const negative = [...bias].flatMap((v, c) => (v < 0 ? [c] : []))
  if (negative.length === batchSize && negative.length < classes)
    return tested(countsOf(negative, classes), 'bias-signs', UNTESTED, context)
  if (classes > 2 && negative.length === classes - 1 && batchSize === 1)
    throw refused(
      'every class but one has a negative bias gradient: this looks like an update with the opposite sign, −learningRate · gradient',
    )
  if (negative.length < batchSize) return repeated(bias, negative, context)
  throw refused(
    `${countOf(negative.length, 'class has', 'classes have')} a negative bias gradient for ${countOf(batchSize, 'sample')}: more samples were averaged, or the labels were soft`,
  )
}

/** Labels of a batch in which some repeat. */
function repeated(biasGradient: Values, present: readonly number[], context: LabelContext): Steps<LabelDecision> {
  const { batchSize, head, layer } = context
  const found = `${countOf(present.length, 'class has', 'classes have')} a negative bias gradient for ${countOf(batchSize, 'sample')}: labels repeat, or the loss is not a one-hot cross-entropy`
  if (present.length === 0 || !head.weight || !layer?.weight || !layer.bias) throw refused(found)
  const dense = { weightGradient: head.weight, biasGradient, weight: layer.weight, bias: layer.bias }
  return counted(dense, found, context)
}

/** @param found what is wrong where no counts explain the gradient, in words */
function* counted(layer: DenseLayer, found: string, context: LabelContext): Steps<LabelDecision> {
  const { batchSize, reduction = 'mean' } = context
  const { counts, residual } = yield* labelCounts(layer, batchSize, reduction === 'mean' ? batchSize : 1)
  const decision = yield* tested(counts, 'iLRG', 1 - residual, context)
  // classes that are equally frequent cancel in ∂b, so that errors of ĥ may be a large part of it: then the whole layer decides, where it can
  const decides =
    decision.kind === 'known' &&
    decision.inferred!.confidence >= SURE &&
    !explainsAnything(layer, countsOf(decision.labels, counts.length))
  if (!(residual <= EXPLAINED) && !decides)
    throw refused(`${found}, and no counts of them explain the gradient (${residual.toFixed(2)} of it is left)`)
  return decision
}

/** Labels of a batch whose last layer has no bias. */
function* fromSums(weightGradient: Values, context: LabelContext): Steps<LabelDecision> {
  const { batchSize, classes } = context
  const found = yield* summedCounts(weightGradient, classes, batchSize)
  if (!found)
    throw refused(
      `a batch of ${batchSize} without a bias gradient is counted by the classes whose weight gradient sums to less than 0: there are none, or more than samples`,
    )
  // half a sample off, a count might as well be another
  return yield* tested(found.counts, 'LLG', Math.min(UNTESTED, 1 - 2 * found.residual), context)
}

/** Part of the bias gradient that counts may leave unexplained. */
const EXPLAINED = 0.1

/** How sure the whole last layer must be of counts that do not explain the gradient of its bias. */
const SURE = 0.5

/** Products of two rows between two looks at the clock. */
const PRODUCTS = 256

/** The class whose row has no positive inner product with any other row of the [features, classes] matrix. */
function* fromProducts(weight: Values, context: LabelContext): Steps<LabelDecision> {
  const { classes } = context
  const features = weight.length / classes
  const product = (c: number, k: number): number => {
    let sum = 0
    for (let j = 0; j < features; j++) sum += weight[j * classes + c] * weight[j * classes + k]
    return sum
  }
  // a class whose probability underflows to zero has an empty row, which is opposed to nothing
  const rows: number[] = []
  for (let c = 0; c < classes; c++) {
    if (product(c, c) > 0) rows.push(c)
    if (c % PRODUCTS === 0) yield
  }
  const candidates: number[] = []
  for (const c of rows) {
    let opposed = true
    for (let i = 0; opposed && i < rows.length; i++) {
      opposed = rows[i] === c || product(c, rows[i]) < 0
      if (i % PRODUCTS === PRODUCTS - 1) yield
    }
    if (opposed) candidates.push(c)
  }
  // two classes: both rows are opposite, and only the sign of h could tell
  if (candidates.length !== 1)
    throw refused(
      `${countOf(candidates.length, 'class has', 'classes have')} a weight gradient opposed to all others: the sample is not alone, or the loss is not a one-hot cross-entropy`,
    )
  return yield* tested(countsOf(candidates, classes), 'row-products', UNTESTED, context)
}

const refused = (why: string): DlgError =>
  new DlgError('labels', `labels: 'infer' cannot apply: ${why}; use labels: 'joint' or give the labels`)
