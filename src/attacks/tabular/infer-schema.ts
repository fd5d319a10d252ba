import { choice, invalid, knownNames, requireObject, show } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { csvTable, numberIn } from './csv'
import { type TableColumn, type TableSchema, tableSchema } from './schema'

/**
 * How a client encodes a column.
 *
 * - `standard`: (value − mean) / standard deviation, as scikit-learn's StandardScaler.
 * - `min-max`: (value − lowest) / (highest − lowest), as MinMaxScaler.
 * - `raw`: the number as it is.
 * - `one-hot`: one input for each category, as OneHotEncoder or pandas' get_dummies.
 * - `ordinal`: the position of the level, as OrdinalEncoder.
 * - `binary`: 0 or 1.
 */
export type TableEncoder = 'standard' | 'min-max' | 'raw' | 'one-hot' | 'ordinal' | 'binary'

const ENCODERS = ['standard', 'min-max', 'raw', 'one-hot', 'ordinal', 'binary'] as const satisfies TableEncoder[]

/** Options of `inferTableSchema`. */
export interface InferSchemaOptions {
  /** Which columns the model reads, in the order of its inputs. Default: all, in the order of the table. */
  columns?: readonly string[]
  /** Columns that the model does not read, such as the label. */
  exclude?: readonly string[]
  /** The encoder of columns by name. Default: `standard` where every cell is a number, else `one-hot`. */
  encoders?: { readonly [column: string]: TableEncoder }
  /**
   * All categories of columns by name, in their order, also those that the table does not have. Default: those of the table, in
   * the order that encoders have: numbers by their value, with what is missing after them, and else by their characters.
   */
  categories?: { readonly [column: string]: readonly string[] }
}

/**
 * Makes a schema out of a table that has the client's columns, such as public data of the same kind. Means, standard deviations
 * (of the whole population, as StandardScaler), ranges and categories are those of the table, so that it must be the table to which
 * the client's encoder was fitted, or one like it.
 *
 * @param csv text with a header line
 * @throws DlgError `invalid-file` for text that is no table, or a column that does not suit its encoder; `invalid-option`
 */
export function inferTableSchema(csv: string, options: InferSchemaOptions = {}): TableSchema {
  knownNames('options', options, ['columns', 'exclude', 'encoders', 'categories'])
  const { columns, exclude = [], encoders = {}, categories = {} } = options
  for (const [name, given] of Object.entries({ columns, exclude }))
    if (given !== undefined && !(Array.isArray(given) && given.every((word) => typeof word === 'string')))
      throw invalid(`${name} is ${show(given)}; it must be a list of names of columns`)
  requireObject('encoders', encoders, 'an object with an encoder for each column named', 'invalid-option')
  requireObject('categories', categories, 'an object with a list for each column named', 'invalid-option')
  const { names, rows } = csvTable(csv)
  const said = [...(columns ?? []), ...exclude, ...Object.keys(encoders), ...Object.keys(categories)]
  const stranger = said.find((name) => !names.includes(name))
  if (stranger !== undefined)
    throw invalid(`the table has no column '${stranger}'; it has ${names.slice(0, 12).join(', ')}`)
  const read = (columns ?? names).filter((name) => !exclude.includes(name))
  return tableSchema({
    columns: read.map((name) => {
      const at = names.indexOf(name)
      const cells = rows.map((row) => row[at])
      const numbers = cells.map(numberIn)
      const given = Object.hasOwn(categories, name) ? categories[name] : undefined
      const standard = numbers.every((value) => value !== undefined) && !given ? 'standard' : 'one-hot'
      const encoder = Object.hasOwn(encoders, name) ? encoders[name] : standard
      return columnOf(name, choice(`encoders.${name}`, encoder, ENCODERS), cells, numbers, given)
    }),
  })
}

/** What stands where a number is missing. */
const MISSING: readonly string[] = ['', 'nan', 'na', 'n/a', 'null', 'none']

/** The words of a column in the order that scikit-learn and pandas give them: numbers by their value, and what is missing after them. */
function sorted(name: string, cells: readonly string[], numbers: readonly (number | undefined)[]): string[] {
  const isMissing = (i: number): boolean => MISSING.includes(cells[i].toLowerCase())
  const inOrder = (words: readonly string[]) => [...new Set(words)].sort((a, b) => (a < b ? -1 : 1))
  const numeric = numbers.some((v) => v !== undefined) && numbers.every((v, i) => v !== undefined || isMissing(i))
  if (!numeric) return inOrder(cells)
  const words = new Map<number, string>()
  for (const [i, value] of numbers.entries()) {
    if (value === undefined) continue
    const word = words.get(value) ?? cells[i]
    if (word !== cells[i])
      throw new DlgError(
        'invalid-file',
        `'${name}' has '${word}' and '${cells[i]}', which are one number; write it in one way, or name the categories`,
      )
    words.set(value, word)
  }
  const known = [...words].sort(([a], [b]) => a - b).map(([, word]) => word)
  return [...known, ...inOrder(cells.filter((_, i) => numbers[i] === undefined))]
}

function columnOf(
  name: string,
  encoder: TableEncoder,
  cells: readonly string[],
  numbers: readonly (number | undefined)[],
  given: readonly string[] | undefined,
): TableColumn {
  if (encoder === 'one-hot' || encoder === 'ordinal' || encoder === 'binary') {
    const words = given ?? sorted(name, cells, numbers)
    const odd = cells.find((cell) => !words.includes(cell))
    if (odd !== undefined) throw invalid(`categories.${name} has no '${odd}', which the table has`)
    if (words.length < 2)
      throw new DlgError(
        'invalid-file',
        `'${name}' is '${words[0]}' in every record; exclude it, or name its categories`,
      )
    if (encoder === 'one-hot') return { kind: 'categorical', name, categories: words }
    if (encoder === 'ordinal') return { kind: 'ordinal', name, levels: words }
    if (words.length === 2) return { kind: 'binary', name, values: [words[0], words[1]] }
    throw new DlgError('invalid-file', `'${name}' has ${words.length} different words; a binary column must have two`)
  }
  if (given) throw invalid(`categories.${name} is given; its encoder is '${encoder}', which has none`)
  const odd = numbers.indexOf(undefined)
  if (odd >= 0)
    throw new DlgError(
      'invalid-file',
      `'${name}' of record ${odd} is '${cells[odd]}'; for '${encoder}' it must be a number`,
    )
  const values = numbers as readonly number[]
  let [low, high, sum] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0]
  for (const value of values) {
    low = Math.min(low, value)
    high = Math.max(high, value)
    sum += value
  }
  if (low === high)
    throw new DlgError(
      'invalid-file',
      `'${name}' is ${low} in every record; exclude it, or give a table in which it varies`,
    )
  const mean = sum / values.length
  const std = Math.sqrt(values.reduce((total, value) => total + (value - mean) ** 2, 0) / values.length)
  const scaling = { standard: { mean, std }, 'min-max': { mean: low, std: high - low }, raw: {} }[encoder]
  return { kind: 'numeric', name, ...scaling, range: [low, high], integer: values.every(Number.isInteger) }
}
