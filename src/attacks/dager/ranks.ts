import { median } from '../../numbers/median'
import type { Steps } from '../../numbers/steps'
import { squaredNorm, type Values } from '../../numbers/values'
import { type RowSpectrum, rowSpectrum } from './span'

/**
 * Directions that must be left outside a span: a layer norm takes one of them, and in fewer than these some token in 10⁶ would
 * be near the span by chance.
 */
export const ROOM = 8

/** A ratio of neighbouring singular values that is surely the end of a span: those inside have ratios up to 12. */
const SURE = 100

/** A ratio near the last dimension from which it is clear that only a layer norm's direction is left. */
const CLEAR = 8

/** Ranks that are tried where no gap is clear. */
const TRIALS = 5

/** Ranks of adapters that are tried, where rounding may hide the gap: a wrong rank shows no token, which is soon seen. */
const ADAPTER_TRIALS = 24

/** How far above the mean noise of a direction the largest one may be by chance. */
const CHANCE = 1.1

/** What the singular values of a block's gradients say of the number of vectors that it read. */
export interface Ranks {
  /** The ranks that are worth a trial, the likeliest first; empty where the vectors fill the space. */
  readonly likely: readonly number[]
  /** Whether the first one shows at a clear gap. */
  readonly clear: boolean
  /** s_r / s_r+1 at the first one. */
  readonly gap: number
  /** Whether the gradients have a direction for nearly every dimension, and hardly any noise: there are as many tokens. */
  readonly full: boolean
}

/**
 * The rank of the gradients at the gap of their singular values. Behind the gap there is what rounding, noise or pruning leave.
 *
 * Where no ratio is clear, the rank is one of those with the largest ratios, or the number of singular values above the edge of
 * a random matrix: rows of variance ν² have (√rows + √width)² ν² at most (Marchenko and Pastur).
 *
 * @param room directions that must be left outside
 */
export function ranksOf({ width, rows, values }: RowSpectrum, room = ROOM): Ranks {
  const ratio = (r: number): number => Math.sqrt(values[r - 1] / values[r])
  const order = (from: number, to: number): number[] =>
    Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i).sort((a, b) => ratio(b) - ratio(a))
  const inside = order(1, width - room)
  const beyond = order(Math.max(1, width - room + 1), width - 1)
  const first = inside[0]
  const fullGap = beyond.length > 0 ? ratio(beyond[0]) : 1
  if (first === undefined || (fullGap >= CLEAR && fullGap > ratio(first)))
    return { likely: [], clear: false, gap: fullGap, full: true }
  if (ratio(first) >= SURE) return { likely: [first], clear: true, gap: ratio(first), full: false }
  const edge = aboveNoise(values, width, rows)
  const likely = [...new Set([...(edge > 0 && edge <= width - room ? [edge] : []), ...inside.slice(0, TRIALS)])]
  return { likely: likely.slice(0, TRIALS), clear: false, gap: ratio(likely[0]), full: false }
}

/** A ratio that is more likely noise's edge than a spread of the signal, which has ratios up to 12. */
const LIKELY = 16

/** Singular values below this part of the largest are the rounding of float32. */
const ROUNDING = 1e-5

/**
 * Like {@link ranksOf}, for the gradients of adapters, which have few rows or few columns.
 *
 * As many vectors as an adapter has directions, or more, leave no gap, and one direction may be far larger than the others. So a gap
 * is clear only where rounding is all that is behind it.
 *
 * @param most vectors that may be told apart; as many as the gradients have rows where a gap need not show
 */
export function ranksOfAdapters({ rows, values }: RowSpectrum, most: number): Ranks {
  const ratio = (r: number): number => Math.sqrt(values[r - 1] / values[r])
  const inside = Array.from({ length: Math.min(most, rows - 1) }, (_, i) => i + 1).sort((a, b) => ratio(b) - ratio(a))
  const [first] = inside
  const gap = first === undefined ? 1 : ratio(first)
  if (gap >= SURE && values[first] <= ROUNDING ** 2 * values[0])
    return { likely: [first], clear: true, gap, full: false }
  const all = rows <= most ? [rows] : []
  const likely = gap >= LIKELY && first > 1 ? [first, ...all, ...inside.slice(1)] : [...all, ...inside]
  return { likely: likely.slice(0, ADAPTER_TRIALS), clear: false, gap, full: false }
}

/** How many values stand above the edge of the noise that the others show. */
function aboveNoise(values: Float64Array, width: number, rows: number): number {
  const spread = (1 + Math.sqrt(width / Math.max(rows, 1))) ** 2
  let rank = Math.floor(width / 2)
  for (let round = 0; round < 20; round++) {
    const tail = values.subarray(rank)
    const mean = tail.reduce((a, b) => a + b, 0) / tail.length
    const next = values.findLastIndex((v) => v > CHANCE * spread * mean) + 1
    if (next === rank) break
    rank = Math.min(next, width - ROOM)
  }
  return rank
}

/** The row spectrum of matrices that read the same vectors, each row weighed by its own noise. */
export interface NoisySpectrum extends RowSpectrum {
  /** By matrix: ‖noise‖ / ‖matrix‖, as the directions show it that are surely noise. */
  readonly noise: readonly number[]
}

/** A ratio of neighbouring singular values from which on noise turns the span by less than 1e-4. */
const BEYOND_DOUBT = 1e4

/** A row's noise counts as at least this part of the median: little of it may be chance. */
const LEAST = 0.2

/**
 * Decomposes the gradients twice. The first time all matrices count alike. The directions behind the rank then show the noise of
 * every row: large where the row is large and was rounded to a coarse type, or where its matrix has more noise than others. The
 * second time each row is divided by its noise, which leaves the span as it is, and makes the noise of all rows alike. Once is enough where there is
 * hardly any.
 */
export function* noisySpectrum(gradients: readonly Values[], width: number): Steps<NoisySpectrum> {
  const norms = gradients.map((values) => Math.sqrt(squaredNorm([values])))
  const even = yield* rowSpectrum(
    gradients,
    width,
    gradients.map((values, k) => new Float64Array(values.length / width).fill(norms[k] > 0 ? 1 / norms[k] : 0)),
  )
  const relative = (rows: readonly Float64Array[]): number[] =>
    rows.map((list, k) => (norms[k] > 0 ? Math.sqrt(width * squaredNorm([list])) / norms[k] : 0))
  const rows = yield* noiseOf(gradients, even, true)
  // no noise that weights make alike turns the span by more than is allowed without noise
  const { clear, gap } = ranksOf(even)
  if (clear && gap >= BEYOND_DOUBT) return { ...even, noise: relative(rows) }
  const least = LEAST * median(rows.flatMap((list) => [...list].filter((v) => v > 0)))
  if (!(least > 0)) return { ...even, noise: relative(rows) }
  const weights = rows.map((list, k) =>
    list.map((v, r) => (isZero(gradients[k], r * width, width) ? 0 : least / Math.max(v, least))),
  )
  const weighed = yield* rowSpectrum(gradients, width, weights)
  // a matrix of much noise hides directions of the others at first, which then count as their noise; and the far half has the least of it
  return { ...weighed, noise: relative(yield* noiseOf(gradients, weighed, false)) }
}

/**
 * By row: the standard deviation of each of its numbers, along the directions behind the rank.
 *
 * @param far whether the near half of these directions is left out: the signal may go on there
 */
function* noiseOf(gradients: readonly Values[], spectrum: RowSpectrum, far: boolean): Steps<Float64Array[]> {
  const { width, vectors } = spectrum
  const rank = Math.min(ranksOf(spectrum).likely[0] ?? width, width - ROOM)
  // not the last one, which a layer norm may leave empty
  const count = Math.max(ROOM - 1, far ? (width - rank) >> 1 : width - rank - 1)
  const behind = vectors.slice(Math.max(0, width - 1 - count), Math.max(1, width - 1))
  const found: Float64Array[] = []
  for (const values of gradients) {
    const own = new Float64Array(values.length / width)
    for (const r of own.keys()) {
      let sum = 0
      for (const direction of behind) {
        let c = 0
        for (let j = 0; j < width; j++) c += values[r * width + j] * direction[j]
        sum += c * c
      }
      own[r] = Math.sqrt(sum / behind.length)
      yield
    }
    found.push(own)
  }
  return found
}

function isZero(values: Values, from: number, count: number): boolean {
  for (let i = from; i < from + count; i++) if (values[i] !== 0) return false
  return true
}
