import { resolutionOf, scaleOf } from './encode'
import type { PlacedColumn } from './schema'
import type { Span } from './span'

/** An input that is read off a span is off by so many times the span's noise at most, as measured. */
const NOISES = 3

/**
 * Whole numbers that cannot be told from the next ones: half a unit is no more than what float32 leaves of the number, 2⁻²⁴ |z|, and
 * what the rounding of the gradient adds, each times the standard deviation of the column.
 *
 * @param table [rows, inputs] row by row
 * @param span whose noise is that of the gradient; undefined where nothing is known of it
 * @returns [rows, columns] row by row: 1 for such a cell
 */
export function untoldNeighbours(
  table: Float64Array,
  columns: readonly PlacedColumn[],
  rows: number,
  span: Pick<Span, 'noise'> | undefined,
): Uint8Array {
  const width = table.length / rows
  const noise = NOISES * (span?.noise ?? 0)
  return Uint8Array.from({ length: rows * columns.length }, (_, cell) => {
    const { column, at } = columns[cell % columns.length]
    if (column.kind !== 'numeric' || !column.integer) return 0
    const z = table[Math.floor(cell / columns.length) * width + at]
    return Number(resolutionOf(column, z) + noise * scaleOf(column) >= 0.5)
  })
}
