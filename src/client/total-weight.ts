import * as g from '../graph'
import { bindStatic } from '../runtime/reference'
import type { Criterion } from './model/criterion'
import { weightsOf } from './model/loss'

/**
 * Σ weight of known targets, which a mean divides by; undefined where every sample counts 1, or weights depend on the
 * output too.
 *
 * @param target values of the output's shape
 */
export function totalWeight(criterion: Criterion, shape: g.Shape, target: Float32Array): number | undefined {
  const graph = g.createGraph()
  const output = g.parameter(graph, 'output', shape)
  const weights = weightsOf(criterion, output, g.parameter(graph, 'target', shape))
  if (!weights) return undefined
  const total = g.sum(weights)
  const nodes = g.reachable([total])
  return nodes.includes(output) ? undefined : bindStatic(nodes, new Map([['target', target]])).get(total)![0]
}
