import { traceGradient } from '../../client/model/gradient'
import type { Target } from '../../client/target'
import * as g from '../../graph'

/** Positions, among the trained weights, of tables whose rows the data choose. */
export function tables({ model, settings, kinds }: Target): number[] {
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
