import { rowProduct } from '../../numbers/row-product'
import type { Steps } from '../../numbers/steps'
import { mapped } from '../../numbers/values'
import { addTimes } from '../../numbers/vectors'
import type { Values } from '../../runtime/runtime'

/** The last dense layer: its gradient and its own values, weight [features, classes] and bias [classes]. */
export interface DenseLayer {
  readonly weightGradient: Values
  readonly biasGradient: Values
  readonly weight: Values
  readonly bias: Values
}

/** How often each class is in a batch. */
export interface Counts {
  /** By class; they sum to the batch size. */
  readonly counts: readonly number[]
  /** ‖predicted − shared‖ / ‖shared‖ of the bias gradient: near 0 where the counts explain it. */
  readonly residual: number
}

/**
 * Counts of repeated labels from the gradient of the last layer, after iLRG (Ma et al., ICLR 2023):
 *
 * Samples of class c dominate its row, so ∂W_c / ∂b_c is their mean feature vector ĥ_c, and P_c = softmax(Wᵀĥ_c + b) what the
 * model says of them. The counts k are those for which ∂b = Σ_c k_c (P_c − 1_c) / B. They are whole numbers: a class with a
 * negative entry has at least one, the rest go one by one where they explain most, until no exchange explains more. A class
 * whose few samples do not outweigh its probability has no negative entry, and the mean of the other ĥ stands in for its own.
 *
 * @param samples what the gradient is divided by: the batch size for a mean, 1 for a sum
 */
export function* labelCounts(layer: DenseLayer, batchSize: number, samples: number): Steps<Counts> {
  const target = mapped(layer.biasGradient as ArrayLike<number>, (v) => v * samples)
  const least: number[] = Array.from(layer.biasGradient, (v) => (v < 0 ? 1 : 0))
  const fit: Fit = {
    shares: yield* sharesOf(layer, least),
    counts: least.map(() => 0),
    rest: target.map((v) => -v),
  }
  for (const [c, n] of least.entries()) if (n > 0) add(fit, c, 1)
  for (let n = least.reduce((a, b) => a + b, 0); n < batchSize; n++) {
    add(fit, bestClass(fit.rest, fit.shares), 1)
    yield
  }
  for (let next = yield* bestExchange(fit, least); next; next = yield* bestExchange(fit, least)) {
    add(fit, next.to, 1)
    add(fit, next.from, -1)
  }
  return { counts: fit.counts, residual: Math.sqrt(squares(fit.rest) / squares(target)) }
}

/** Counts, and what they leave of the gradient. */
interface Fit {
  readonly shares: Shares
  readonly counts: number[]
  /** Σ_c k_c (P_c − 1_c) − B ∂b */
  readonly rest: Float64Array
}

/** P_c − 1_c by class: what one sample adds. */
interface Shares {
  /** By class, for those that are present for sure. */
  readonly own: ReadonlyMap<number, Float64Array>
  /** P of all others, which have the same features and so the same probabilities. */
  readonly typical: Float64Array
}

/** @param least 1 for a class that is present for sure */
function* sharesOf(layer: DenseLayer, least: readonly number[]): Steps<Shares> {
  const present = [...least.keys()].filter((c) => least[c] > 0)
  const shares = yield* sharesOfPresent(layer, present)
  const own = new Map(present.map((c, i) => [c, shares[i]] as const))
  return { own, typical: yield* probabilitiesOf(layer, meanFeatures(layer, present)) }
}

/** P_c − 1_c of each of these classes, of which samples must be there. A factor in the gradient does not change them. */
export function* sharesOfPresent(layer: DenseLayer, present: readonly number[]): Steps<Float64Array[]> {
  const shares: Float64Array[] = []
  for (const c of present) {
    const share = yield* probabilitiesOf(layer, featuresOf(layer, c))
    share[c] -= 1
    shares.push(share)
  }
  return shares
}

/** What one sample of a class adds. */
function shareOf({ own, typical }: Shares, c: number): Float64Array {
  const known = own.get(c)
  if (known) return known
  const share = typical.slice()
  share[c] -= 1
  return share
}

function add({ shares, counts, rest }: Fit, c: number, n: number): void {
  const share = shareOf(shares, c)
  counts[c] += n
  for (let i = 0; i < rest.length; i++) rest[i] += n * share[i]
}

/** The class of which one more sample leaves least of a rest. @param but no sample of this one */
function bestClass(rest: Float64Array, { own, typical }: Shares, but?: number): number {
  // ‖r + P − 1_c‖² = ‖r + P‖² − 2 (r + P)_c + 1
  const whole = squares(rest, typical)
  let [best, least] = [-1, Number.POSITIVE_INFINITY]
  for (let c = 0; c < rest.length; c++) {
    if (c === but) continue
    const known = own.get(c)
    const error = known ? squares(rest, known) : whole - 2 * (rest[c] + typical[c]) + 1
    if (best < 0 || error < least) [best, least] = [c, error]
  }
  return best
}

/** The exchange of a sample that is not certain for one of another class, where one explains more than there is. */
function* bestExchange({ shares, counts, rest }: Fit, least: readonly number[]) {
  let best: { to: number; from: number } | undefined
  let bound = squares(rest) * (1 - 1e-9)
  if (counts.length < 2) return undefined
  for (const from of counts.keys()) {
    if (counts[from] <= least[from]) continue
    const own = shareOf(shares, from)
    const without = rest.map((v, i) => v - own[i])
    const to = bestClass(without, shares, from)
    const error = squares(without, shareOf(shares, to))
    if (error < bound) {
      best = { to, from }
      bound = error
    }
    yield
  }
  return best
}

/** Σ (rest + share)² */
function squares(rest: Float64Array, share?: Float64Array): number {
  let sum = 0
  for (let i = 0; i < rest.length; i++) sum += (rest[i] + (share ? share[i] : 0)) ** 2
  return sum
}

/** ĥ_c = ∂W_c / ∂b_c */
function featuresOf({ weightGradient, biasGradient }: DenseLayer, c: number): Float64Array {
  const classes = biasGradient.length
  return Float64Array.from(
    { length: weightGradient.length / classes },
    (_, j) => weightGradient[j * classes + c] / biasGradient[c],
  )
}

function meanFeatures(layer: DenseLayer, present: readonly number[]): Float64Array {
  const all = present.map((c) => featuresOf(layer, c))
  return all[0].map((_, j) => all.reduce((sum, h) => sum + h[j], 0) / all.length)
}

/** softmax(Wᵀh + b) */
function* probabilitiesOf({ weight, bias }: DenseLayer, features: Float64Array): Steps<Float64Array> {
  return softmax(yield* rowProduct(features, weight, bias.length), bias)
}

/** softmax(scores + bias) */
export function softmax(scores: Float64Array, bias?: Values): Float64Array {
  const out = scores.slice()
  if (bias) addTimes(out, 1, bias)
  let top = Number.NEGATIVE_INFINITY
  for (let i = 0; i < out.length; i++) top = Math.max(top, out[i])
  let total = 0
  for (let i = 0; i < out.length; i++) {
    out[i] = Math.exp(out[i] - top)
    total += out[i]
  }
  for (let i = 0; i < out.length; i++) out[i] /= total
  return out
}

/** How often each class is in a batch, from sums of rows alone. */
export interface SummedCounts {
  /** By class; they sum to the batch size. */
  readonly counts: readonly number[]
  /** How far the sums are from whole numbers of samples: the largest difference of B · s_c / Σ s from the count of a class. */
  readonly residual: number
}

/**
 * Counts of labels from the weight gradient of the last layer, LLG (Wainakh et al., "User-Level Label Leakage from Gradients
 * in Federated Learning", PETS 2022):
 *
 * With features h ≥ 0 the sum of a class's row, s_c = Σⱼ ∂W_jc, falls by about the same m for every sample of the class, m = (1 + 1/C)/B ·
 * Σ of the negative s. A class with a negative sum is present; the rest of the batch goes, one by one, to the class
 * whose sum is lowest after m is taken off for each sample it has.
 *
 * @param weightGradient [features, classes]
 */
export function* summedCounts(
  weightGradient: Values,
  classes: number,
  batchSize: number,
): Steps<SummedCounts | undefined> {
  const ones = new Float64Array(weightGradient.length / classes).fill(1)
  const sums = yield* rowProduct(ones, weightGradient, classes)
  const negative = [...sums.keys()].filter((c) => sums[c] < 0)
  if (negative.length === 0 || negative.length > batchSize) return undefined
  const total = negative.reduce((sum, c) => sum + sums[c], 0)
  const impact = (total / batchSize) * (1 + 1 / classes)
  const counts = new Array<number>(classes).fill(0)
  const rest = sums.slice()
  const take = (c: number): void => {
    counts[c]++
    rest[c] -= impact
  }
  for (const c of negative) take(c)
  for (let n = negative.length; n < batchSize; n++) {
    take(rest.reduce((low, v, c) => (v < rest[low] ? c : low), 0))
    yield
  }
  const residual = negative.reduce((most, c) => Math.max(most, Math.abs((batchSize * sums[c]) / total - counts[c])), 0)
  return { counts, residual }
}
