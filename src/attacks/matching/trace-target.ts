import { type TargetOf, type TracedGradient, traceGradient } from '../../client/model/gradient'
import { unrolled, unrolls } from '../../client/shared/unroll'
import type { Target } from '../../client/target'
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
  const { model, whole, trained, kinds, searched } = target
  const chooserOf = await readLabels(settings.labels)
  const targets: Targets[] = []
  const targetOf: TargetOf = (_, output, all) => {
    const choice = chooserOf(output, all)
    requireOrder(choice, settings)
    const chosen = chooseTargets(output, choice, target)
    targets.push(chosen)
    return chosen.node
  }
  // a weight whose share is missing moves with the others all the same
  const traced = unrolls(settings.update)
    ? unrolled(whole, trained, settings, traceGradient(whole, settings, targetOf, kinds), kinds, settings.update)
    : traceGradient(model, settings, targetOf, kinds)
  return { targets, traced, point: pointOf(traced.inputs, searched, targets) }
}
