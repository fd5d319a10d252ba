import Papa from 'papaparse'
import { show } from '../../errors/checks'
import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import { wordsOf } from './encode'
import { type TableRecord, type TableSchema, tableSchema } from './schema'

/** A table out of text: the names of its columns, and its cells without the spaces around them. */
export interface CsvTable {
  readonly names: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** Reads text with a header line. Separators are told by the text: comma, semicolon, tab or bar. @throws DlgError `invalid-file` */
export function csvTable(text: string): CsvTable {
  if (typeof text !== 'string')
    throw new DlgError('invalid-file', `the table is ${show(text)}; it must be the text of a CSV file`)
  const plain = text.replace(/^\ufeff/, '')
  const { delimiter } = Papa.parse<string[]>(plain, {
    skipEmptyLines: 'greedy',
    delimitersToGuess: [',', ';', '\t', '|'],
    preview: 10,
  }).meta
  // a line of separators alone is a record of empty cells, and an empty line is none
  const { data, errors } = Papa.parse<string[]>(plain, { delimiter, skipEmptyLines: true })
  const [error] = errors
  if (error) throw new DlgError('invalid-file', `line ${(error.row ?? 0) + 1} of the table: ${error.message}`)
  const [names, ...rows] = filled(data)
  if (names?.length === 1) noGaps(Papa.parse<string[]>(plain, { delimiter }).data)
  if (!names || rows.length === 0)
    throw new DlgError('invalid-file', 'the table has no records; it must have a header line and at least one line')
  const twice = names.find((name, i) => names.indexOf(name) < i)
  if (twice !== undefined) throw new DlgError('invalid-file', `two columns of the table are called '${twice}'`)
  const odd = rows.findIndex((row) => row.length !== names.length)
  if (odd >= 0)
    throw new DlgError(
      'invalid-file',
      `record ${odd} of the table has ${countOf(rows[odd].length, 'cell')}; the header has ${names.length}`,
    )
  return { names, rows }
}

/** The cells without the spaces around them, and no lines of spaces. Lines of separators at the end are a spreadsheet's, and no records. */
function filled(lines: readonly string[][]): string[][] {
  const cells = lines.map((line) => line.map((cell) => cell.trim())).filter((line) => line.length > 1 || line[0] !== '')
  return cells.slice(0, cells.findLastIndex((line) => line.some((cell) => cell !== '')) + 1)
}

/** In a single column an empty line could be a record with an empty cell. @throws DlgError `invalid-file` */
function noGaps(lines: readonly string[][]): void {
  const empty = lines.map((line) => line.join('').trim() === '')
  const gap = empty.findIndex((is, i) => is && empty.indexOf(false) < i && i < empty.lastIndexOf(false))
  if (gap < 0) return
  throw new DlgError(
    'invalid-file',
    `line ${gap + 1} of the table is empty, and the table has a single column; leave empty lines out, and write a word for an empty cell`,
  )
}

/** A number as tables write it; undefined for any other word. */
export function numberIn(cell: string): number | undefined {
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(cell)) return undefined
  const value = Number(cell)
  return Number.isFinite(value) ? value : undefined
}

/**
 * The records of a CSV text, read by a schema. Columns that the schema does not have are left out.
 *
 * @throws DlgError `invalid-file` for text that is no table, lacks a column, or has a cell that its column cannot have
 */
export function readTable(text: string, schema: TableSchema): TableRecord[] {
  const { columns } = tableSchema(schema)
  const { names, rows } = csvTable(text)
  const missing = columns.find(({ name }) => !names.includes(name))
  if (missing)
    throw new DlgError(
      'invalid-file',
      `the table has no column '${missing.name}'; it has ${names.slice(0, 12).join(', ')}`,
    )
  return rows.map((row, i) =>
    Object.fromEntries(
      columns.map((column) => {
        const cell = row[names.indexOf(column.name)]
        if (column.kind !== 'numeric') {
          if (wordsOf(column).includes(cell)) return [column.name, cell]
          throw new DlgError(
            'invalid-file',
            `'${column.name}' of record ${i} is '${cell}', which the schema does not have`,
          )
        }
        const value = numberIn(cell)
        if (value !== undefined) return [column.name, value]
        throw new DlgError('invalid-file', `'${column.name}' of record ${i} is '${cell}'; it must be a number`)
      }),
    ),
  )
}

/** Text of a CSV file. Cells that a spreadsheet would run as a formula get an apostrophe. */
export const csvText = (names: readonly string[], rows: readonly (readonly (string | number)[])[]): string =>
  `${Papa.unparse({ fields: [...names], data: rows.map((row) => [...row]) }, { newline: '\n', escapeFormulae: true })}\n`
