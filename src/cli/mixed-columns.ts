import { csvTable, numberIn } from '../attacks/tabular/csv'
import type { InferSchemaOptions, TableSchema } from '../tabular'

/** Part of the cells of a column that are numbers, from which on it was hardly meant to be one of words. */
const MOSTLY = 0.5

/** Columns that are one-hot over their words though most of their cells are numbers: a line for each, for people to read. */
export function mixedColumns(
  csv: string,
  schema: TableSchema,
  { encoders = {}, categories = {} }: InferSchemaOptions,
): string[] {
  const { names, rows } = csvTable(csv)
  return schema.columns.flatMap(({ kind, name }) => {
    if (kind !== 'categorical' || Object.hasOwn(encoders, name) || Object.hasOwn(categories, name)) return []
    const cells = rows.map((row) => row[names.indexOf(name)])
    // a comma may stand for the point
    const numbers = cells.filter((cell) => numberIn(cell.replace(',', '.')) !== undefined)
    const odd = cells.findIndex((cell) => numberIn(cell) === undefined)
    if (odd < 0 || numbers.length < MOSTLY * cells.length) return []
    return [
      `'${name}' is read as one-hot over its words, because record ${odd} has '${cells[odd]}', which is no number; repair the table, or say --encoders ${name}=one-hot`,
    ]
  })
}
