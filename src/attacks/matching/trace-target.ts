import type { TargetOf, TracedGradient } from '../../client/model/gradient'
import { type Target, traceClient } from '../../client/target'
import { requireOrder } from '../labels/order'
import type { Settings } from './options'
import { type Point, pointOf } from './point'
import { readLabels } from './targets/label-choices'
import { chooseTargets, type Targets } from './targets/targets'

/** A client's gradient as a graph, with its targets known or to be searched. */
export interface TracedTarget {
  /** The targets of the outputs with a loss. */
  readonly targets: readonly Targets[]
  readonly traced: TracedGradient
  readonly point: Point
}

/** Target → trace → unknowns. @throws DlgError for what is wrong with the labels, `untraceable` */
export async function traceTarget(target: Target, settings: Settings): Promise<TracedTarget> {
  const chooserOf = await readLabels(settings.labels)
  const targets: Targets[] = []
  const targetOf: TargetOf = (_, output, all) => {
    const choice = chooserOf(output, all)
    requireOrder(choice, settings)
    const chosen = chooseTargets(output, choice, target, all)
    targets.push(chosen)
    return chosen.node
  }
  const traced = traceClient(target, targetOf)
  return { targets, traced, point: pointOf(traced.inputs, target.searched, targets) }
}
