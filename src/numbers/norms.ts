import type { Values } from './values'

/** The transpose of a row-major [rows, columns] matrix, in float64. */
export function transposed(values: Values, rows: number, columns: number): Float64Array {
  const out = new Float64Array(rows * columns)
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = values[i * columns + j]
  return out
}

/** The greatest absolute value; 0 of none. */
export function largest(values: Values): number {
  let most = 0
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]))
  return most
}

/** The Euclidean norm of all numbers; their squares neither overflow nor vanish. */
export function normOf(parts: readonly Values[]): number {
  const unit = parts.reduce((most, values) => Math.max(most, largest(values)), 0)
  if (unit === 0) return 0
  let sum = 0
  for (const values of parts) for (let i = 0; i < values.length; i++) sum += (values[i] / unit) ** 2
  return unit * Math.sqrt(sum)
}
