import type { TracedGradient } from '../../../client/model/gradient'
import * as g from '../../../graph'
import type { Values } from '../../../numbers/values'
import { donePaced, type Pause } from '../../contract/pause'
import { type Distance, likeMeasure } from './distance'

/** A distance whose weights are known, from one shared gradient. */
export interface WeighedDistance {
  readonly distance: Distance
  /** Unit of the distance. */
  readonly unit: number
  /** What its weights are bound to. */
  readonly parameters: ReadonlyMap<string, Values>
}

/**
 * Computes the weights that a distance takes from what was shared, and hands them to its `measure` as parameters.
 *
 * @param pause asked between the steps of a distance that takes long
 */
export async function weighed(
  distance: Distance,
  { gradients }: Pick<TracedGradient, 'gradients'>,
  shared: readonly Values[],
  pause: Pause,
): Promise<WeighedDistance> {
  const given = shared.map((values, i) => ({ shape: gradients[i].shape, values }))
  const weights = await donePaced(distance.weights?.(given) ?? [], pause)
  const parameters = new Map<string, Values>()
  for (const [i, tensors] of weights.entries())
    for (const [k, { values }] of tensors.entries()) parameters.set(weightParameter(i, k), values)
  const nodes = (graph: g.Graph) =>
    weights.map((tensors, i) => tensors.map(({ shape }, k) => g.parameter(graph, weightParameter(i, k), shape)))
  return {
    distance: {
      ...{ name: distance.name, factorFree: distance.factorFree },
      measure: likeMeasure(
        (candidates, all) => distance.measure(candidates, all, nodes(candidates[0].graph)),
        distance,
      ),
    },
    unit: await donePaced(distance.unit?.(shared, weights) ?? 1, pause),
    parameters,
  }
}

const weightParameter = (i: number, k: number): string => `distance ${i} ${k}`
