import type { Random } from '../../numbers/random'
import type { Steps } from '../../numbers/steps'
import { symmetricEigen } from '../../numbers/symmetric-eigen'
import { inner, lengthOf } from '../../numbers/vectors'
import { gramOf, scaled, type Units } from './directions'

/** Units whose rows were turned so that their mean square is the same in all directions. */
export interface Whitened {
  readonly units: Units
  /** Rows u = Tᵀ l with Σ u uᵀ / m = 1. */
  readonly rows: readonly Float64Array[]
  /** T: a direction of the rows u is T times as much of the rows l. */
  readonly turn: readonly Float64Array[]
}

export function* whitened(units: Units): Steps<Whitened | undefined> {
  const { unitRows, rank } = units
  const { values, vectors } = yield* symmetricEigen(yield* gramOf(unitRows, rank))
  if (!values.every((v) => v > 1e-12 * unitRows.length)) return undefined
  const size = Math.sqrt(unitRows.length)
  const turn = Array.from({ length: rank }, (_, i) =>
    Float64Array.from({ length: rank }, (_, k) => (vectors[k][i] * size) / Math.sqrt(values[k])),
  )
  const rows = unitRows.map((row) => {
    const out = new Float64Array(rank)
    for (let i = 0; i < rank; i++) for (let k = 0; k < rank; k++) out[k] += row[i] * turn[i][k]
    return out
  })
  return { units, rows, turn }
}

/** Steps, and the width μ of the bend of log cosh: it shrinks from the first to the last by a constant factor. */
const [STEPS, WIDE, NARROW] = [60, 1, 0.02]

/** A direction is a longer step where the objective is flat; no longer than this. */
const LONGEST = 1 / 0.3

/**
 * Finds a direction with many small products by descent on the sphere, from a random start (after SPEAR++):
 *
 * minimise Σ_j μ log cosh(⟨u_j, q⟩ / μ) over ‖q‖ = 1
 *
 * Each step divides the tangential gradient by the mean curvature, as FastICA does.
 *
 * @returns a direction of the rows l
 */
export function* descended({ units, rows, turn }: Whitened, random: Random): Steps<Float64Array> {
  const { rank } = units
  const count = rows.length
  let q: Float64Array = Float64Array.from({ length: rank }, random.normal)
  q = scaled(q, 1 / lengthOf(q))
  const gradient = new Float64Array(rank)
  for (let step = 0; step < STEPS; step++) {
    const width = WIDE * (NARROW / WIDE) ** Math.min(1, step / (STEPS - 20))
    gradient.fill(0)
    let curvature = 0
    for (const row of rows) {
      const slope = Math.tanh(inner(row, q) / width)
      curvature += (1 - slope * slope) / width
      for (let i = 0; i < rank; i++) gradient[i] += slope * row[i]
    }
    yield
    const along = inner(gradient, q) / count
    const size = Math.min(1 / Math.abs(curvature / count - along), LONGEST)
    let moved = 0
    for (let i = 0; i < rank; i++) {
      const change = size * (gradient[i] / count - along * q[i])
      q[i] -= change
      moved += change * change
    }
    q = scaled(q, 1 / lengthOf(q))
    if (width === NARROW && moved < 1e-16) break
  }
  return Float64Array.from(turn, (row) => inner(row, q))
}

/** The rows with the smallest products: as many as determine a direction in `rank` dimensions, and half as many more. */
export function smallest(rows: readonly Float64Array[], direction: Float64Array, rank: number): number[] {
  const size = rows.map((row) => Math.abs(inner(row, direction)))
  const order = [...size.keys()].sort((a, b) => size[a] - size[b])
  return order.slice(0, Math.ceil(1.5 * rank) + 1)
}
