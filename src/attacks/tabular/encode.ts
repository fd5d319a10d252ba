import { numberList, show } from '../../errors/checks'
import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import {
  type PlacedColumn,
  placed,
  type TableColumn,
  type TableRecord,
  type TableSchema,
  tableSchema,
  widthOf,
} from './schema'

/**
 * What the client's encoder gives the model for these records: numbers standardised, categories as one-hot blocks.
 *
 * @returns [records, inputs] row by row, as float32
 * @throws DlgError `invalid-data` for a record without a column, or with a value that its column does not have
 */
export function encodeTable(schema: TableSchema, records: readonly TableRecord[]): Float32Array {
  const checked = tableSchema(schema)
  if (!Array.isArray(records) || records.length === 0)
    throw new DlgError('invalid-data', `the records are ${show(records)}; they must be a list with at least one record`)
  const width = widthOf(checked)
  const columns = placed(checked)
  const values = new Float32Array(records.length * width)
  for (const [row, record] of records.entries())
    for (const { column, at } of columns) {
      const start = row * width + at
      const code = codeOf(column, cellOf(record, column, row), row)
      if (column.kind === 'categorical') values[start + code] = 1
      else values[start] = (code - shiftOf(column)) / scaleOf(column)
      if (!Number.isFinite(values[start]))
        throw new DlgError(
          'invalid-data',
          `'${column.name}' of record ${row} is ${code}, which is ${(code - shiftOf(column)) / scaleOf(column)} for the model; it must be at most 3.4e38, as float32 holds it`,
        )
    }
  return values
}

/**
 * The records that inputs of the model stand for. Categories are the largest of their block; numbers are given back in their
 * own unit: whole where the column has whole numbers, else with the digits that float32 leaves them, std · 2⁻²⁴ · |input|.
 *
 * @param values [records, inputs] row by row
 * @throws DlgError `invalid-data` for numbers that do not divide into records
 */
export function decodeTable(schema: TableSchema, values: ArrayLike<number>): TableRecord[] {
  const checked = tableSchema(schema)
  numberList('the values', values)
  const width = widthOf(checked)
  if (values.length === 0 || values.length % width !== 0)
    throw new DlgError(
      'invalid-data',
      `${countOf(values.length, 'number is', 'numbers are')} given; a record of this schema has ${width}`,
    )
  const columns = placed(checked)
  return Array.from({ length: values.length / width }, (_, row) => recordOf(columns, (i) => values[row * width + i]))
}

/** The record behind one row of inputs. */
export const recordOf = (columns: readonly PlacedColumn[], input: (i: number) => number): TableRecord =>
  Object.fromEntries(columns.map((place) => [place.column.name, cellValue(place, input)]))

/** The value of one column behind a row of inputs. */
function cellValue({ column, at, size }: PlacedColumn, input: (i: number) => number): string | number {
  switch (column.kind) {
    case 'numeric': {
      const value = shiftOf(column) + scaleOf(column) * input(at)
      // + 0: a rounded -0.4 is 0
      return column.integer ? Math.round(value) + 0 : withDigits(value, resolutionOf(column, input(at)))
    }
    case 'ordinal': {
      const position = Math.round(shiftOf(column) + scaleOf(column) * input(at))
      return column.levels[Math.min(column.levels.length - 1, Math.max(0, position || 0))]
    }
    case 'binary':
      return column.values[input(at) >= 0.5 ? 1 : 0]
    case 'categorical': {
      let best = 0
      for (let i = 1; i < size; i++) if (input(at + i) > input(at + best)) best = i
      return column.categories[best]
    }
  }
}

/** What float32 leaves of a number of a column, in its own unit: std · 2⁻²⁴ · |z|, for the input z that the model reads. */
export const resolutionOf = (column: TableColumn, z: number): number => scaleOf(column) * 2 ** -24 * Math.abs(z)

/** A number with the decimal digits that a resolution leaves it: it is moved by the resolution at most. */
function withDigits(value: number, resolution: number): number {
  if (!(Math.abs(value) > 0) || !(resolution > 0)) return value
  const decimals = Math.ceil(-Math.log10(2 * resolution))
  const digits = Math.floor(Math.log10(Math.abs(value))) + 1 + decimals
  if (digits < 1) return 0
  // float64 has 17 of them
  return digits <= 17 ? Number(value.toPrecision(digits)) : value
}

/** What an encoder subtracts from a number or a position. */
export const shiftOf = (column: TableColumn): number => ('mean' in column ? (column.mean ?? 0) : 0)

/** What an encoder divides by. */
export const scaleOf = (column: TableColumn): number => ('std' in column ? (column.std ?? 1) : 1)

function cellOf(record: TableRecord, { name }: TableColumn, row: number): string | number {
  if (typeof record === 'object' && record !== null && Object.hasOwn(record, name)) return record[name]
  throw new DlgError('invalid-data', `record ${row} has no '${name}'; each record must have every column of the schema`)
}

/** A value as a number: itself, or its position among the words of its column. */
export function codeOf(column: TableColumn, value: string | number, row: number): number {
  const where = `'${column.name}' of record ${row}`
  if (column.kind === 'numeric') {
    if (typeof value === 'number' && Number.isFinite(value)) return value
    throw new DlgError('invalid-data', `${where} is ${show(value)}; it must be a finite number`)
  }
  const words = wordsOf(column)
  // a category may be written as a number
  const code = words.indexOf(typeof value === 'number' ? String(value) : value)
  if (code >= 0) return code
  const shown = words.slice(0, 8).map((word) => `'${word}'`)
  throw new DlgError(
    'invalid-data',
    `${where} is ${show(value)}; it must be one of ${shown.join(', ')}${words.length > 8 ? `, and ${words.length - 8} more` : ''}`,
  )
}

/** The words that a column can have. */
export function wordsOf(column: Exclude<TableColumn, { kind: 'numeric' }>): readonly string[] {
  if (column.kind === 'categorical') return column.categories
  return column.kind === 'binary' ? column.values : column.levels
}
