import { solveSquare } from '../../numbers/linear-system'
import { largest, normOf } from '../../numbers/norms'
import { rowProduct } from '../../numbers/row-product'
import { pseudoInverse } from '../../numbers/singular-vectors'
import type { Steps } from '../../numbers/steps'
import { mapped, type Values } from '../../numbers/values'
import { addTimes, inner, lengthOf, orthogonalPart } from '../../numbers/vectors'
import { softmax } from './counts'

/** The last dense layer: its gradient and its own values, weight [features, classes] and, where there is one, bias [classes]. */
export interface LastLayer {
  readonly weightGradient: Values
  readonly biasGradient?: Values
  readonly weight: Values
  readonly bias?: Values
}

const MOST_ROUNDS = 40
/** Products of numbers that all rounds from one start may take: about a fifth of a second. */
const MOST_WORK = 2e8
/** Products of numbers that a soft-max takes as long as, for each class. */
const SOFTMAX = 10

/**
 * How much of the last layer's gradient no batch with these labels explains, relative to the gradient: 0 where one does.
 *
 * A batch with mean features m_c for class c, of which there are k_c samples, has
 *
 * B ∂W = Σ_c k_c m_c (P_c − 1_c)ᵀ,  B ∂b = Σ_c k_c (P_c − 1_c),  P_c = softmax(m_c W + b).
 *
 * The columns of ∂W of the classes that are present are as many equations as there are unknown m_c. They are linear where P is
 * held fixed, and are solved in turn with P. The other columns and ∂b are then predicted. Where every class occurs once at
 * most, the right labels leave rounding alone. Where labels repeat, they leave what the features of one class differ by,
 * squared. Soft labels, another batch size and a factor leave their own size.
 *
 * Every m_c is a combination of those columns of ∂W. So W and ∂W are seen in an orthonormal basis of them, which has as many directions as
 * classes are present and not as many as there are features.
 *
 * @param samples what the gradient is divided by: the batch size for a mean, 1 for a sum
 * @param seen the layer in a basis that spans the columns of these classes, where there is one already
 */
export function* unexplained(
  layer: LastLayer,
  counts: readonly number[],
  samples: number,
  seen?: SeenLayer,
): Steps<number> {
  const { biasGradient } = layer
  const classes = counts.length
  const present = [...counts.keys()].filter((c) => counts[c] > 0)
  // not `??`, behind which the CommonJS build would put the yield into a function of its own
  const { basis, weight, gradient, outside, size } = seen ? seen : yield* seenIn(layer, classes, present)
  const most = roundsOf(present.length, basis.length, classes)
  const columns = present.map((c) => Float64Array.from(gradient, (row) => samples * row[c]))
  let best = Number.POSITIVE_INFINITY
  const uniform = () => featuresFor(present.map(() => new Float64Array(classes).fill(1 / classes)))
  // where the model is sure of its classes the uniform start may lead nowhere; there the samples of a class rule its column
  const ruled = function* (): Steps<Float64Array[]> {
    return present.map((c, i) => columns[i].map((v) => v / (samples * biasGradient![c])))
  }
  const shown = biasGradient !== undefined && present.every((c) => biasGradient[c] !== 0)
  for (const start of shown ? [uniform, ruled] : [uniform]) {
    if (best <= NOTHING) break
    let features = yield* start()
    let before = Number.POSITIVE_INFINITY
    for (let round = 0; round < most; round++) {
      const predicted = gradient.map(() => new Float64Array(classes))
      const offBias = biasGradient ? mapped(biasGradient, (v) => -v) : undefined
      const probabilities: Float64Array[] = []
      for (const [i, c] of present.entries()) {
        const scores = new Float64Array(classes)
        for (const [k, row] of weight.entries()) addTimes(scores, features[i][k], row)
        const share = softmax(scores, layer.bias)
        probabilities.push(share.slice())
        share[c] -= 1
        for (const [k, row] of predicted.entries()) addTimes(row, (counts[c] / samples) * features[i][k], share)
        if (offBias) addTimes(offBias, counts[c] / samples, share)
        yield
      }
      let left = Math.sqrt((outside / size) ** 2 + squaredDifference(predicted, gradient, size))
      if (offBias) left = Math.max(left, normOf([offBias]) / normOf([biasGradient!]))
      if (left < best) best = left
      // what rounding of float32 leaves, no number, or what no further round will change
      if (!(left > 1e-7) || Math.abs(before - left) <= SETTLED * left) break
      before = left
      features = yield* featuresFor(probabilities)
    }
  }
  return best

  /** Solves for the features of each class, in the basis. @param probabilities of each class that is present */
  function* featuresFor(probabilities: readonly Float64Array[]): Steps<Float64Array[]> {
    const system = present.map((c, row) =>
      Float64Array.from(
        present,
        (other, column) => counts[other] * (probabilities[column][c] - (row === column ? 1 : 0)),
      ),
    )
    return yield* solved(system, columns, present.length === classes)
  }
}

/** Most rounds from one start. */
const roundsOf = (present: number, directions: number, classes: number): number =>
  Math.min(MOST_ROUNDS, Math.max(2, Math.floor(MOST_WORK / (present * directions * classes))))

/** Products of numbers that {@link unexplained} may take. */
export const workOf = (present: number, directions: number, classes: number): number =>
  roundsOf(present, directions, classes) * present * (2 * directions + SOFTMAX) * classes

/** Change of what is left, relative to it, below which a further round changes nothing. */
const SETTLED = 1e-4

/** Σ ((a − b) / unit)² over all rows. */
function squaredDifference(a: readonly Float64Array[], b: readonly Float64Array[], unit: number): number {
  let sum = 0
  for (const [k, row] of a.entries()) {
    const other = b[k]
    for (let i = 0; i < row.length; i++) sum += ((row[i] - other[i]) / unit) ** 2
  }
  return sum
}

/** The last layer in an orthonormal basis Q of features that some classes show. */
export interface SeenLayer {
  /** The rows of Q, [width] each. */
  readonly basis: readonly Float64Array[]
  /** Q W and Q ∂W, [classes] for each direction. */
  readonly weight: readonly Float64Array[]
  readonly gradient: readonly Float64Array[]
  /** ‖∂W − Qᵀ Q ∂W‖ */
  readonly outside: number
  /** ‖∂W‖ */
  readonly size: number
}

/** A column of which less than this part lies outside the basis lies in it. */
const NOTHING_NEW = 1e-12

/** Rows of the layer between two looks at the clock. */
const ROWS = 16

/** Sees the layer in a basis of the columns of these classes. @param within what is seen in a basis that is to be extended */
export function* seenIn(
  { weightGradient, weight }: LastLayer,
  classes: number,
  present: readonly number[],
  within?: SeenLayer,
): Steps<SeenLayer> {
  const width = weight.length / classes
  const unit = largest(weightGradient) || 1
  const basis = [...(within?.basis ?? [])]
  for (const c of present) {
    const column = Float64Array.from({ length: width }, (_, j) => weightGradient[j * classes + c] / unit)
    const rest = orthogonalPart(column, basis)
    const length = lengthOf(rest)
    if (length > NOTHING_NEW * lengthOf(column)) basis.push(rest.map((v) => v / length))
    yield
  }
  const seen = { weight: [...(within?.weight ?? [])], gradient: [...(within?.gradient ?? [])] }
  for (const direction of basis.slice(seen.weight.length)) {
    seen.weight.push(yield* rowProduct(direction, weight, classes))
    seen.gradient.push(yield* rowProduct(direction, weightGradient, classes))
  }
  if (within) {
    const taken = normOf(seen.gradient.slice(within.basis.length)) / (within.outside || 1)
    return { ...seen, basis, size: within.size, outside: within.outside * Math.sqrt(Math.max(0, 1 - taken ** 2)) }
  }
  let [outside, size] = [0, 0]
  for (let j = 0; j < width; j++) {
    const row = mapped(weightGradient.subarray(j * classes, (j + 1) * classes), (v) => v / unit)
    size += inner(row, row)
    for (const [k, direction] of basis.entries()) addTimes(row, -direction[j] / unit, seen.gradient[k])
    outside += inner(row, row)
    if (j % ROWS === 0) yield
  }
  return { ...seen, basis, outside: unit * Math.sqrt(outside), size: unit * Math.sqrt(size) }
}

/**
 * Solves a system for several right sides. Where it has no inverse, the shortest solution is taken.
 *
 * @param closed whether every class is present. The equations then add up to zero, and so does each column of the system: one vector n has
 * S n = 0. S + 1 1ᵀ has an inverse, which gives a solution x, and n where the right side is 1. x without its part along n is the shortest.
 */
function* solved(system: readonly Float64Array[], right: readonly Float64Array[], closed: boolean) {
  const matrix = system.map((row) => (closed ? row.map((v) => v + 1) : row.slice()))
  const rows = right.map((row) => (closed ? Float64Array.of(...row, 1) : row.slice()))
  if (yield* solveSquare(matrix, rows)) {
    if (!closed) return rows
    const width = right[0].length
    const n = Float64Array.from(rows, (row) => row[width])
    const along = new Float64Array(width)
    for (const [i, row] of rows.entries()) addTimes(along, n[i] / inner(n, n), row)
    return rows.map((row, i) => mapped(along, (v, k) => row[k] - n[i] * v))
  }
  const out: Float64Array[] = []
  for (const row of yield* pseudoInverse(system)) {
    const sum = new Float64Array(right[0].length)
    for (const [i, by] of row.entries()) addTimes(sum, by, right[i])
    out.push(sum)
    yield
  }
  return out
}

/** Counts with what they leave, and how sure they are. */
export interface Explanation {
  readonly counts: readonly number[]
  /** What {@link unexplained} says of them. */
  readonly residual: number
  /** From 0 to 1: how well they explain the gradient, and how much better than other counts. */
  readonly confidence: number
}

/** Part of the gradient that may be left before nothing is explained. */
const NOTHING = 0.2
/** What is left of a gradient in float32 by the right labels, where each occurs once. */
const ROUNDING = 1e-4
/** Differences between residuals below this say nothing: features of one class differ. */
const BLUR = 0.01
/** Most exchanges that are made one after the other. */
const MOST_STEPS = 16
/** Most exchanges that are tried, and products of numbers for all of them. */
const [MOST_EXCHANGES, MOST_EXCHANGE_WORK] = [60, 2e8]

/**
 * Holds counts against their neighbours, in which one sample has another class, and takes a neighbour that explains much more. From
 * counts that explain nothing, it goes on to any that explain more.
 *
 * The confidence is (1 − r / 0.2) · w(r) / Σ w(rᵢ) over the counts and their neighbours, w(r) = exp(−(r / σ)² / 2). Counts that leave
 * as many unknown features as there are equations explain every gradient: their confidence is at most 1/2.
 *
 * @param least how many samples each class has for sure
 */
export function* weighed(
  layer: LastLayer,
  given: readonly number[],
  least: readonly number[],
  samples: number,
): Steps<Explanation> {
  const classes = given.length
  const order = yield* lowestFirst(layer, classes)
  let counts = given
  let seen = yield* seenIn(layer, classes, presentIn(counts))
  let residual = yield* unexplained(layer, counts, samples, seen)
  let others: number[] = []
  for (let steps = 0; steps < Math.min(classes, MOST_STEPS); steps++) {
    others = []
    // from counts that explain nothing, any step down may lead to those that do; where all counts explain ∂W, it leads nowhere
    const lost = residual > NOTHING && !explainsAnything(layer, counts)
    const enough = (lost ? residual : residual / 2) - BLUR
    let better: { counts: number[]; residual: number } | undefined
    let wider = { to: -1, seen }
    for (const { from, to } of exchanges(layer, counts, least, order)) {
      if (wider.to !== to) wider = { to, seen: counts[to] > 0 ? seen : yield* seenIn(layer, classes, [to], seen) }
      const other = counts.map((n, c) => n + (c === to ? 1 : 0) - (c === from ? 1 : 0))
      const left = yield* unexplained(layer, other, samples, wider.seen)
      others.push(left)
      if (left < (better?.residual ?? enough)) better = { counts: other, residual: left }
    }
    if (!better) break
    ;({ counts, residual } = better)
    seen = yield* seenIn(layer, classes, presentIn(counts))
  }
  const spread = Math.max(residual, BLUR)
  const weightOf = (r: number): number => Math.exp(-((r / spread) ** 2) / 2)
  const rivals = others.reduce((sum, r) => sum + (Number.isNaN(r) ? 0 : weightOf(r)), weightOf(residual))
  const fit = residual <= ROUNDING ? 1 : Math.max(0, 1 - residual / NOTHING)
  const share = weightOf(residual) / rivals
  // neighbours that leave thousands of times as much are none
  const alone = share > 1 - 1e-6 ? 1 : share
  // a smaller batch in the same proportions explains as much; at rounding the samples of a class do not differ at all
  const proportion = residual <= ROUNDING ? counts.reduce(commonDivisor, 0) : 1
  const confidence = (fit * alone * (explainsAnything(layer, counts) ? 0.5 : 1)) / proportion
  return { counts, residual, confidence: Number.isFinite(confidence) ? confidence : 0 }
}

const presentIn = (counts: readonly number[]): number[] => [...counts.keys()].filter((c) => counts[c] > 0)

const commonDivisor = (a: number, b: number): number => (b === 0 ? a : commonDivisor(b, a % b))

/** Whether there are as many unknown features as equations: one column of ∂W follows from the others, as one of ∂b does. */
export function explainsAnything({ weight, biasGradient }: LastLayer, counts: readonly number[]): boolean {
  const width = weight.length / counts.length
  const present = presentIn(counts).length
  return present * width >= (counts.length - 1) * width + (biasGradient ? 1 : 0) && present > 0
}

/** The classes, that with the lowest gradient first. */
function* lowestFirst({ biasGradient, weightGradient }: LastLayer, classes: number): Steps<readonly number[]> {
  const ones = new Float64Array(weightGradient.length / classes).fill(1)
  const sums = biasGradient ? biasGradient : yield* rowProduct(ones, weightGradient, classes)
  return Array.from({ length: classes }, (_, c) => c).sort((a, b) => sums[a] - sums[b])
}

/**
 * The exchanges of one sample that is not certain for one of another class; of many, those for a class with the lowest gradient.
 *
 * @param order the classes, that with the lowest gradient first
 */
function exchanges(
  { weight }: LastLayer,
  counts: readonly number[],
  least: readonly number[],
  order: readonly number[],
): { readonly from: number; readonly to: number }[] {
  const from = [...counts.keys()].filter((c) => counts[c] > least[c])
  const present = presentIn(counts).length
  const directions = Math.min(present + 1, weight.length / counts.length)
  const each = MOST_ROUNDS * present * (2 * directions + SOFTMAX) * counts.length + 2 * weight.length
  const most = Math.min(MOST_EXCHANGES, Math.floor(MOST_EXCHANGE_WORK / each))
  // no more of the order than is taken
  return order
    .slice(0, most + 1)
    .flatMap((to) => from.filter((a) => a !== to).map((a) => ({ from: a, to })))
    .slice(0, most)
}
