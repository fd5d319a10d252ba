import { type InputKinds, traceGradient } from '../../client/model/gradient'
import type { Target } from '../../client/target'
import * as g from '../../graph'
import type { Steps } from '../../numbers/steps'
import { type Pause, paced } from '../contract/pause'

/** The first table whose rows the searched inputs choose: its position among the trained weights, and whether nothing else reads it. */
function tableIn({ model, settings, kinds }: Target): { at: number; onlyLookedUp: boolean } | undefined {
  const told: InputKinds = {
    ...kinds,
    types: new Map([...model.inputs.map(({ name }) => [name, 'int32'] as const), ...(kinds.types ?? [])]),
  }
  const traced = traceGradient(model, settings, (output) => g.input(output.graph, 'target', output.shape), told)
  const nodes: readonly g.Node[] = traced.trainedNodes
  const reached = g.reachable([traced.dataLoss])
  const found = reached.find((n) => n.op === 'gather' && n.inputs[1].varying && nodes.includes(n.inputs[0]))
  if (!found) return undefined
  const [table] = found.inputs
  const onlyLookedUp = reached.every((n) => n.op === 'gather' || !n.inputs.includes(table))
  return { at: nodes.indexOf(table), onlyLookedUp }
}

/** The gradient of a table. */
interface TableGradient {
  readonly name: string
  readonly rows: number
  /** Rows with a gradient. */
  readonly touched: readonly number[]
  /**
   * Whether rows of tokens that do not occur may have a gradient: every row has one, or most do where the model reads the table otherwise too,
   * as its output matrix. A row of zeros is of a token that does not occur.
   */
  readonly tied: boolean
  readonly table: { readonly data: Target['dataGradients'][number]; readonly width: number }
  /** Mean square of what each of its numbers lost where it was rounded. */
  readonly lost: number
}

/** The gradient of the first table whose rows the searched inputs choose; undefined where none was shared. @throws CUT */
export async function firstTable(target: Target, pause: Pause): Promise<TableGradient | undefined> {
  const found = tableIn(target)
  if (!found) return undefined
  const { name, shape } = target.trained[found.at]
  const rows = shape.slice(0, -1).reduce((a, b) => a * b, 1)
  const table = { data: target.dataGradients[found.at], width: shape[shape.length - 1] }
  const touched = await paced(touchedIn(table), pause)
  const lost = target.lost[found.at] / table.data.length
  return { name, rows, table, touched, lost, tied: touched.length > (found.onlyLookedUp ? rows - 1 : rows / 2) }
}

/** Rows between two looks at the clock. */
const ROWS = 256

/** The rows that are not zero. */
function* touchedIn({ data, width }: TableGradient['table']): Steps<number[]> {
  const touched: number[] = []
  for (let row = 0; row * width < data.length; row++) {
    if (row % ROWS === 0) yield
    let at = row * width
    while (at < (row + 1) * width && data[at] === 0) at++
    if (at < (row + 1) * width) touched.push(row)
  }
  return touched
}

/** Why an attack on a table does not apply where there is none. */
export const NO_TABLE = 'no trained table, whose rows the searched inputs choose, has a shared gradient'
