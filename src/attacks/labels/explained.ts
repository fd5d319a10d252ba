import { Matrix, solve } from 'ml-matrix'
import { normOf } from '../../numbers/norms'
import { pseudoInverse } from '../../numbers/singular-vectors'
import type { Values } from '../../numbers/values'
import { probabilitiesOf } from './counts'

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
 * @param samples what the gradient is divided by: the batch size for a mean, 1 for a sum
 */
export function unexplained(layer: LastLayer, counts: readonly number[], samples: number): number {
  const { weightGradient, biasGradient, weight } = layer
  const classes = counts.length
  const width = weight.length / classes
  const present = [...counts.keys()].filter((c) => counts[c] > 0)
  const most = Math.min(MOST_ROUNDS, Math.max(2, Math.floor(MOST_WORK / (present.length * weight.length))))
  const columns = present.map((c) =>
    Float64Array.from({ length: width }, (_, j) => samples * weightGradient[j * classes + c]),
  )
  /** Solves for the features of each class. @param probabilities of each class that is present */
  const featuresFor = (probabilities: readonly ArrayLike<number>[]): Float64Array[] => {
    const system = Matrix.zeros(present.length, present.length)
    for (const [row, c] of present.entries())
      for (const [column, other] of present.entries())
        system.set(row, column, counts[other] * (probabilities[column][c] - (row === column ? 1 : 0)))
    const right = new Matrix(columns.map((v) => Array.from(v)))
    return solved(system, right)
      .to2DArray()
      .map((row) => Float64Array.from(row))
  }
  let best = Number.POSITIVE_INFINITY
  const uniform = () => featuresFor(present.map(() => new Float64Array(classes).fill(1 / classes)))
  // where the model is sure of its classes the uniform start may lead nowhere; there the samples of a class rule its column
  const ruled = () => present.map((c, i) => columns[i].map((v) => v / (samples * biasGradient![c])))
  const shown = biasGradient !== undefined && present.every((c) => biasGradient[c] !== 0)
  for (const start of shown ? [uniform, ruled] : [uniform]) {
    if (best <= NOTHING) break
    let features = start()
    for (let round = 0; round < most; round++) {
      const probabilities = features.map((h) => probabilitiesOf(layer, h))
      const [offWeight, offBias] = [new Float64Array(weight.length), new Float64Array(classes)]
      for (const [i, c] of present.entries())
        for (let k = 0; k < classes; k++) {
          const share = (counts[c] * (probabilities[i][k] - (k === c ? 1 : 0))) / samples
          offBias[k] += share
          for (let j = 0; j < width; j++) offWeight[j * classes + k] += share * features[i][j]
        }
      for (let i = 0; i < weight.length; i++) offWeight[i] -= weightGradient[i]
      let left = normOf([offWeight]) / normOf([weightGradient])
      if (biasGradient) {
        for (let k = 0; k < classes; k++) offBias[k] -= biasGradient[k]
        left = Math.max(left, normOf([offBias]) / normOf([biasGradient]))
      }
      if (left < best) best = left
      // what rounding of float32 leaves, or no number
      if (!(left > 1e-7)) break
      features = featuresFor(probabilities)
    }
  }
  return best
}

/** Where every class is present the equations are one too few, and the shortest solution is taken. */
function solved(system: Matrix, right: Matrix): Matrix {
  try {
    return solve(system, right)
  } catch {
    const inverse = pseudoInverse(system.to2DArray().map((row) => Float64Array.from(row)))
    return new Matrix(inverse.map((row) => [...row])).mmul(right)
  }
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
/** Most exchanges that are tried, and products of numbers for all of them. */
const [MOST_EXCHANGES, MOST_EXCHANGE_WORK] = [60, 2e8]

/**
 * Holds counts against their neighbours, in which one sample has another class, and takes a neighbour that explains much more.
 *
 * The confidence is (1 − r / 0.2) · w(r) / Σ w(rᵢ) over the counts and their neighbours, w(r) = exp(−(r / σ)² / 2). Counts that leave
 * as many unknown features as there are equations explain every gradient: their confidence is at most 1/2.
 *
 * @param least how many samples each class has for sure
 */
export function weighed(
  layer: LastLayer,
  given: readonly number[],
  least: readonly number[],
  samples: number,
): Explanation {
  let counts = given
  let residual = unexplained(layer, counts, samples)
  let others: number[] = []
  // every step explains more, so that it ends
  for (let steps = 0; steps < given.length; steps++) {
    const tried = exchanges(layer, counts, least).map((other) => ({
      counts: other,
      residual: unexplained(layer, other, samples),
    }))
    others = tried.map((other) => other.residual)
    const better = tried.reduce<(typeof tried)[number] | undefined>(
      (best, other) => (other.residual < (best?.residual ?? residual / 2 - BLUR) ? other : best),
      undefined,
    )
    if (!better) break
    ;({ counts, residual } = better)
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

const commonDivisor = (a: number, b: number): number => (b === 0 ? a : commonDivisor(b, a % b))

/** Whether there are as many unknown features as equations: one column of ∂W follows from the others, as one of ∂b does. */
function explainsAnything({ weight, biasGradient }: LastLayer, counts: readonly number[]): boolean {
  const width = weight.length / counts.length
  const present = counts.filter((n) => n > 0).length
  return present * width >= (counts.length - 1) * width + (biasGradient ? 1 : 0) && counts.some((n) => n > 0)
}

/** Counts in which one sample that is not certain has another class; of many, those whose class has the lowest gradient. */
function exchanges(layer: LastLayer, counts: readonly number[], least: readonly number[]): number[][] {
  const from = [...counts.keys()].filter((c) => counts[c] > least[c])
  const { biasGradient, weightGradient, weight } = layer
  const sums = new Float64Array(counts.length)
  if (biasGradient) sums.set(biasGradient)
  else for (let i = 0; i < weightGradient.length; i++) sums[i % counts.length] += weightGradient[i]
  const to = [...counts.keys()].sort((a, b) => sums[a] - sums[b])
  const present = counts.filter((n) => n > 0).length
  const each = MOST_ROUNDS * present * weight.length
  const most = Math.min(MOST_EXCHANGES, Math.floor(MOST_EXCHANGE_WORK / each))
  return to
    .flatMap((b) =>
      from.filter((a) => a !== b).map((a) => counts.map((n, c) => n + (c === b ? 1 : 0) - (c === a ? 1 : 0))),
    )
    .slice(0, most)
}
