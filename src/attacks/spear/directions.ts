import type { Steps } from '../../numbers/steps'
import { symmetricEigen } from '../../numbers/symmetric-eigen'
import { inner, lengthOf } from '../../numbers/vectors'
import type { Factors } from './factors'

/**
 * Units of the layer as rows of L in units of their noise. With ∂Z = L Q, a column q of Q is a direction that is orthogonal
 * to the row of every unit that was off for one sample.
 */
export interface Units {
  /** Numbers in a row. */
  readonly rank: number
  /** Rows of units whose gradient stands out of the noise. */
  readonly rows: readonly Float64Array[]
  /** Rows of length 1. */
  readonly unitRows: readonly Float64Array[]
  /** Which unit of the layer each row is. */
  readonly positions: readonly number[]
}

/** Length of a row, in units of noise, from which it says whether a sample turned its unit off. */
export const LOUD = 30

/** A product below this many standard deviations of its noise is zero. */
export const ZERO = 6

/** Products up to this many times that bound may be zero for a direction that is a little off. */
export const WIDE = 10

export function unitsOf({ units, rank, left, noise }: Factors): Units {
  const all = Array.from({ length: units }, (_, j) => j)
  const row = (j: number): Float64Array => left.subarray(j * rank, (j + 1) * rank)
  const positions = all.filter((j) => lengthOf(row(j)) > LOUD * noise[j])
  return unitsFrom(
    positions.map((j) => row(j).map((v) => v / noise[j])),
    positions,
    rank,
  )
}

export const unitsFrom = (rows: readonly Float64Array[], positions: readonly number[], rank: number): Units => ({
  ...{ rank, rows, positions },
  unitRows: rows.map((row) => scaled(row, 1 / lengthOf(row))),
})

/** Which units a direction is orthogonal to, within `bound` standard deviations. */
export function zerosOf({ rows }: Units, direction: Float64Array, bound = ZERO): number[] {
  const zeros: number[] = []
  for (let j = 0; j < rows.length; j++) if (Math.abs(inner(rows[j], direction)) < bound) zeros.push(j)
  return zeros
}

/**
 * How many zeros a direction needs before it is no accident: those it was made from, and more than noise gives a random
 * direction. P(|⟨r, q⟩| < z) ≈ 2 z / ‖r‖ · √(b / 2π) for a random unit vector q in b dimensions.
 */
export function zerosNeeded({ rows, rank }: Units): number {
  const factor = 2 * ZERO * Math.sqrt(rank / (2 * Math.PI))
  const byChance = rows.reduce((sum, row) => sum + Math.min(1, factor / lengthOf(row)), 0)
  return Math.ceil(rank - 1 + byChance + 5 * Math.sqrt(byChance) + Math.min(6, rank))
}

/** The unit vector that is closest to orthogonal to all these rows: the least singular vector. */
export function* leastDirection(rows: readonly Float64Array[], rank: number): Steps<Float64Array> {
  return (yield* symmetricEigen(yield* gramOf(rows, rank))).vectors[rank - 1]
}

/** Σ r rᵀ over rows of `rank` numbers. */
export function* gramOf(rows: readonly Float64Array[], rank: number): Steps<Float64Array[]> {
  const gram = Array.from({ length: rank }, () => new Float64Array(rank))
  for (const [j, row] of rows.entries()) {
    for (let i = 0; i < rank; i++) for (let k = 0; k <= i; k++) gram[i][k] += row[i] * row[k]
    if (j % ROWS === 0) yield
  }
  for (let i = 0; i < rank; i++) for (let k = 0; k < i; k++) gram[k][i] = gram[i][k]
  return gram
}

/** Rows between two looks at the clock. */
const ROWS = 64

/** Widths at which products count as nearly zero, relative to their size: from what is nearly right to what is right. */
const SHARPER = [0.2, 0.1, 0.05, 0.025, 0.01, 0.004, 0.001]

/** A direction that is nearly right, made sharper: the least direction of rows that count 1 / (⟨l, q⟩² + μ²) for a shrinking μ. */
export function* sharpened({ unitRows, rank }: Units, near: Float64Array): Steps<Float64Array> {
  let direction = near
  for (const sharpness of SHARPER) {
    const products = unitRows.map((row) => inner(row, direction))
    const width = sharpness * Math.sqrt(products.reduce((sum, v) => sum + v * v, 0) / products.length)
    direction = yield* leastDirection(
      unitRows.map((row, j) => scaled(row, 1 / Math.hypot(products[j], width))),
      rank,
    )
  }
  return direction
}

/** A direction of length 1 with its zeros. */
export interface Refined {
  readonly direction: Float64Array
  readonly zeros: readonly number[]
}

/**
 * A direction that was found roughly, made exact: the least singular vector of its zeros, and again with the zeros of that.
 *
 * @param zeros rows to begin with
 * @returns undefined where it has no more zeros than an accident has
 */
export function* refined(units: Units, zeros: readonly number[], needed: number): Steps<Refined | undefined> {
  let [direction, next] = [undefined as Float64Array | undefined, zeros]
  for (let i = 0; i < 4; i++) {
    if (next.length < units.rank - 1) return undefined
    direction = yield* leastDirection(
      next.map((j) => units.rows[j]),
      units.rank,
    )
    const found = zerosOf(units, direction)
    const same = found.length === next.length && found.every((j, at) => j === next[at])
    next = found
    if (same) break
  }
  return direction && next.length >= needed ? { direction, zeros: next } : undefined
}

export const scaled = (a: Float64Array, factor: number): Float64Array => a.map((v) => v * factor)
