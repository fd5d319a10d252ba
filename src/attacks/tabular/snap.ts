import { codeOf, recordOf, scaleOf, shiftOf } from './encode'
import type { PlacedColumn } from './schema'

/** The inputs of the records that a table stands for: each category decided, and each number rounded where its column is whole. */
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

/** A table with each number inside the range of its column, where it has one: what is known to be a guess is at least likely. */
export function inRange(table: Float64Array, columns: readonly PlacedColumn[], rows: number): Float64Array {
  const width = table.length / rows
  const out = table.slice()
  for (const { column, at } of columns) {
    if (column.kind !== 'numeric' || !column.range) continue
    const [low, high] = column.range.map((v) => (v - shiftOf(column)) / scaleOf(column))
    for (let i = at; i < out.length; i += width) out[i] = Math.min(high, Math.max(low, out[i]))
  }
  return out
}
