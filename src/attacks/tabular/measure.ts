import { invalid, knownNames, number, requireObject, show } from '../../errors/checks'
import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import { match } from '../../measure/match'
import { codeOf, scaleOf } from './encode'
import type { TableConfidence } from './leakage'
import { spreadOf, TOLERANCE } from './pool'
import { type PlacedColumn, placed, type TableRecord, type TableSchema, tableSchema } from './schema'

/** Options of `measureTable`. */
export interface TableMeasureOptions {
  /** Standard deviations within which a number is right. Default 0.319, as in TabLeak. */
  tolerance?: number
  /** Records whose most common values are the guess of the baseline, such as public ones. Default: the originals themselves. */
  reference?: readonly TableRecord[]
}

/** One original beside the record that was found for it. */
export interface MeasuredRecord {
  /** Which of the found records it is, from 0: a gradient does not tell the order of a batch. */
  readonly slot: number
  /** Whether each cell is right, by column. */
  readonly right: { readonly [column: string]: boolean }
}

/** Found records, measured against the originals. Parts are from 0 to 1. */
export interface MeasuredTable {
  /** In the order of the originals. */
  readonly records: readonly MeasuredRecord[]
  /** The part of all cells that is right: the same word, or a number within the tolerance. */
  readonly cells: number
  /** The part of the records of which every cell is right. */
  readonly rows: number
  /**
   * The part of the cells that is right among the more certain half; undefined where no confidence is given. Of cells that are as sure as the
   * last of that half, any may belong to it: it is the mean over all choices.
   */
  readonly certainHalf: number | undefined
  /** The part of the cells that the most common word, or the median, of each column gets right: a guess without a gradient. */
  readonly baseline: number
}

/**
 * Pairs found records with the originals so that the fewest cells are wrong, and counts what is right (Vero et al. 2023, section
 * 5.1).
 *
 * @param found as many records as there are originals; with `confidence`, as `deepLeakageFromTable` returns them
 * @throws DlgError `invalid-data` for records that do not fit the schema or each other, `invalid-option`
 */
export function measureTable(
  originals: readonly TableRecord[],
  found: { readonly records: readonly TableRecord[]; readonly confidence?: readonly TableConfidence[] },
  schema: TableSchema,
  options: TableMeasureOptions = {},
): MeasuredTable {
  knownNames('options', options, ['tolerance', 'reference'])
  const { tolerance = TOLERANCE, reference = originals } = options
  number('tolerance', tolerance, (v) => v >= 0 && Number.isFinite(v), 'a number of at least 0')
  const columns = placed(tableSchema(schema))
  requireObject('what was found', found, '{records}, as deepLeakageFromTable returns it')
  const secret = codesOf('originals', originals, columns)
  const guess = codesOf('the found records', found.records, columns)
  const common = commonOf(codesOf('the reference', reference, columns), columns)
  if (guess.length !== secret.length)
    throw new DlgError(
      'invalid-data',
      `${countOf(guess.length, 'record was', 'records were')} found for ${secret.length} originals; there must be as many`,
    )
  const isRight = (a: readonly number[], b: readonly number[]): boolean[] =>
    columns.map(({ column }, c) => {
      if (column.kind !== 'numeric') return a[c] === b[c]
      return Math.abs(a[c] - b[c]) <= tolerance * spreadOf(column) * scaleOf(column)
    })
  const wrong = (right: readonly boolean[]): number => right.filter((v) => !v).length
  const slots = match(secret.map((row) => guess.map((other) => wrong(isRight(row, other)))))
  const all = secret.map((row, i) => isRight(row, guess[slots[i]]))
  const cells = all.flat()
  return {
    records: all.map((right, i) => ({
      slot: slots[i],
      right: Object.fromEntries(columns.map(({ column }, c) => [column.name, right[c]])),
    })),
    cells: part(cells),
    rows: part(all.map((right) => wrong(right) === 0)),
    certainHalf: found.confidence && surest(all, slots, found.confidence, columns),
    baseline: part(secret.flatMap((row) => isRight(row, common))),
  }
}

const part = (right: readonly boolean[]): number => right.filter(Boolean).length / right.length

/** The part that is right of the surer half of all cells, rounded up. Where cells at its end are as sure as each other, each counts as far as the half has room. */
function surest(
  right: readonly (readonly boolean[])[],
  slots: readonly number[],
  confidence: readonly TableConfidence[],
  columns: readonly PlacedColumn[],
): number {
  if (!Array.isArray(confidence) || confidence.length !== slots.length)
    throw invalid(`confidence is ${show(confidence)}; it must have one entry for each record`)
  const cells = right.flatMap((row, i) =>
    columns.map(({ column: { name } }, c) => {
      const sure = confidence[slots[i]]?.[name]
      if (typeof sure === 'number' && Number.isFinite(sure)) return { right: row[c], sure }
      throw invalid(`confidence of record ${slots[i]} has ${show(sure)} for '${name}'; it must be a finite number`)
    }),
  )
  const half = Math.ceil(cells.length / 2)
  const last = cells.map(({ sure }) => sure).sort((a, b) => b - a)[half - 1]
  const count = (chosen: typeof cells): number => chosen.filter(({ right }) => right).length
  const surer = cells.filter(({ sure }) => sure > last)
  const equal = cells.filter(({ sure }) => sure === last)
  return (count(surer) + ((half - surer.length) * count(equal)) / equal.length) / half
}

/** Records as numbers: a value, or the position of a word. */
function codesOf(what: string, records: readonly TableRecord[], columns: readonly PlacedColumn[]): number[][] {
  if (!Array.isArray(records) || records.length === 0)
    throw new DlgError('invalid-data', `${what} are ${show(records)}; they must be a list with at least one record`)
  return records.map((record, row) =>
    columns.map(({ column }) => {
      requireObject(`record ${row} of ${what}`, record, 'an object with every column of the schema')
      if (!Object.hasOwn(record, column.name))
        throw new DlgError(
          'invalid-data',
          `record ${row} of ${what} has no '${column.name}'; it must have every column`,
        )
      return codeOf(column, record[column.name], row)
    }),
  )
}

/** The most common word of each column, and the median of numbers and levels. */
function commonOf(codes: readonly (readonly number[])[], columns: readonly PlacedColumn[]): number[] {
  return columns.map(({ column }, c) => {
    const values = codes.map((row) => row[c]).sort((a, b) => a - b)
    if (column.kind === 'numeric' || column.kind === 'ordinal') return values[Math.floor(values.length / 2)]
    const counts = new Map<number, number>()
    for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
    return [...counts].reduce((most, entry) => (entry[1] > most[1] ? entry : most))[0]
  })
}
