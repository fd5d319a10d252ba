import { codeOf, recordOf, scaleOf, shiftOf } from './encode'
import type { PlacedColumn } from './schema'

/**
 * The inputs of the records that a table stands for: each category decided, each number inside its range, and rounded where
 * its column has whole numbers.
 */
export function snapped(table: Float64Array, columns: readonly PlacedColumn[], rows: number): Float64Array {
  const width = table.length / rows
  const out = new Float64Array(table.length)
  for (let row = 0; row < rows; row++) {
    const record = recordOf(columns, (i) => table[row * width + i])
    for (const { column, at } of columns) {
      const code = codeOf(column, record[column.name], row)
      if (column.kind === 'categorical') out[row * width + at + code] = 1
      else out[row * width + at] = (code - shiftOf(column)) / scaleOf(column)
    }
  }
  return out
}
