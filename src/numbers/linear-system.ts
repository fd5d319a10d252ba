import type { Steps } from './steps'

/**
 * Solves A X = B for a square A, by elimination with the largest entry of a column as its pivot (Golub and Van Loan, 3.4).
 *
 * @param matrix A [n, n], as rows
 * @param right B, as n rows; they become X. What A was is spoilt
 * @returns whether A has an inverse, as far as float64 tells; where it has none, matrix and right are spoilt
 */
export function* solveSquare(matrix: Float64Array[], right: Float64Array[]): Steps<boolean> {
  const n = matrix.length
  const largest = matrix.reduce((most, row) => row.reduce((m, v) => Math.max(m, Math.abs(v)), most), 0)
  const least = n * Number.EPSILON * largest
  for (let k = 0; k < n; k++) {
    let pivot = k
    for (let i = k + 1; i < n; i++) if (Math.abs(matrix[i][k]) > Math.abs(matrix[pivot][k])) pivot = i
    if (!(Math.abs(matrix[pivot][k]) > least)) return false
    swap(matrix, k, pivot)
    swap(right, k, pivot)
    for (let i = k + 1; i < n; i++) {
      const factor = matrix[i][k] / matrix[k][k]
      if (factor === 0) continue
      subtract(matrix[i], matrix[k], factor, k)
      subtract(right[i], right[k], factor, 0)
    }
    yield
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) subtract(right[i], right[k], matrix[i][k], 0)
    for (let c = 0; c < right[i].length; c++) right[i][c] /= matrix[i][i]
    yield
  }
  return true
}

function swap<T>(list: T[], a: number, b: number): void {
  const kept = list[a]
  list[a] = list[b]
  list[b] = kept
}

/** a ← a − factor · b, from a place on. */
function subtract(a: Float64Array, b: Float64Array, factor: number, from: number): void {
  for (let i = from; i < a.length; i++) a[i] -= factor * b[i]
}
