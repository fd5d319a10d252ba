import type { Steps } from './steps'

/**
 * Solves A X = B for a symmetric positive definite A = L Lᵀ (Cholesky; Golub and Van Loan, 4.2), in small parts.
 *
 * @param matrix A [n, n], as rows, of which the lower triangle is read; it becomes L
 * @param right B as columns, each of n numbers; they become X
 * @returns whether A is positive definite; where it is not, matrix and right are spoilt
 */
export function* solvePositive(matrix: readonly Float64Array[], right: readonly Float64Array[]): Steps<boolean> {
  const n = matrix.length
  for (let i = 0; i < n; i++) {
    const row = matrix[i]
    for (let j = 0; j <= i; j++) {
      const other = matrix[j]
      let sum = row[j]
      for (let k = 0; k < j; k++) sum -= row[k] * other[k]
      if (i > j) row[j] = sum / other[j]
      else if (sum > 0) row[j] = Math.sqrt(sum)
      else return false
    }
    yield
  }
  for (const x of right) {
    for (let i = 0; i < n; i++) {
      let sum = x[i]
      for (let k = 0; k < i; k++) sum -= matrix[i][k] * x[k]
      x[i] = sum / matrix[i][i]
    }
    for (let i = n - 1; i >= 0; i--) {
      let sum = x[i]
      for (let k = i + 1; k < n; k++) sum -= matrix[k][i] * x[k]
      x[i] = sum / matrix[i][i]
    }
    yield
  }
  return true
}
