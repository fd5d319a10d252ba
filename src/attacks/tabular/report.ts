import { count, requireObject, show } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { roundedPart } from '../../numbers/rounded-part'
import { csvText } from './csv'
import type { TableLeakage } from './leakage'

/**
 * What a report of records needs of a `TableLeakage`. With a `status` of `failed` or `cut`, {@link tableText} marks
 * every cell as unsure, and {@link tableHtml} says so above the table: restarts that agree on a cell make it no surer where the records do
 * not re-create what was shared.
 */
export type ReportedTable = Pick<TableLeakage, 'records' | 'confidence'> & Partial<Pick<TableLeakage, 'status'>>

/** Confidence below which a cell is marked as unsure, and as a guess. */
const [UNSURE, GUESS] = [0.9, 0.5]

const STATUSES = ['proven', 'matched', 'undetermined', 'failed', 'cut'] as const

/**
 * Records as the text of a CSV file: each column, and after all of them the confidence of each cell from 0 to 1, whatever the status. Text that a
 * spreadsheet would run as a formula gets an apostrophe.
 *
 * @throws DlgError `invalid-data` for what is no table with a confidence for each cell
 */
export function tableCsv(table: ReportedTable): string {
  const { records, confidence, names } = reported(table)
  return csvText(
    [...names, ...names.map((name) => `confidence of ${name}`)],
    records.map((record, i) => [
      ...names.map((name) => record[name]),
      ...names.map((name) => roundedPart(confidence[i][name], 3)),
    ]),
  )
}

/**
 * Records as lines of text: a line for each column, a place for each record. A cell ends in `?` where its confidence is below
 * 0.9, or the records do not re-create what was shared, and in `??` where it is below 0.5.
 *
 * @param width most characters of a line; more records follow below. Default 100
 * @throws DlgError `invalid-data` as {@link tableCsv}, `invalid-option`
 */
export function tableText(table: ReportedTable, width = 100): string {
  count('width', width)
  const { records, confidence, names, unlike } = reported(table)
  const mark = (sure: number): string => (sure < GUESS ? '??' : sure < UNSURE || unlike ? '?' : '')
  const columns = records.map((record, i) => {
    const cells = names.map((name) => `${record[name]}${mark(confidence[i][name])}`)
    return padded([`record ${i}`, ...cells])
  })
  const head = padded(['', ...names])
  const pages: string[][][] = []
  for (const column of columns) {
    const page = pages[pages.length - 1]
    const used = page?.reduce((sum, [cell]) => sum + cell.length + 2, head[0].length) ?? 0
    if (page && used + column[0].length + 2 <= width) page.push(column)
    else pages.push([column])
  }
  return pages
    .map((page) =>
      head.map((name, line) => [name, ...page.map((column) => column[line])].join('  ').trimEnd()).join('\n'),
    )
    .join('\n\n')
}

/** Records as an HTML table. The shade of a cell is its confidence, which its title says as well. @throws DlgError `invalid-data` as {@link tableCsv} */
export function tableHtml(table: ReportedTable): string {
  const { records, confidence, names, unlike } = reported(table)
  const caption = unlike
    ? '\n<caption>These records do not re-create what was shared. A shade says only how far the restarts agree.</caption>'
    : ''
  const head = names.map((name) => `<th>${escaped(name)}</th>`).join('')
  const rows = records.map((record, i) => {
    const cells = names.map((name) => {
      const sure = confidence[i][name]
      const shade = `background: rgba(46, 125, 50, ${(0.6 * sure).toFixed(2)})`
      return `<td style="${shade}" title="confidence ${roundedPart(sure, 2).toFixed(2)}">${escaped(String(record[name]))}</td>`
    })
    return `<tr><th>${i}</th>${cells.join('')}</tr>`
  })
  return `<table>${caption}\n<thead><tr><th></th>${head}</tr></thead>\n<tbody>\n${rows.join('\n')}\n</tbody>\n</table>\n`
}

/** A table whose every record has the columns of the first, with a confidence for each cell. @throws DlgError `invalid-data` */
function reported(table: ReportedTable): Omit<ReportedTable, 'status'> & {
  readonly names: readonly string[]
  /** Whether the records are said not to re-create what was shared. */
  readonly unlike: boolean
} {
  requireObject('the table', table, '{records, confidence}, as deepLeakageFromTable returns it')
  const { records, confidence, status } = table
  if (status !== undefined && !STATUSES.includes(status))
    throw new DlgError('invalid-data', `the status is ${show(status)}; it must be one of ${STATUSES.join(', ')}`)
  for (const [name, list] of Object.entries({ records, confidence }))
    if (!Array.isArray(list) || list.length === 0 || list.length !== records.length)
      throw new DlgError('invalid-data', `${name} is ${show(list)}; it must be a list with an entry for each record`)
  for (const [i, record] of records.entries())
    requireObject(`record ${i}`, record, 'an object with a value for each column')
  const names = Object.keys(records[0])
  for (const [i, record] of records.entries()) {
    requireObject(`confidence ${i}`, confidence[i], 'an object with a number for each column')
    for (const name of names) {
      const [value, sure] = [record[name], confidence[i][name]]
      if (typeof value !== 'string' && typeof value !== 'number')
        throw new DlgError('invalid-data', `'${name}' of record ${i} is ${show(value)}; it must be a word or a number`)
      if (!(typeof sure === 'number' && sure >= 0 && sure <= 1))
        throw new DlgError(
          'invalid-data',
          `the confidence of '${name}' of record ${i} is ${show(sure)}; it must be from 0 to 1`,
        )
    }
  }
  return { records, confidence, names, unlike: status === 'failed' || status === 'cut' }
}

function padded(cells: readonly string[]): string[] {
  const width = cells.reduce((most, { length }) => Math.max(most, length), 0)
  return cells.map((cell) => cell.padEnd(width))
}

const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
