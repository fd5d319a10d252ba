import type { Values } from '../runtime/runtime'

/** The transpose of a row-major [rows, columns] matrix, in float64. */
export function transposed(values: Values, rows: number, columns: number): Float64Array {
  const out = new Float64Array(rows * columns)
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = values[i * columns + j]
  return out
}
