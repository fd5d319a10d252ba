import type { Target } from '../../client/target'
import type { PlainTargets } from '../../client/target-values'
import { eachGradient, factorOf, RESIDUAL } from '../../measure/residual'
import { meanOfTwo, squaresApart } from '../../numbers/stretches'
import type { Values } from '../../numbers/values'
import { nothingIfCut, type Pause, paced } from '../contract/pause'
import { scaleOf } from './encode'
import { spreadOf, TOLERANCE } from './pool'
import type { PlacedColumn } from './schema'
import { isCoarse } from './span'

/** What else re-creates what was shared, beside the records found. */
export interface Doubts {
  /** [rows, columns] row by row: 1 for a cell with another value of which the gradient is as near to the shared one. */
  readonly untold: Uint8Array
  /** Whether two records whose mean a record is would pass for it. */
  readonly mixtures: boolean
}

/** Another gradient is told where noise makes it less likely by so many times its variance. */
const LESS_LIKELY = 25

/** What float32 leaves of a residual, at the least. */
const FLOAT32 = 1e-5

/** Trial mixtures are of records with numbers so many standard deviations apart from their mean. */
const SPREAD = 0.5

/** A mixture shows where it is this many times further off than what counts as a match. */
const CLEAR = 4

/** ‖f g − g*‖² and ‖g*‖² of each tensor, in one unit. */
interface Distances {
  readonly off: readonly number[]
  readonly size: readonly number[]
}

/**
 * Whether records that re-create what was shared are the only ones, as far as trials tell.
 *
 * A cell is told where with any other value there, and all else as it is, the gradient is further from the shared one than its
 * noise explains. Of a column of words every other word is tried, of whole numbers and levels the next ones, and of other numbers
 * those that are as far off as still counts as right. A mixture is told where the mean gradient of records with larger and with
 * smaller numbers is another one: numbers alone can have a mean that is a record.
 *
 * @param table [rows, inputs] row by row, as the client's encoder makes them of the records
 * @param cells whether single cells are tried, or mixtures alone
 * @returns undefined where the work was ended before
 */
export async function doubtsAbout(
  target: Target,
  columns: readonly PlacedColumn[],
  table: Float64Array,
  targets: readonly PlainTargets[],
  cells: boolean,
  pause: Pause,
): Promise<Doubts | undefined> {
  const rows = target.settings.batchSize
  const width = table.length / rows
  const untold = new Uint8Array(rows * columns.length)
  const tried: number[] = []
  function* tables() {
    yield [table]
    yield [apart(table, columns, width, SPREAD)]
    yield [apart(table, columns, width, -SPREAD)]
    if (!cells) return
    for (let row = 0; row < rows; row++)
      for (const [c, column] of columns.entries())
        for (const other of others(column, table.subarray(row * width, (row + 1) * width))) {
          const cell = row * columns.length + c
          // one value that is as likely is enough
          if (untold[cell] === 1) break
          tried.push(cell)
          const changed = table.slice()
          changed.set(other, row * width + column.at)
          yield [changed]
        }
  }
  const { gradients, rounding } = target
  const noise = (LESS_LIKELY * rounding) / gradients.reduce((sum, values) => sum + values.length, 0)
  const squaresOf = async (found: readonly Values[], from: readonly Values[], factor = 1): Promise<Distances> => {
    const { off, size, unit } = await paced(squaresApart(found, from, factor), pause)
    return { off: off.map((v) => v * unit ** 2), size }
  }
  const compared = async (found: readonly Values[]) =>
    squaresOf(found, gradients, await paced(factorOf(target, found), pause))
  /** Whether noise explains the distances, and float32 those of each tensor by itself: a first layer may be a small part of all. */
  const alike = ({ off, size }: Distances, own: readonly number[], float32: number) =>
    !(sum(off) - sum(own) >= noise * sum(size)) || off.every((v, i) => !(v - (own[i] ?? 0) > float32 ** 2 * size[i]))
  const first: Values[][] = []
  let own: readonly number[] = []
  let mixtures = false
  try {
    if (await pause()) return undefined
    for await (const found of eachGradient(target, tables(), targets)) {
      if (first.length < 3) {
        first.push(found)
        if (first.length === 3) {
          const [middle, more, less] = first
          own = (await compared(middle)).off
          const mean = await paced(meanOfTwo(more, less), pause)
          mixtures = columns.some(isNumber) && alike(await squaresOf(mean, middle), [], CLEAR * RESIDUAL)
        }
      } else if (alike(await compared(found), own, FLOAT32)) untold[tried[tried.length - 1]] = 1
      // an evaluation of a large model is a good part of what an abort may take
      if (await pause()) return undefined
    }
  } catch (error) {
    return nothingIfCut(error)
  }
  return { untold, mixtures }
}

export const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)

const isNumber = ({ column }: PlacedColumn): boolean => column.kind === 'numeric'

/** The table with all numbers so many standard deviations larger, in turns smaller. */
function apart(table: Float64Array, columns: readonly PlacedColumn[], width: number, by: number): Float64Array {
  const out = table.slice()
  for (const [c, { column, at }] of columns.filter(isNumber).entries())
    for (let i = at; i < out.length; i += width) out[i] += (c % 2 === 0 ? by : -by) * spreadOf(column)
  return out
}

/** What else a cell could be, as inputs of its column. */
function* others({ column, at, size }: PlacedColumn, row: Float64Array): Generator<Float64Array> {
  if (column.kind === 'categorical') {
    for (let word = 0; word < size; word++) {
      if (row[at + word] === 1) continue
      const other = new Float64Array(size)
      other[word] = 1
      yield other
    }
    return
  }
  if (column.kind === 'binary') return yield Float64Array.of(1 - row[at])
  const step = column.kind === 'ordinal' || isCoarse(column) ? 1 / scaleOf(column) : TOLERANCE * spreadOf(column)
  yield Float64Array.of(row[at] + step)
  yield Float64Array.of(row[at] - step)
}
