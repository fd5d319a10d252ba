import { largest } from './norms'
import type { Steps } from './steps'
import { symmetricEigen } from './symmetric-eigen'
import { mapped, type Values } from './values'
import { inner } from './vectors'

/** Rows between two looks at the clock. */
const ROWS = 64

/** Rounding of float32 numbers. */
const FLOAT32 = 2 ** -23

/** The singular values of a matrix of low rank, as far as float32 shows them. */
export interface Spectrum {
  /** Descending, relative to the largest; at most `limit`. */
  readonly values: Float64Array
  /** Where rounding begins, relative to the largest: ε₃₂ √max(rows, columns). */
  readonly tolerance: number
  /** Values above the tolerance. */
  readonly rank: number
  /** Whether there may be more than were computed. */
  readonly truncated: boolean
  /** Orthonormal directions that span the rows as far as they were computed: at least as many as there are values. */
  readonly directions: readonly Float64Array[]
}

/**
 * Row-pivoted Gram–Schmidt, W ≈ C Q with orthonormal rows Q, as far as the rest is above rounding; then the eigenvalues of
 * the small CᵀC. A rank r costs rows · columns · r, where a whole decomposition costs rows · columns². It yields after some rows.
 *
 * @param values [rows, columns]; an order of magnitude more rows than columns or the reverse is fine
 * @param limit most singular values that are computed
 */
export function* spectrum(values: Values, rows: number, columns: number, limit: number): Steps<Spectrum> {
  const tolerance = FLOAT32 * Math.sqrt(Math.max(rows, columns))
  // relative to the largest entry, so that squares neither overflow nor vanish
  const unit = largest(values) || 1
  const rest: Float64Array[] = []
  for (let i = 0; i < rows; i++) {
    const row = mapped(values.subarray(i * columns, (i + 1) * columns), (v) => v / unit)
    if (row.some((v) => v !== 0)) rest.push(row)
    if (i % ROWS === 0) yield
  }
  const norms = Float64Array.from(rest, squares)
  const total = norms.reduce((a, b) => a + b, 0)
  if (total === 0) return { values: new Float64Array(0), tolerance, rank: 0, truncated: false, directions: [] }
  const coefficients: Float64Array[] = []
  const directions: Float64Array[] = []
  // the rest's norm bounds every further singular value; the largest one is at least √(total / count)
  const isRounding = (): boolean =>
    norms.reduce((a, b) => a + b, 0) <= (tolerance / 4) ** 2 * (total / Math.max(1, coefficients.length))
  const most = Math.min(limit, rest.length, columns)
  while (coefficients.length < most && !isRounding()) {
    const pivot = norms.reduce((best, v, i) => (v > norms[best] ? i : best), 0)
    const length = Math.sqrt(squares(rest[pivot]))
    if (length === 0) break
    const direction = rest[pivot].map((v) => v / length)
    directions.push(direction)
    const products = new Float64Array(rest.length)
    for (const [i, row] of rest.entries()) {
      products[i] = inner(row, direction)
      for (let j = 0; j < columns; j++) row[j] -= products[i] * direction[j]
      norms[i] = squares(row)
      if (i % ROWS === 0) yield
    }
    coefficients.push(products)
  }
  const gram: Float64Array[] = []
  for (const a of coefficients) {
    gram.push(Float64Array.from(coefficients, (b) => inner(a, b)))
    yield
  }
  const found = (yield* symmetricEigen(gram)).values.map((v) => Math.sqrt(Math.max(v, 0)))
  const relative = found.map((v) => v / found[0])
  return {
    values: relative,
    tolerance,
    rank: relative.filter((v) => v > tolerance).length,
    truncated: coefficients.length < Math.min(rest.length, columns) && !isRounding(),
    directions,
  }
}

const squares = (x: Float64Array): number => inner(x, x)
