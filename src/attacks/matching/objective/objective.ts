import type { TracedGradient } from '../../../client/model/gradient'
import { DlgError } from '../../../errors/dlg-error'
import type { Node } from '../../../graph'
import * as g from '../../../graph'
import type { Program } from '../../../runtime/runtime'
import { type Distance, derivativeOf } from './distance'
import type { Prior, SharedStatistic } from './prior'
import type { RunningStatistic } from './running'

/** Names of the parameters the objective adds to the model's. */
export const sharedParameter = (i: number): string => `shared ${i}`
export const DISTANCE_WEIGHT = 'distance weight'

/** The name under which the movement of a moving statistic is bound. */
export const statisticParameter = (name: string): string => `moved ${name}`

/** The moving statistics that the client shared, beside those of the candidate. */
export const sharedStatistics = (
  { statistics }: Pick<TracedGradient, 'statistics'>,
  shared: ReadonlyMap<string, unknown>,
): SharedStatistic[] =>
  statistics
    .filter(({ name }) => shared.has(name))
    .map(({ name, moved }) => ({
      ...{ name, moved },
      shared: g.parameter(moved.graph, statisticParameter(name), moved.shape),
    }))

/** The shared gradient, one node for each of the candidate's. */
export const sharedNodes = ({ graph, gradients }: Pick<TracedGradient, 'graph' | 'gradients'>): Node[] =>
  gradients.map((n, i) => g.parameter(graph, sharedParameter(i), n.shape))

/**
 * The objective of the attack and its derivatives with respect to the unknowns:
 *
 * w · D(∂L/∂W(x, q), g*) + v · Σ λᵢ Pᵢ(x)
 *
 * The inputs are the unknowns and, where there are priors, their common weight v. The outputs are the objective, the
 * distance D, and one gradient per unknown.
 */
export function objectiveProgram(
  traced: TracedGradient,
  unknowns: readonly Node<'input'>[],
  distance: Distance,
  priors: readonly Prior[],
  statistics: readonly SharedStatistic[] = [],
  running: readonly RunningStatistic[] = [],
): Program {
  const { graph } = traced
  const measured = scalar(`distance '${distance.name}'`, distance.measure(traced.gradients, sharedNodes(traced)))
  const weight = g.parameter(graph, DISTANCE_WEIGHT, [])
  const weighted = g.mul(measured, weight)
  const penalties = priors
    .filter((p) => p.weight !== 0)
    .map((p) => g.scale(scalar(`prior '${p.name}'`, p.measure(traced.data, statistics, running)), p.weight))
  const pull = pulls(traced, unknowns, distance, measured, weight)
  if (penalties.length === 0) return { inputs: unknowns, outputs: [weighted, measured, ...pull] }
  const priorWeight = g.input(graph, 'prior weight', [])
  const penalty = penalties.reduce(g.add)
  const push = g.grad(penalty, unknowns).map((n) => g.mul(n, priorWeight))
  const outputs = [g.add(weighted, g.mul(penalty, priorWeight)), measured, ...pull.map((n, i) => g.add(n, push[i]))]
  return { inputs: [...unknowns, priorWeight], outputs }
}

/** The derivative of the distance with respect to each unknown. Factors multiply these few tensors, not every one on the way to them. */
function pulls(
  traced: TracedGradient,
  unknowns: readonly Node[],
  distance: Distance,
  measured: Node,
  weight: Node,
): Node[] {
  const closed = derivativeOf(distance)?.(traced.gradients, sharedNodes(traced), measured)
  if (closed) {
    const factor = g.mul(closed.factor, weight)
    return g.pullBack(traced.gradients, closed.tensors, unknowns).map((n) => g.mul(n, factor))
  }
  // with ½D even the 2 of the square is gone
  const twice = g.scale(weight, 2)
  return g.grad(g.scale(measured, 0.5), unknowns).map((n) => g.mul(n, twice))
}

function scalar(what: string, node: Node): Node {
  if (node?.shape?.length === 0) return node
  const got = node?.shape ? `a node of shape [${node.shape}]` : String(node)
  throw new DlgError('invalid-option', `${what} gave ${got}; measure() must give a scalar node`)
}
