import { DlgError } from '../../errors/dlg-error'
import { squaredNorm, type Values } from '../../numbers/values'
import { weightParameter } from '../model/gradient'
import type { OpenModel } from '../model/model'
import { gradientsIn, meanPosition } from './local-steps'
import { readGradients, readWeights, type WeightTensors } from './read-gradients'
import { roundingNorm } from './rounding'
import { isUpdate, movedPart, readMovement, type WeightUpdate } from './shared-update'
import type { UpdateSettings } from './update-options'

/** What an attack matches, and at which weights. */
export interface Shared {
  /** In the order of the trained weights. */
  readonly gradients: readonly Values[]
  /** Of all weights, by parameter name. */
  readonly weights: Map<string, Values>
  /** Relative loss that is expected of the client's own data: weights are rounded to float32 after every step. */
  readonly rounding: number
}

/** How what was shared came about. */
interface Sharing {
  readonly update: UpdateSettings | undefined
  /** What was shared is this many times the gradient; `auto` where the factor is fitted later. */
  readonly scale: 'auto' | number
  readonly batchSize: number
  readonly reduction: 'mean' | 'sum'
}

/** The tensors that say which weights are shared. @throws DlgError when update and options contradict each other */
export function sharedPart(shared: WeightTensors | WeightUpdate, model: OpenModel, { update }: Sharing): WeightTensors {
  if (!isUpdate(shared)) {
    if (!update) return shared
    throw new DlgError(
      'invalid-gradients',
      'the option update says how weights moved, and gradients were given; give {before, after} or {delta}, or leave update out',
    )
  }
  if (update) return movedPart(shared, model)
  throw new DlgError('invalid-option', 'an update was given; say how it came about: update: { learningRate: 0.01, … }')
}

/**
 * Gradients as they are; an update as the gradient per step that it amounts to:
 *
 * (−Δ/η − C λ θ) / n, n gradients of all samples, C of them with the decay, θ the weights where they are taken
 *
 * This is the client's gradient for one step, and near it for several. A factor that is known to be in what was shared is
 * taken out.
 */
export async function readShared(
  shared: WeightTensors | WeightUpdate,
  model: OpenModel,
  settings: Sharing,
): Promise<Shared> {
  const { update, scale } = settings
  const trained = model.weights.filter((w) => w.trainable)
  const { gradients, weights, rounding } =
    isUpdate(shared) && update
      ? await readUpdate(shared, model, settings, update)
      : {
          rounding: 0,
          gradients: await readGradients(shared as WeightTensors, trained),
          weights: await readWeights(model.weights, weightParameter),
        }
  if (squaredNorm(gradients) === 0)
    throw new DlgError(
      'invalid-gradients',
      update
        ? 'the weights before and after are the same: there is nothing to match'
        : 'every shared gradient is zero: there is nothing to match',
    )
  if (scale === 'auto' || scale === 1) return { gradients, weights, rounding }
  return { weights, rounding, gradients: gradients.map((values) => values.map((v) => v / scale)) }
}

async function readUpdate(
  shared: WeightUpdate,
  model: OpenModel,
  { batchSize, reduction }: Sharing,
  update: UpdateSettings,
): Promise<Shared> {
  const { learningRate = 1, weightDecay, approach, sign } = update
  if (sign !== undefined && !('delta' in shared))
    throw new DlgError('invalid-option', 'update.sign says which way delta points; before and after need none')
  const weights = await readWeights(model.weights, weightParameter)
  const own = (weight: Parameters<typeof weightParameter>[0]) => weights.get(weightParameter(weight))!
  const { before, delta, rounded } = await readMovement(shared, model, own, sign ?? 1)
  for (const weight of model.weights) {
    const values = before.get(weight.name)
    if (values) weights.set(weightParameter(weight), values)
  }
  const position = approach === 'surrogate' ? meanPosition(update) : 0
  const count = gradientsIn(update, batchSize, reduction)
  const decay = weightDecay * gradientsIn(update, batchSize, 'mean')
  const trained = model.weights.filter((w) => w.trainable)
  const noise = rounded ? roundingNorm(trained.map(own), update.steps.length) : 0
  const gradients = trained.map((weight, i) => {
    const from = own(weight)
    const at = Float64Array.from(delta[i], (d, k) => from[k] + position * d)
    if (position > 0) weights.set(weightParameter(weight), at)
    return Float64Array.from(delta[i], (d, k) => (-d / learningRate - decay * at[k]) / count)
  })
  return { gradients, weights, rounding: noise / squaredNorm(delta) }
}
