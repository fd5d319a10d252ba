import { traceGradient } from '../../client/model/gradient'
import type { Target } from '../../client/target'
import * as g from '../../graph'

/** Positions, among the trained weights, of tables whose rows the data choose. */
function tables({ model, settings, kinds }: Target): number[] {
  const whole = {
    types: new Map([...(kinds.types ?? []), ...model.inputs.map(({ name }) => [name, 'int32'] as const)]),
  }
  const traced = traceGradient(model, settings, (output) => g.input(output.graph, 'target', output.shape), whole)
  const nodes: readonly g.Node[] = traced.trainedNodes
  const found = g
    .reachable([traced.loss])
    .filter((n) => n.op === 'gather' && n.inputs[1].varying && nodes.includes(n.inputs[0]))
    .map((n) => nodes.indexOf(n.inputs[0]))
  return [...new Set(found)]
}

/** The gradient of a table. */
interface TableGradient {
  readonly name: string
  readonly rows: number
  readonly table: { readonly data: Target['dataGradients'][number]; readonly width: number }
}

/** The gradient of the first table whose rows the data choose; undefined where none was shared. */
export function firstTable(target: Target): TableGradient | undefined {
  const [at] = tables(target)
  if (at === undefined) return undefined
  const { name, shape } = target.trained[at]
  const rows = shape.slice(0, -1).reduce((a, b) => a * b, 1)
  return { name, rows, table: { data: target.dataGradients[at], width: shape[shape.length - 1] } }
}

/** Why an attack on a table does not apply where there is none. */
export const NO_TABLE = 'no trained table, whose rows the data choose, has a shared gradient'
