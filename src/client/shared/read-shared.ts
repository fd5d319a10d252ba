import { invalid } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { mapped, squaredNorm, type Values } from '../../numbers/values'
import { weightParameter } from '../model/gradient'
import type { OpenModel } from '../model/model'
import {
  precisionsOf,
  readGradients,
  readWeights,
  type SharedGradients,
  type WeightTensors,
  weightTensors,
} from './read-gradients'
import { coarseNorm, roundingNorm, type StatedPrecision, shownPrecision, storageNorm, storedOr } from './rounding'
import { isUpdate, movedPart, readMovement, type SharedUpdate, type WeightUpdate } from './shared-update'
import { gradientsIn, meanPosition } from './unroll'
import type { UpdateSettings } from './update-options'

/** The gradients that an attack matches, and the weights at which they were taken. */
export interface Shared {
  /** Gradients in the order of the trained weights. */
  readonly gradients: readonly Values[]
  /** Values of all weights, by parameter name. */
  readonly weights: Map<string, Values>
  /**
   * Relative loss that is expected of the client's own data: gradients were stored as a type, weights are rounded to float32 after
   * every step.
   */
  readonly rounding: number
  /** For each gradient, the squared norm that is expected to be lost of it in that way, in the gradients' own units. */
  readonly lost: readonly number[]
  /** How far moving statistics moved in one step, by name; empty where that was not shared, or not exactly. */
  readonly statistics: ReadonlyMap<string, Values>
}

/** How what was shared came about. */
interface Sharing {
  readonly update: UpdateSettings | undefined
  /** The factor in what was shared: it is this many times the gradient. `auto` where the factor is fitted later. */
  readonly scale: 'auto' | number
  readonly batchSize: number
  readonly reduction: 'mean' | 'sum'
  readonly precision: StatedPrecision | undefined
  /** Variance of the noise in every number that was shared. */
  readonly noise: number
}

/** What a client shared, recognised as gradients or as an update. Nothing after this asks which of them it was. */
export interface RecognisedShared {
  /** The tensors that say which weights were shared: the gradients, or how the weights moved. */
  readonly tensors: WeightTensors
  /**
   * Gradients as they are; an update as the gradient per step that it amounts to:
   *
   * (−Δ/η − C λ θ) / n, n gradients of all samples, C of them with the decay, θ the weights where they are taken
   *
   * This is the client's gradient for one step, and near it for several. A factor that is known to be in what was shared is
   * taken out.
   *
   * @param model the model in which a weight whose gradient is missing is frozen
   * @throws DlgError `invalid-gradients`, naming the first tensor that does not fit and what would
   */
  read(model: OpenModel): Promise<Shared>
}

/**
 * Recognises what was shared: a list, an object or a Map of gradients, or an update with such parts.
 *
 * @throws DlgError `invalid-gradients`, `invalid-option` when what was given and the option `update` contradict each other
 */
export function recogniseShared(
  given: SharedGradients | SharedUpdate,
  model: OpenModel,
  settings: Sharing,
): RecognisedShared {
  const { update } = settings
  const shared: WeightTensors | WeightUpdate = weightTensors(given as SharedGradients)
  if (isUpdate(shared)) {
    if (!update)
      throw new DlgError(
        'invalid-option',
        'an update was given; say how it came about: update: { learningRate: 0.01, … }',
      )
    const parts = Object.entries(shared as object as { readonly [part: string]: SharedGradients }).map(
      ([name, part]) => [name, weightTensors(part, `'${name}' of the update`)],
    )
    const moved: WeightUpdate = Object.fromEntries(parts)
    return {
      tensors: movedPart(moved, model),
      read: async (opened) => withoutFactor(await readUpdate(moved, opened, settings, update), settings),
    }
  }
  if (update)
    throw new DlgError(
      'invalid-gradients',
      'the option update says how weights moved, and gradients were given; give {before, after} or {delta}, or leave update out',
    )
  return {
    tensors: shared,
    async read({ weights }) {
      const trained = weights.filter((w) => w.trainable)
      const gradients = await readGradients(shared, trained)
      const stored = precisionsOf(shared, trained)
      const precision = settings.precision ?? shownPrecision(gradients)
      const lost = gradients.map(
        (values, i) => storageNorm(values, storedOr(values, stored[i], precision)) + values.length * settings.noise,
      )
      const rounding = lost.reduce((a, b) => a + b, 0) / Math.max(squaredNorm(gradients), Number.MIN_VALUE)
      return withoutFactor(
        { gradients, weights: await readWeights(weights, weightParameter), rounding, lost, statistics: new Map() },
        settings,
      )
    },
  }
}

/** The square of a number below 1e-162 is zero. */
const squaresVanish = (values: Values): boolean => values.every((v: number) => v * v === 0)

/** Takes a known factor out. @throws DlgError `invalid-gradients` where everything is zero; `invalid-option` where the factor, the rate or the noise leaves no numbers */
function withoutFactor({ gradients, weights, rounding, lost, statistics }: Shared, { update, scale }: Sharing): Shared {
  if (gradients.every(squaresVanish))
    throw new DlgError(
      'invalid-gradients',
      update
        ? `what the weights moved by, divided by the learning rate ${update.learningRate}, is zero: there is nothing to match`
        : 'every shared gradient is zero: there is nothing to match',
    )
  if (!Number.isFinite(rounding)) throw invalid('the noise is so large that nothing is left of what was shared')
  if (update && !Number.isFinite(squaredNorm(gradients)))
    throw invalid(`the learning rate is ${update.learningRate}: what was shared, divided by it, is not finite`)
  if (scale === 1) return { gradients, weights, rounding, lost, statistics }
  // nobody knows whether a factor is in the statistics too
  if (scale === 'auto') return { gradients, weights, rounding, lost, statistics: new Map() }
  const divided = gradients.map((values) => values.map((v) => v / scale))
  if (!Number.isFinite(squaredNorm(divided)) || divided.every(squaresVanish))
    throw invalid(`scale is ${scale}: what was shared, divided by it, is zero or not finite`)
  return {
    ...{ weights, rounding, statistics: new Map() },
    gradients: divided,
    lost: lost.map((v) => v / scale ** 2),
  }
}

async function readUpdate(
  shared: WeightUpdate,
  model: OpenModel,
  { batchSize, reduction, precision, noise: stated }: Sharing,
  update: UpdateSettings,
): Promise<Shared> {
  const { learningRate = 1, weightDecay, approach, sign } = update
  if (sign !== undefined && !('delta' in shared))
    throw new DlgError('invalid-option', 'update.sign says which way delta points; before and after need none')
  const weights = await readWeights(model.weights, weightParameter)
  const own = (weight: Parameters<typeof weightParameter>[0]) => weights.get(weightParameter(weight))!
  const { before, delta, rounded, shared: given, statistics } = await readMovement(shared, model, own, sign ?? 1)
  if (delta.every(squaresVanish))
    throw new DlgError('invalid-gradients', 'the weights before and after are the same: there is nothing to match')
  for (const weight of model.weights) {
    const values = before.get(weight.name)
    if (values) weights.set(weightParameter(weight), values)
  }
  const position = approach === 'surrogate' ? meanPosition(update) : 0
  const count = gradientsIn(update, batchSize, reduction)
  const decay = weightDecay * gradientsIn(update, batchSize, 'mean')
  const trained = model.weights.filter((w) => w.trainable)
  const shown = precision ?? shownPrecision(given.map(({ values }) => values))
  const noise = trained.map(
    (weight, i) =>
      (rounded ? roundingNorm([own(weight)], update.steps.length) : 0) +
      coarseNorm(given[i].values, storedOr(given[i].values, given[i].stored, shown)) +
      delta[i].length * stated,
  )
  const gradients = trained.map((weight, i) => {
    const from = own(weight)
    const at = mapped(delta[i], (d, k) => from[k] + position * d)
    if (position > 0) weights.set(weightParameter(weight), at)
    return mapped(delta[i], (d, k) => (-d / learningRate - decay * at[k]) / count)
  })
  return {
    ...{ gradients, weights },
    statistics: update.steps.length === 1 && stated === 0 ? statistics : new Map(),
    rounding: noise.reduce((a, b) => a + b, 0) / squaredNorm(delta),
    lost: noise.map((v) => v / (learningRate * count) ** 2),
  }
}
