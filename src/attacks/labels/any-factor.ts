import { solveSquare } from '../../numbers/linear-system'
import type { Steps } from '../../numbers/steps'
import type { Values } from '../../numbers/values'
import { inner } from '../../numbers/vectors'
import { type DenseLayer, sharesOfPresent } from './counts'
import { seenIn, unexplained, workOf } from './explained'

/** Counts of classes, with the factor at which they explain the gradient best. */
export interface FactoredCounts {
  readonly counts: readonly number[]
  /** What the gradient was multiplied by, of either sign. */
  readonly factor: number
  /** Part of the last layer's gradient that they leave unexplained. */
  readonly residual: number
}

/** Evaluations by which a factor is refined, at least and at most, and products of numbers for all of them. */
const [LEAST_REFINED, MOST_REFINED, MOST_WORK] = [8, 32, 4e8]
/** The range of a factor around its first value, as a power of two. */
const RANGE = 2

/**
 * The counts of the classes in a batch whose gradient was shared times a factor α that nobody knows, for each sign of α that allows some; the best first.
 *
 * ∂b = α/B Σ_c k_c (P_c − 1_c), and ∂W_c / ∂b_c says what the model says of class c, P_c, whatever α is. The sign of α says which classes are present,
 * and least squares their parts κ_c = α k_c / B, of which the sum is α. The counts are the whole numbers nearest to B κ_c / α. The
 * factor is then the one at which they explain the whole layer best. Where the counts are not near whole numbers, there are none.
 *
 * @param samples what the gradient is divided by, beside the factor: the batch size for a mean, 1 for a sum
 * @param signs those that the factor may have
 */
export function* countsAtAnyFactor(
  layer: DenseLayer,
  batchSize: number,
  samples: number,
  signs: readonly number[],
): Steps<FactoredCounts[]> {
  const found: FactoredCounts[] = []
  for (const sign of signs) {
    const present = presentIn(layer.biasGradient, sign)
    if (present.length === 0 || present.length > batchSize) continue
    const fitted = yield* partsOf(layer, present, batchSize)
    // these classes are present at this sign alone
    if (!fitted || !(sign * fitted.sum > 0)) continue
    const counts = new Array<number>(layer.bias.length).fill(0)
    for (const [i, c] of present.entries()) counts[c] = fitted.counts[i]
    found.push(yield* refined(layer, counts, (fitted.sum * samples) / batchSize, samples))
  }
  return found.sort((a, b) => a.residual - b.residual)
}

/** Classes of the given sign, opposed to the others: at a positive factor those that are negative. */
export function presentIn(biasGradient: Values, sign: number): number[] {
  const all = Array.from(biasGradient, (_, c) => c)
  const present = all.filter((c) => sign * biasGradient[c] < 0)
  return present.length < all.length ? present : []
}

/** What rounding leaves of a layer in float32. */
const ROUNDING = 1e-6

/** How far a count may be from a whole number. */
const WHOLE = 0.3

/** Least squares of ∂b = Σ κ_c (P_c − 1_c) over classes that are present, as counts that sum to the batch size. */
function* partsOf(
  layer: DenseLayer,
  present: readonly number[],
  batchSize: number,
): Steps<{ readonly counts: number[]; readonly sum: number } | undefined> {
  const shares = yield* sharesOfPresent(layer, present)
  const target = Float64Array.from(layer.biasGradient)
  const matrix = shares.map((a) => Float64Array.from(shares, (b) => inner(a, b)))
  const right = shares.map((a) => Float64Array.of(inner(a, target)))
  if (!(yield* solveSquare(matrix, right))) return undefined
  const parts = right.map(([part]) => part)
  const sum = parts.reduce((a, b) => a + b, 0)
  const exact = parts.map((part) => (batchSize * part) / sum)
  // as many classes as samples have one each
  const counts = exact.map((n) => (present.length === batchSize ? 1 : Math.round(n)))
  const isWhole = counts.every((n, i) => n > 0 && (present.length === batchSize || Math.abs(n - exact[i]) <= WHOLE))
  return isWhole && counts.reduce((a, b) => a + b, 0) === batchSize ? { counts, sum } : undefined
}

/** The factor near a first one at which the counts leave least of the whole layer, by golden sections of its logarithm. */
function* refined(layer: DenseLayer, counts: readonly number[], first: number, samples: number): Steps<FactoredCounts> {
  const present = [...counts.keys()].filter((c) => counts[c] > 0)
  const seen = yield* seenIn(layer, counts.length, present)
  const most = Math.floor(MOST_WORK / workOf(present.length, seen.basis.length, counts.length))
  const sections = Math.max(LEAST_REFINED, Math.min(MOST_REFINED, most))
  const leftAt = (power: number) => unexplained(layer, counts, samples / (first * 2 ** power), seen)
  const part = (Math.sqrt(5) - 1) / 2
  let [low, high] = [-RANGE, RANGE]
  let [best, residual] = [0, yield* leftAt(0)]
  // of one sample the first value is exact
  if (residual <= ROUNDING) return { counts, factor: first, residual }
  let [a, b] = [high - part * (high - low), low + part * (high - low)]
  let [atA, atB] = [yield* leftAt(a), yield* leftAt(b)]
  for (let i = 0; i < sections; i++) {
    for (const [power, left] of [
      [a, atA],
      [b, atB],
    ])
      if (left < residual) [best, residual] = [power, left]
    if (atA < atB) {
      ;[high, b, atB] = [b, a, atA]
      a = high - part * (high - low)
      atA = yield* leftAt(a)
    } else {
      ;[low, a, atA] = [a, b, atB]
      b = low + part * (high - low)
      atB = yield* leftAt(b)
    }
  }
  return { counts, factor: first * 2 ** best, residual }
}
