import { Matrix, solve } from 'ml-matrix'
import type { Steps } from '../../numbers/steps'
import { mapped } from '../../numbers/values'
import { inner, lengthOf } from '../../numbers/vectors'
import { scaled, type Units, WIDE, ZERO } from './directions'
import type { Factors } from './factors'

/** What is known of the layer beside its gradient: z = X̃ W̃ with W̃ = [W; β] in the coordinates of R, one column for each unit. */
export interface Layer {
  /** a_j = R w̃_j: with X̃ = P R, the sample of row p has z_j = ⟨p, a_j⟩. */
  readonly columns: readonly Float64Array[]
  /** ‖w̃_j‖ */
  readonly sizes: Float64Array
  /** Last column of R: with X̃ = P R, ⟨p, last⟩ is the 1 at the end of a sample. */
  readonly last: Float64Array
}

/**
 * @param weight [in, units] row by row
 */
export function* layerOf(
  { right, rank, width, units }: Factors,
  weight: ArrayLike<number>,
  bias: ArrayLike<number>,
): Steps<Layer> {
  const columns = Array.from({ length: units }, () => new Float64Array(rank))
  const sizes = new Float64Array(units)
  for (let i = 0; i < width; i++) {
    for (let j = 0; j < units; j++) {
      const value = i < width - 1 ? weight[i * units + j] : bias[j]
      sizes[j] += value * value
      for (let k = 0; k < rank; k++) columns[j][k] += right[k * width + i] * value
    }
    yield
  }
  const last = Float64Array.from({ length: rank }, (_, k) => right[k * width + width - 1])
  return { columns, sizes: sizes.map(Math.sqrt), last }
}

/** Whether a unit was on for a sample: 1, off: −1, or hidden in the noise: 0. */
export type Pattern = Int8Array

/** A direction that may be a column of Q. */
export interface Candidate {
  /** A vector of length 1. */
  readonly direction: Float64Array
  /** Rows of the units that it is orthogonal to. */
  readonly zeros: readonly number[]
  /** By unit of the layer. */
  readonly pattern: Pattern
  /** By unit of the layer, how many times the bound of zero ∂z is above it, up to {@link WINDOWS}; 0 below it and further up. */
  readonly above: Uint8Array
  /** The plane through the origin that divides the pattern best: near a row p of P, up to a factor above 0. */
  readonly plane: Float64Array
  /** Part of the pattern that it divides, from 0 to 1. */
  readonly explained: number
}

/** As often as ∂z of a unit that was on is hidden below the bound, it is between the bound and twice of it, and so on for about so many times. */
export const WINDOWS = 10

/** A direction with what it says of its sample. */
export function* candidateOf(
  units: Units,
  direction: Float64Array,
  zeros: readonly number[],
  layer: Layer,
): Steps<Candidate> {
  const pattern = new Int8Array(layer.columns.length)
  const above = new Uint8Array(layer.columns.length)
  units.rows.forEach((row, at) => {
    const size = Math.abs(inner(row, direction))
    const times = Math.floor(size / ZERO)
    if (times <= WINDOWS) above[units.positions[at]] = times
    pattern[units.positions[at]] = size < ZERO ? -1 : size > 2 * ZERO ? 1 : 0
  })
  return { direction, zeros, pattern, above, ...(yield* dividing(pattern, layer)) }
}

/** Steps of Newton's method, and the weight of ‖p‖² that keeps it from growing without end where all is explained. */
const [STEPS, RIDGE] = [8, 1e-3]

/** Points between two looks at the clock. */
const POINTS = 128

/** After this many steps a pattern of a sample is explained to this part, and that of a mixture is not. */
const [LOOK, HOPEFUL] = [2, 0.85]

/**
 * How much of a pattern some input explains. The units that a sample turned on have ⟨p, a_j⟩ > 0 and the others ≤ 0: a plane
 * through the origin divides them. In b dimensions a plane divides many more than 2 b units at random with hardly any chance
 * (Cover 1965), and a mixture of samples is not divided. The plane is found by logistic regression.
 */
function* dividing(pattern: Pattern, { columns, last }: Layer): Steps<Pick<Candidate, 'plane' | 'explained'>> {
  const points: Float64Array[] = [scaled(last, 1 / Math.max(lengthOf(last), Number.MIN_VALUE))]
  pattern.forEach((sign, j) => {
    const size = lengthOf(columns[j])
    if (sign !== 0 && size > 0) points.push(scaled(columns[j], sign / size))
  })
  const rank = last.length
  let plane: Float64Array = new Float64Array(rank)
  const explained = (): number => points.filter((point) => inner(plane, point) > 0).length / points.length
  for (let step = 0; step < STEPS; step++) {
    if (step === LOOK && explained() < HOPEFUL) break
    const gradient = mapped(plane, (v) => RIDGE * v)
    const hessian = Array.from({ length: rank }, (_, i) => {
      const row = new Float64Array(rank)
      row[i] = RIDGE
      return row
    })
    for (const [at, point] of points.entries()) {
      if (at % POINTS === 0) yield
      const p = 1 / (1 + Math.exp(inner(plane, point)))
      const weight = p * (1 - p)
      for (let i = 0; i < rank; i++) {
        gradient[i] -= p * point[i]
        for (let k = 0; k <= i; k++) hessian[i][k] += weight * point[i] * point[k]
      }
    }
    for (let i = 0; i < rank; i++) for (let k = 0; k < i; k++) hessian[k][i] = hessian[i][k]
    const change = solve(new Matrix(hessian), Matrix.columnVector(gradient)).to1DArray()
    plane = plane.map((v, i) => v - change[i])
  }
  return { plane, explained: explained() }
}

/** Candidates, each direction once, the best explained first. */
export interface Pool {
  readonly candidates: readonly Candidate[]
  /** Adds a direction with its zeros. @returns whether it is new, and better than what a full pool has */
  add(direction: Float64Array, zeros: readonly number[]): Steps<boolean>
}

/** Most candidates that are kept: the worst explained fall out. */
const KEPT = 200

export function newPool(units: Units, layer: Layer): Pool {
  const candidates: Candidate[] = []
  const seen = new Set<string>()
  const products = new Map<Candidate, Float64Array>()
  const productsOf = (direction: Float64Array): Float64Array => {
    const all = Float64Array.from(units.unitRows, (row) => inner(row, direction))
    return scaled(all, 1 / Math.max(lengthOf(all), Number.MIN_VALUE))
  }
  return {
    candidates,
    *add(direction, zeros) {
      const key = zeros.join()
      if (seen.has(key)) return false
      seen.add(key)
      const own = productsOf(direction)
      const twin = candidates.some((other) => {
        if (Math.abs(inner(products.get(other)!, own)) < SAME) return false
        const shared = new Set(other.zeros)
        const common = zeros.filter((j) => shared.has(j)).length
        return common > 0.9 * Math.max(other.zeros.length, zeros.length)
      })
      if (twin) return false
      const same = candidates.find((other) => nearly(units, direction, other.zeros) && nearly(units, other.direction, zeros)) // biome-ignore format: one line
      if (same && same.zeros.length >= zeros.length) return false
      if (same) {
        candidates.splice(candidates.indexOf(same), 1)
        products.delete(same)
      }
      const candidate = yield* candidateOf(units, direction, zeros, layer)
      products.set(candidate, own)
      const at = candidates.findIndex((other) => isBetter(candidate, other))
      candidates.splice(at < 0 ? candidates.length : at, 0, candidate)
      for (const dropped of candidates.splice(KEPT)) products.delete(dropped)
      return products.has(candidate)
    },
  }
}

/** Part of the zeros of a direction at which another is nearly zero too, where the two are one that noise has moved. */
const MOVED = 0.95

const nearly = ({ rows }: Units, direction: Float64Array, zeros: readonly number[]): boolean =>
  zeros.filter((at) => Math.abs(inner(rows[at], direction)) < WIDE * ZERO).length > MOVED * zeros.length

/** Cosine from which two directions are one, if their zeros are the same too. */
const SAME = 0.9999

const isBetter = (a: Candidate, b: Candidate): boolean =>
  a.explained > b.explained || (a.explained === b.explained && a.zeros.length > b.zeros.length)
