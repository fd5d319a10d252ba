import { Matrix, solve } from 'ml-matrix'
import type { Steps } from '../../numbers/steps'
import { inner, lengthOf } from '../../numbers/vectors'
import type { Candidate, Layer } from './candidates'
import { type Units, unitsFrom } from './directions'
import { complement } from './peel'

/** Steps of Newton's method at each sharpness, and the weight of ‖π‖². */
const [STEPS, RIDGE] = [4, 1e-4]

/** Points between two looks at the clock. */
const POINTS = 128

/** How sharply the planes are to divide, in units of the typical ⟨p, a_j⟩. */
const SHARPNESS = [2, 6, 20]

/**
 * What unknown samples add to the rows of all units, where most samples are known: about, in as many dimensions as there are
 * unknown samples.
 *
 * A row is l_j = Σ_s ∂z_js p_s. The known directions q_s give ∂z_js = ⟨l_j, q_s⟩ exactly, and the p_s but for their part in the
 * complement B of all known directions: p_s = p°_s + B π_s. A plane that divides the units that s left on from the others is
 * near p_s, so that its π_s, found by logistic regression, is near the right one. What is left of a row lies in B:
 *
 * ρ_j = Bᵀ (l_j − Σ_s ∂z_js p_s) ≈ Σ_t ∂z_jt Bᵀ p_t over the unknown samples t.
 */
export function* restOf(whole: Units, known: readonly Candidate[], layer: Layer): Steps<Units | undefined> {
  const { rows, rank } = whole
  const directions = known.map(({ direction }) => direction)
  const basis = complement(directions, rank)
  if (basis.length !== rank - known.length) return undefined
  const duals = dualsOf(directions, rank)
  const samples: Float64Array[] = []
  for (const [s, candidate] of known.entries()) {
    samples.push(yield* planeOf(candidate, duals[s], basis, layer))
    yield
  }
  const rest: Float64Array[] = []
  for (const row of rows) {
    const left = row.slice()
    samples.forEach((p, s) => {
      const product = inner(row, directions[s])
      for (let i = 0; i < rank; i++) left[i] -= product * p[i]
    })
    const size = lengthOf(row)
    rest.push(Float64Array.from(basis, (axis) => inner(left, axis) / size))
    yield
  }
  return { ...unitsFrom(rest, whole.positions, basis.length), unitRows: rest }
}

/** p°_s in the span of all directions with ⟨p°_s, q_t⟩ = 1 for s = t, else 0. */
function dualsOf(directions: readonly Float64Array[], rank: number): Float64Array[] {
  const gram = new Matrix(directions.map((a) => directions.map((b) => inner(a, b))))
  const coefficients = solve(gram, Matrix.eye(directions.length))
  return directions.map((_, s) => {
    const dual = new Float64Array(rank)
    directions.forEach((direction, t) => {
      for (let i = 0; i < rank; i++) dual[i] += coefficients.get(t, s) * direction[i]
    })
    return dual
  })
}

/** p_s = p°_s + B π with the π whose plane divides the pattern best. The direction may be that of −∂z: p then points away from the units that are on. */
function* planeOf(
  { pattern }: Candidate,
  dual: Float64Array,
  basis: readonly Float64Array[],
  layer: Layer,
): Steps<Float64Array> {
  const forward = yield* divide(pointsOf(pattern, 1, dual, basis, layer), basis.length)
  const backward = yield* divide(pointsOf(pattern, -1, dual, basis, layer), basis.length)
  const { step } = forward.divided >= backward.divided ? forward : backward
  const p = dual.slice()
  basis.forEach((axis, k) => {
    for (let i = 0; i < p.length; i++) p[i] += step[k] * axis[i]
  })
  return p
}

/** ± ⟨p° + B π, a⟩ = at + ⟨moves, π⟩, to be above 0. */
interface Point {
  readonly at: number
  readonly moves: Float64Array
}

function pointsOf(
  pattern: Int8Array,
  turned: number,
  dual: Float64Array,
  basis: readonly Float64Array[],
  layer: Layer,
): Point[] {
  const signed = [...layer.columns].flatMap((column, j) => (pattern[j] === 0 ? [] : [{ column, sign: pattern[j] }]))
  return [...signed, { column: layer.last, sign: 1 }].flatMap(({ column, sign }) => {
    const size = lengthOf(column)
    if (size === 0) return []
    const factor = (sign * turned) / size
    return [
      { at: factor * inner(dual, column), moves: Float64Array.from(basis, (axis) => factor * inner(axis, column)) },
    ]
  })
}

function* divide(points: readonly Point[], left: number): Steps<{ step: Float64Array; divided: number }> {
  let step: Float64Array = new Float64Array(left)
  const valuesAt = (at: Float64Array) => points.map((point) => point.at + inner(point.moves, at))
  const divided = (at: Float64Array) => valuesAt(at).filter((v) => v > 0).length
  for (const sharpness of SHARPNESS) {
    for (let i = 0; i < STEPS; i++) {
      const values = valuesAt(step)
      const sharp = sharpness / (values.reduce((sum, v) => sum + Math.abs(v), 0) / points.length || 1)
      const gradient = step.map((v) => RIDGE * v)
      const hessian = Array.from({ length: left }, (_, a) => {
        const row = new Float64Array(left)
        row[a] = RIDGE
        return row
      })
      for (const [n, { moves }] of points.entries()) {
        if (n % POINTS === 0) yield
        const p = 1 / (1 + Math.exp(sharp * values[n]))
        const weight = sharp * sharp * p * (1 - p)
        for (let a = 0; a < left; a++) {
          gradient[a] -= sharp * p * moves[a]
          for (let c = 0; c <= a; c++) hessian[a][c] += weight * moves[a] * moves[c]
        }
      }
      for (let a = 0; a < left; a++) for (let c = 0; c < a; c++) hessian[c][a] = hessian[a][c]
      const change = solve(new Matrix(hessian), Matrix.columnVector(gradient)).to1DArray()
      const next = step.map((v, a) => v - change[a])
      if (!next.every(Number.isFinite)) return { step, divided: divided(step) }
      step = next
    }
  }
  return { step, divided: divided(step) }
}
