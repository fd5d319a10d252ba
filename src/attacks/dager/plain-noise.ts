import { median } from '../../numbers/median'
import type { Steps } from '../../numbers/steps'
import type { Expected } from './noise-law'
import { largestSingularValue } from './singular-value'

/** What is left of a tensor where the recomputed one is taken off, and the recomputed one. */
export interface Left {
  readonly difference: Float64Array
  readonly own: Float64Array
  readonly shape: readonly number[]
}

/** Noise is estimated: it may be this many times as large, in squares, as the floor says, and in some rows as in others. */
const ROOM = 4

/** Deviations of a sum of independent numbers from zero, from which on it is no accident. */
const NO_ACCIDENT = 6

/** −log of the chance that noise is refused by one comparison. */
const RARE = 14

/** How far above the bound for independent noise the largest singular value may be. */
const STRUCTURE = 1.25

/** Fewer rows or columns than this have no directions to tell apart. */
const LEAST_SIZE = 8

/** Matrices of more numbers are left out of the test for directions: word tables of large models, which take seconds. */
const MOST_NUMBERS = 4e6

/** Some rows of a tensor: those that the sequences touch, or those that they do not. */
interface Rows {
  readonly rows: readonly number[]
  /** By row and by column: ‖difference‖², ‖own‖² and expected rounding². */
  readonly byRow: Sums
  readonly byColumn: Sums
}

interface Sums {
  readonly left: Float64Array
  readonly own: Float64Array
  readonly rounding: Float64Array
}

/** Σ d g, Σ d² g² and Σ g² of differences d and recomputed numbers g: what of the difference is a multiple of the gradient. */
export interface Common {
  readonly product: number
  readonly spread: number
  readonly own: number
}

/** Σ d g and so on of a tensor, and of each of its rows. */
export function* commonOf({ difference, own, shape }: Left): Steps<{ whole: Common; rows: Common[] }> {
  const columns = columnsOf(shape, difference.length)
  const rows: Common[] = []
  const whole = { product: 0, spread: 0, own: 0 }
  for (let from = 0; from < difference.length; from += columns) {
    const row = { product: 0, spread: 0, own: 0 }
    for (let i = from; i < from + columns; i++) {
      const product = difference[i] * own[i]
      row.product += product
      row.spread += product * product
      row.own += own[i] * own[i]
    }
    whole.product += row.product
    whole.spread += row.spread
    whole.own += row.own
    rows.push(row)
    yield
  }
  return { whole, rows }
}

/** A standard deviation of the factor ⟨d, g⟩ / ⟨g, g⟩ that noise alone leaves. */
export const factorNoise = (all: readonly Common[]): number => {
  const add = (key: keyof Common) => all.reduce((sum, common) => sum + common[key], 0)
  return Math.sqrt(add('spread')) / Math.max(add('own'), Number.MIN_VALUE)
}

/**
 * Whether a difference has more of the gradient in it than independent noise may have. Noise of variance d² by number makes Σ d g of
 * variance Σ d² g². The fitted factor may be off too, by as much as noise leaves.
 */
export const hasGradient = ({ product, spread, own }: Common, factor: number): boolean =>
  Math.abs(product) > NO_ACCIDENT * (Math.sqrt(spread) + factor * own)

/** Whether nothing is left: each row by itself, and all of them together. */
export function* isNothing({ difference, own, shape }: Left, expected: Expected): Steps<boolean> {
  const columns = columnsOf(shape, difference.length)
  let all = 0
  for (let from = 0; from < difference.length; from += columns) {
    const left = squaresIn(difference, from, columns)
    if (left > expected.negligibleOfRow(squaresIn(own, from, columns))) return false
    all += left
    yield
  }
  return all <= expected.negligible
}

/**
 * Whether a difference is noise of the size and the spread that are expected. The rows that the sequences touch, and those that they
 * do not touch, are each held against the floor by themselves:
 *
 * - ‖difference‖² is what noise of the expected variance may have (χ²).
 * - No row and no column stands out of the others: noise is the same in all of them, or a part of the gradient's, or the rounding of weights.
 * - The largest singular value is at most about the longest row and the longest column together, as of independent noise
 *   (Latała 2005; Bandeira and van Handel 2016): a wrong token leaves a matrix of few directions.
 */
export function* isPlainNoise(left: Left, expected: Expected): Steps<boolean> {
  const columns = columnsOf(left.shape, left.difference.length)
  const kinds = yield* kindsOf(left, columns, expected)
  // where numbers without a gradient have no noise, all of it is in the others
  const noisy = kinds.filter(({ byRow }) => total(byRow.left) > 0)
  const count = noisy.reduce((sum, { rows }) => sum + rows.length * columns, 0)
  const variance = Math.max(expected.variance, Math.max(expected.square, expected.negligible) / Math.max(count, 1))
  for (const { rows, byRow, byColumn } of noisy) {
    const size = rows.length * columns
    const mean = size * variance + total(byRow.rounding)
    if (total(byRow.left) > ROOM * chance(size, 1) * mean) return false
    if (!isSpread(byRow, columns) || !isSpread(byColumn, rows.length)) return false
    if (rows.length < LEAST_SIZE || columns < LEAST_SIZE || size > MOST_NUMBERS) continue
    const bound = Math.sqrt(byRow.left.reduce(larger)) + Math.sqrt(byColumn.left.reduce(larger))
    const matrix =
      rows.length * columns === left.difference.length ? left.difference : of(left.difference, rows, columns)
    if ((yield* largestSingularValue(matrix, rows.length, columns)) > STRUCTURE * bound) return false
  }
  return true
}

/** A vector is one row. */
const columnsOf = (shape: readonly number[], count: number): number => Math.max(1, shape[shape.length - 1] ?? count)

/** The rows that the sequences touch, and those that they do not touch. */
function* kindsOf({ difference, own }: Left, columns: number, { rounding }: Expected): Steps<Rows[]> {
  const touched: number[] = []
  const silent: number[] = []
  for (let r = 0; r < difference.length / columns; r++)
    (squaresIn(own, r * columns, columns) > 0 ? touched : silent).push(r)
  const kinds: Rows[] = []
  for (const rows of [touched, silent]) {
    const byRow = sums(rows.length)
    const byColumn = sums(columns)
    for (const [k, r] of rows.entries()) {
      for (let j = 0; j < columns; j++) {
        const i = r * columns + j
        const square = { left: difference[i] ** 2, own: own[i] ** 2, rounding: rounding?.(i) ?? 0 }
        for (const key of ['left', 'own', 'rounding'] as const) {
          byRow[key][k] += square[key]
          byColumn[key][j] += square[key]
        }
      }
      yield
    }
    if (rows.length > 0) kinds.push({ rows, byRow, byColumn })
  }
  return kinds
}

const sums = (count: number): Sums => ({
  left: new Float64Array(count),
  own: new Float64Array(count),
  rounding: new Float64Array(count),
})

/**
 * Whether none of some sums of squares stands out of the others; or beside the gradient's own, or beside the rounding of the weights,
 * where that is nearer to them.
 *
 * @param summed how many squares are in each sum
 */
function isSpread({ left, own, rounding }: Sums, summed: number): boolean {
  if (isEven(left, summed)) return true
  const spread = deviationOf(left)
  return [own, rounding]
    .map((beside) => left.map((v, i) => (beside[i] > 0 ? v / beside[i] : v > 0 ? Infinity : 0)))
    .some((ratios) => deviationOf(ratios) < spread && isEven(ratios, summed))
}

function isEven(values: Float64Array, summed: number): boolean {
  // the median of χ² is a little below its mean (Wilson and Hilferty)
  const mean = median(values) / (1 - 2 / (9 * summed)) ** 3
  return values.every((value) => value <= ROOM * chance(summed, values.length) * mean)
}

/** Median distance from the median, of logarithms. */
function deviationOf(values: Float64Array): number {
  const logs = values.map((v) => Math.log(Math.min(Math.max(v, Number.MIN_VALUE), Number.MAX_VALUE)))
  const middle = median(logs)
  return median(logs.map((v) => Math.abs(v - middle)))
}

/** How many times its mean the largest of some sums of squares of normal numbers is at most (χ²; Laurent and Massart 2000). */
function chance(summed: number, sums: number): number {
  const x = Math.log(sums) + RARE
  return 1 + 2 * Math.sqrt(x / summed) + (2 * x) / summed
}

/** Some rows of a matrix. */
function of(values: Float64Array, rows: readonly number[], columns: number): Float64Array {
  const out = new Float64Array(rows.length * columns)
  for (const [k, r] of rows.entries()) out.set(values.subarray(r * columns, (r + 1) * columns), k * columns)
  return out
}

function squaresIn(values: Float64Array, from: number, count: number): number {
  let sum = 0
  for (let i = from; i < from + count; i++) sum += values[i] ** 2
  return sum
}

const total = (values: Float64Array): number => values.reduce((a, b) => a + b, 0)
const larger = (a: number, b: number): number => Math.max(a, b)
