import { largest } from './norms'
import type { Steps } from './steps'

/** Eigenvalues of a symmetric matrix, descending, and their orthonormal eigenvectors, one per row. */
export interface SymmetricEigen {
  readonly values: Float64Array
  readonly vectors: readonly Float64Array[]
}

/** Sweeps of QL that one eigenvalue may take; two or three are usual. */
const SWEEPS = 60

/** Squares of entries below this, relative to the largest, are left out: their inverses overflow. */
const NOTHING = 1e-280

/**
 * The eigenvalues and eigenvectors of a symmetric matrix: Householder reflections to a tridiagonal matrix, then implicit QL
 * (Golub and Van Loan, 8.3; EISPACK tred2 and tql2). Libraries do this in one go, which stops everything else for seconds where
 * the matrix is large; this one yields after every O(n²) of work, and the caller decides whether to go on.
 *
 * @param matrix symmetric [n, n], as rows; it is overwritten
 */
export function* symmetricEigen(matrix: Float64Array[]): Steps<SymmetricEigen> {
  const n = matrix.length
  // relative to the largest entry, so that squares neither overflow nor vanish
  const unit = matrix.reduce((most, row) => Math.max(most, largest(row)), 0) || 1
  for (const row of matrix) for (let j = 0; j < n; j++) row[j] /= unit
  const reflections = yield* tridiagonal(matrix)
  const diagonal = Float64Array.from(matrix, (row, i) => row[i])
  // off[i] couples i and i + 1
  const off = Float64Array.from({ length: n }, (_, i) => (i + 1 < n ? matrix[i + 1][i] : 0))
  const vectors = yield* product(reflections, n)
  yield* implicitQl(diagonal, off, vectors)
  const order = [...diagonal.keys()].sort((a, b) => diagonal[b] - diagonal[a])
  return { values: Float64Array.from(order, (i) => diagonal[i] * unit), vectors: order.map((i) => vectors[i]) }
}

/** H = I − factor · v vᵀ; v is zero before `from`. */
interface Reflection {
  readonly from: number
  readonly factor: number
  readonly v: Float64Array
}

/** Reduces the matrix to A = Q T Qᵀ; T is left in the diagonal and the one below. */
function* tridiagonal(a: Float64Array[]): Steps<Reflection[]> {
  const n = a.length
  const out: Reflection[] = []
  for (let k = 0; k + 2 < n; k++) {
    const from = k + 1
    const v = new Float64Array(n)
    let square = 0
    for (let i = from; i < n; i++) {
      v[i] = a[i][k]
      square += v[i] ** 2
    }
    const tail = square - v[from] ** 2
    if (tail > NOTHING) {
      const length = v[from] > 0 ? -Math.sqrt(square) : Math.sqrt(square)
      v[from] -= length
      const factor = 2 / (tail + v[from] ** 2)
      const p = new Float64Array(n)
      let along = 0
      for (let i = from; i < n; i++) {
        let sum = 0
        const row = a[i]
        for (let j = from; j < n; j++) sum += row[j] * v[j]
        p[i] = factor * sum
        along += p[i] * v[i]
      }
      for (let i = from; i < n; i++) p[i] -= (factor / 2) * along * v[i]
      for (let i = from; i < n; i++) {
        const row = a[i]
        const [vi, pi] = [v[i], p[i]]
        for (let j = from; j < n; j++) row[j] -= vi * p[j] + pi * v[j]
      }
      a[from][k] = length
      out.push({ from, factor, v })
    }
    yield
  }
  return out
}

/** The rows of Qᵀ, with Q the product of the reflections. */
function* product(reflections: readonly Reflection[], n: number): Steps<Float64Array[]> {
  const rows = Array.from({ length: n }, (_, i) => {
    const row = new Float64Array(n)
    row[i] = 1
    return row
  })
  for (const { from, factor, v } of reflections.toReversed()) {
    // Qᵀ ← Qᵀ H, row by row; rows before `from` have nothing there yet
    for (let i = from; i < n; i++) {
      const row = rows[i]
      let sum = 0
      for (let j = from; j < n; j++) sum += row[j] * v[j]
      sum *= factor
      for (let j = from; j < n; j++) row[j] -= sum * v[j]
    }
    yield
  }
  return rows
}

/** Turns two vectors in the plane of both. */
function rotate(low: Float64Array, high: Float64Array, c: number, s: number): void {
  for (let k = 0; k < low.length; k++) {
    const h = high[k]
    high[k] = s * low[k] + c * h
    low[k] = c * low[k] - s * h
  }
}

/** Diagonalises the tridiagonal matrix, and turns the vectors with it. */
function* implicitQl(d: Float64Array, e: Float64Array, vectors: readonly Float64Array[]): Steps<void> {
  const n = d.length
  for (let l = 0; l < n; l++)
    for (let sweep = 0; sweep < SWEEPS; sweep++) {
      let m = l
      while (m + 1 < n && Math.abs(e[m]) > Number.EPSILON * (Math.abs(d[m]) + Math.abs(d[m + 1]))) m++
      if (m === l) break
      let g = (d[l + 1] - d[l]) / (2 * e[l])
      let r = Math.hypot(g, 1)
      g = d[m] - d[l] + e[l] / (g + (g >= 0 ? r : -r))
      let [s, c, p] = [1, 1, 0]
      let i = m - 1
      for (; i >= l; i--) {
        const f = s * e[i]
        const b = c * e[i]
        r = Math.hypot(f, g)
        e[i + 1] = r
        if (r === 0) {
          d[i + 1] -= p
          e[m] = 0
          break
        }
        s = f / r
        c = g / r
        g = d[i + 1] - p
        r = (d[i] - g) * s + 2 * c * b
        p = s * r
        d[i + 1] = g + p
        g = c * r - b
        rotate(vectors[i], vectors[i + 1], c, s)
      }
      if (r === 0 && i >= l) continue
      d[l] -= p
      e[l] = g
      e[m] = 0
      yield
    }
}
