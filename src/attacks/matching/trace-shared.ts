import { readKnown } from '../../client/known-inputs'
import { type InputKinds, type TargetOf, type TracedGradient, traceGradient } from '../../client/model/gradient'
import { type Model, type OpenModel, openModel } from '../../client/model/model'
import type { InputData } from '../../client/read-data'
import { asGiven } from '../../client/shared/as-given'
import { withoutMissing } from '../../client/shared/missing'
import type { SharedGradients } from '../../client/shared/read-gradients'
import { readShared, type Shared, sharedPart } from '../../client/shared/read-shared'
import type { SharedUpdate } from '../../client/shared/shared-update'
import { unrolled, unrolls } from '../../client/shared/unroll'
import type { Settings } from './options/settings'
import { type Point, pointOf } from './point'
import { readLabels, requireOrder } from './targets/label-choices'
import { chooseTargets, type Targets } from './targets/targets'

/** A client's gradient as a graph, beside the one it shared, with its targets known or to be searched. */
export interface TracedShared extends Shared {
  /** The model; a weight whose gradient is missing is frozen. */
  readonly opened: OpenModel
  readonly knownInputs: readonly InputData[]
  /** Of the outputs with a loss. */
  readonly targets: readonly Targets[]
  readonly traced: TracedGradient
  /** Of the searched inputs. */
  readonly names: readonly string[]
  readonly point: Point
}

/** Model → trace → targets. @throws DlgError for what is wrong with the model, what was shared, the inputs or the labels */
export async function traceShared(
  model: Model,
  given: SharedGradients | SharedUpdate,
  settings: Settings,
): Promise<TracedShared> {
  const shared = asGiven(given)
  const whole = openModel(model)
  const opened = withoutMissing(whole, sharedPart(shared, whole, settings), settings.missing)
  const trained = opened.weights.filter((w) => w.trainable)
  const { gradients, weights, rounding } = await readShared(shared, opened, settings)

  const chooserOf = await readLabels(settings.labels)
  const knownInputs = await readKnown(settings.known, opened, settings.batchSize)
  const evidence = { trained, gradients, weights }
  const targets: Targets[] = []
  const targetOf: TargetOf = (_, output, all) => {
    const choice = chooserOf(output, all)
    requireOrder(choice, settings)
    const chosen = chooseTargets(output, choice, evidence, settings)
    targets.push(chosen)
    return chosen.node
  }
  const kinds = inputKinds(knownInputs)
  // a weight whose share is missing moves with the others all the same
  const traced = unrolls(settings.update)
    ? unrolled(whole, trained, settings, traceGradient(whole, settings, targetOf, kinds), kinds, settings.update)
    : traceGradient(opened, settings, targetOf, kinds)
  const names = opened.inputs.map(({ name }) => name).filter((name) => !Object.hasOwn(settings.known, name))
  const point = pointOf(traced.inputs, names, targets)
  return { opened, gradients, weights, rounding, knownInputs, targets, traced, names, point }
}

const inputKinds = (known: readonly InputData[]): InputKinds => ({
  types: new Map(known.map(({ name, dtype }) => [name, dtype])),
  known: new Set(known.map(({ name }) => name)),
})
