import { show } from '../../errors/checks'
import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'

/** A column of numbers. The model reads (value − mean) / std. */
export interface NumericColumn {
  readonly kind: 'numeric'
  readonly name: string
  /** What the client subtracts. Default 0. For a min-max encoder it is the lowest value. */
  readonly mean?: number
  /** What the client divides by. Default 1. For a min-max encoder it is highest − lowest. */
  readonly std?: number
  /**
   * Lowest and highest value that are expected, in the column's own unit. A match may lie beyond; records that match nothing are
   * kept inside.
   */
  readonly range?: readonly [number, number]
  /** Whether all values are whole numbers. Found values are rounded then. Default false. */
  readonly integer?: boolean
}

/** A column of ordered levels. The model reads (position − mean) / std, with positions from 0. */
export interface OrdinalColumn {
  readonly kind: 'ordinal'
  readonly name: string
  /** All levels, the lowest first. */
  readonly levels: readonly string[]
  /** What the client subtracts from the position. Default 0. */
  readonly mean?: number
  /** What the client divides by. Default 1. */
  readonly std?: number
}

/** A column of two values. The model reads 0 for the first and 1 for the second. */
export interface BinaryColumn {
  readonly kind: 'binary'
  readonly name: string
  readonly values: readonly [string, string]
}

/** A column of categories. The model reads a one-hot block: one input for each category, in their order. */
export interface CategoricalColumn {
  readonly kind: 'categorical'
  readonly name: string
  readonly categories: readonly string[]
}

/** One column of a table, with how the client encodes it. */
export type TableColumn = NumericColumn | OrdinalColumn | BinaryColumn | CategoricalColumn

/** What the client's encoder does: the columns in the order of the model's inputs. */
export interface TableSchema {
  readonly columns: readonly TableColumn[]
}

/** A row of a table: numbers of numeric columns, and words of all others, by column. */
export type TableRecord = { readonly [column: string]: string | number }

/** A column and its place among the model's inputs. */
export interface PlacedColumn {
  readonly column: TableColumn
  /** The first of its inputs, from 0. */
  readonly at: number
  /** How many inputs it has. */
  readonly size: number
}

const FIELDS: Readonly<Record<TableColumn['kind'], readonly string[]>> = {
  numeric: ['kind', 'name', 'mean', 'std', 'range', 'integer'],
  ordinal: ['kind', 'name', 'levels', 'mean', 'std'],
  binary: ['kind', 'name', 'values'],
  categorical: ['kind', 'name', 'categories'],
}

const KINDS = Object.keys(FIELDS) as TableColumn['kind'][]

/** Most inputs of a table: a longer block is a column of names or numbers that was taken for categories. */
const MOST_INPUTS = 100_000

/**
 * Reads a schema, and checks all of it.
 *
 * @param given the schema, or its JSON text
 * @returns a copy with nothing but what belongs to a schema
 * @throws DlgError `invalid-file` for text that is no JSON, `invalid-data` for a schema that is wrong, with the column and what
 * would be right
 */
export function tableSchema(given: TableSchema | string): TableSchema {
  const schema = typeof given === 'string' ? parsed(given) : given
  const { columns, ...others } = isObject(schema) ? (schema as Partial<TableSchema>) : {}
  if (!Array.isArray(columns) || columns.length === 0)
    throw wrong(`the schema is ${show(schema)}; it must be {columns: [...]} with at least one column`)
  const [stranger] = Object.keys(others)
  if (stranger !== undefined) throw wrong(`there is no '${stranger}' in a schema; there is columns`)
  const checked = columns.map((column, i) => checkedColumn(column, i))
  const names = checked.map(({ name }) => name)
  const twice = names.find((name, i) => names.indexOf(name) < i)
  if (twice !== undefined) throw wrong(`two columns are called '${twice}'; each must have a name of its own`)
  const width = checked.reduce((sum, column) => sum + sizeOf(column), 0)
  if (width > MOST_INPUTS) throw wrong(`the schema has ${countOf(width, 'input')}; it must have at most ${MOST_INPUTS}`)
  return { columns: checked }
}

/** The columns with their places among the inputs. */
export function placed({ columns }: TableSchema): PlacedColumn[] {
  let at = 0
  return columns.map((column) => {
    const size = sizeOf(column)
    at += size
    return { column, at: at - size, size }
  })
}

/** How many inputs a table has. */
export const widthOf = ({ columns }: TableSchema): number => columns.reduce((sum, column) => sum + sizeOf(column), 0)

const sizeOf = (column: TableColumn): number => (column.kind === 'categorical' ? column.categories.length : 1)

const wrong = (message: string): DlgError => new DlgError('invalid-data', message)

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new DlgError('invalid-file', `the schema is no JSON: ${(cause as Error).message}`, { cause })
  }
}

function checkedColumn(given: unknown, position: number): TableColumn {
  const column = (isObject(given) ? given : {}) as Readonly<Record<string, unknown>>
  const { kind, name } = column
  if (typeof name !== 'string' || name === '')
    throw wrong(`column ${position} is ${show(given)} with the name ${show(name)}; it must be {name, kind, ...}`)
  const what = `column '${name}'`
  if (!KINDS.includes(kind as TableColumn['kind']))
    throw wrong(`${what} is of the kind ${show(kind)}; it must be ${KINDS.map((k) => `'${k}'`).join(' or ')}`)
  const fields = FIELDS[kind as TableColumn['kind']]
  const stranger = Object.keys(column).find((field) => !fields.includes(field))
  if (stranger !== undefined)
    throw wrong(`${what} has '${stranger}'; a column of the kind '${kind}' has ${fields.join(', ')}`)
  switch (kind as TableColumn['kind']) {
    case 'numeric':
      return { kind: 'numeric', name, ...standard(what, column), ...numeric(what, column) }
    case 'ordinal':
      return { kind: 'ordinal', name, levels: words(what, 'levels', column.levels), ...standard(what, column) }
    case 'binary': {
      const values = words(what, 'values', column.values)
      if (values.length === 2) return { kind: 'binary', name, values: [values[0], values[1]] }
      throw wrong(`${what} has ${countOf(values.length, 'value')}; a binary column must have two`)
    }
    case 'categorical':
      return { kind: 'categorical', name, categories: words(what, 'categories', column.categories) }
  }
}

function standard(what: string, { mean, std }: { readonly mean?: unknown; readonly std?: unknown }) {
  if (mean !== undefined && !(typeof mean === 'number' && Number.isFinite(mean)))
    throw wrong(`the mean of ${what} is ${show(mean)}; it must be a finite number`)
  if (std !== undefined && !(typeof std === 'number' && Number.isFinite(std) && std > 0))
    throw wrong(`the std of ${what} is ${show(std)}; it must be a finite number above 0`)
  return { ...(mean !== undefined && { mean }), ...(std !== undefined && { std }) }
}

function numeric(what: string, { range, integer }: { readonly range?: unknown; readonly integer?: unknown }) {
  if (integer !== undefined && typeof integer !== 'boolean')
    throw wrong(`integer of ${what} is ${show(integer)}; it must be true or false`)
  if (range === undefined) return { ...(integer !== undefined && { integer }) }
  if (!Array.isArray(range) || range.length !== 2 || !range.every(Number.isFinite) || !(range[0] < range[1]))
    throw wrong(`the range of ${what} is ${show(range)}; it must be two finite numbers, the lower first`)
  return { range: [range[0], range[1]] as const, ...(integer !== undefined && { integer }) }
}

/** At least two words, each once. */
function words(what: string, field: string, given: unknown): readonly string[] {
  if (!Array.isArray(given) || given.length < 2 || !given.every((word) => typeof word === 'string'))
    throw wrong(`${field} of ${what} is ${show(given)}; it must be a list of at least two words`)
  const seen = new Set<string>()
  for (const word of given) {
    if (seen.has(word)) throw wrong(`${field} of ${what} has '${word}' twice; each must be there once`)
    seen.add(word)
  }
  return [...given]
}
