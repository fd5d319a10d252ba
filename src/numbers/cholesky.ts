import type { Values } from './values'

/** Rounding of float32 gradients, squared, in units of the mean eigenvalue. */
const FLOOR = 1e-13

/** The Cholesky factor L of G + λ with G = Σ WᵀW over the normalised matrices, row by row, in float64. */
export function spanFactor(gradients: readonly Values[], width: number): { factor: Float64Array[]; lambda: number } {
  const gram = Array.from({ length: width }, () => new Float64Array(width))
  for (const values of gradients) {
    let norm = 0
    for (let i = 0; i < values.length; i++) norm += values[i] ** 2
    if (norm === 0) continue
    for (let at = 0; at < values.length; at += width)
      for (let i = 0; i < width; i++) {
        const scaled = values[at + i] / norm
        const target = gram[i]
        for (let j = 0; j <= i; j++) target[j] += scaled * values[at + j]
      }
  }
  // each matrix adds 1 to the trace
  const lambda = FLOOR * gradients.length
  for (let i = 0; i < width; i++) gram[i][i] += lambda
  return { factor: cholesky(gram), lambda }
}

/** L with L Lᵀ the given matrix, of which the lower triangle is read and overwritten. */
function cholesky(matrix: Float64Array[]): Float64Array[] {
  for (let i = 0; i < matrix.length; i++) {
    const rowI = matrix[i]
    for (let j = 0; j <= i; j++) {
      const rowJ = matrix[j]
      let sum = rowI[j]
      for (let k = 0; k < j; k++) sum -= rowI[k] * rowJ[k]
      rowI[j] = i === j ? Math.sqrt(Math.max(sum, Number.EPSILON ** 2)) : sum / rowJ[j]
    }
  }
  return matrix
}

/** x with L x = b. */
export function solve(factor: readonly Float64Array[], b: Values): Float64Array {
  const x = Float64Array.from(b)
  for (let i = 0; i < x.length; i++) {
    const row = factor[i]
    let sum = x[i]
    for (let k = 0; k < i; k++) sum -= row[k] * x[k]
    x[i] = sum / row[i]
  }
  return x
}

/** x with Lᵀ x = b. */
export function solveTransposed(factor: readonly Float64Array[], b: Float64Array): Float64Array {
  const x = b.slice()
  for (let i = x.length - 1; i >= 0; i--) {
    x[i] /= factor[i][i]
    for (let k = 0; k < i; k++) x[k] -= factor[i][k] * x[i]
  }
  return x
}
