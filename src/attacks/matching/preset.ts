import type { TracedGradient } from '../../client/model/gradient'
import { kinksOf } from '../../client/model/kinks'
import { unrolls } from '../../client/shared/unroll'
import type { Target } from '../../client/target'
import { countOf } from '../../errors/counted'
import { reachable, type Shape } from '../../graph'
import { squaredNorm } from '../../numbers/values'
import { closedForm } from './closed-form'
import { isImage } from './objective/prior'
import { hasDirections } from './objective/whitened'
import type { PresetName, Settings } from './options'
import type { Preparing } from './preparing'

/** The preset that an attack ran with. */
export interface ChosenPreset {
  readonly name: Exclude<PresetName, 'auto'>
  /** Why this one. */
  readonly reason: string
}

/** Settings whose preset is decided. */
export interface DecidedSettings extends Settings {
  readonly chosen: ChosenPreset
}

/**
 * Layers with kernels from which a network is deep: the gradient of its last layer hides those of the first ones. Measured at 4
 * layers, where the cosine distance is better, and at 22, where the balanced and the whitened ones are.
 */
const DEEP = 10

/** Rounding above this part of what was shared, as squared norms, is of a type coarser than float32, or of an update. */
const CLEAR = 1e-11

/** A tensor below this part of the gradient, as norms, has rounding in all its directions: whitened, it would count more than all others. */
const QUIET = 1e-5

/** The largest weight of total variation along a homotopy that was measured. */
const MOST = 0.2

/**
 * Its least weight where a search matches what was shared less closely in as many evaluations: in deep networks, behind batch norms in
 * training mode, and where local steps are unrolled, whose gradients differ from step to step behind kinks.
 */
const HARD = 0.06

/** The homotopy's recipe with its weight for each image times their number. It is not read where priors are given. */
const weighed = <R extends Pick<Settings, 'prior'>>(recipe: R, images: number, least = 0): R => ({
  ...recipe,
  prior: { ...recipe.prior, weight: Math.max(least, Math.min(MOST, recipe.prior.weight * images)) },
})

/**
 * Decides `preset: 'auto'` by the traced model and what was shared: a homotopy for images behind kinks, where it is measured to be
 * better, with the whitened or the balanced distance for deep networks, and with more total variation for an update of several local steps; the
 * whitened distance for images behind attention; else `robust`.
 */
export async function decidePreset(
  settings: Settings,
  target: Target,
  traced: TracedGradient,
  preparing: Preparing,
): Promise<DecidedSettings> {
  const { preset, auto, batchSize } = settings
  if (preset !== 'auto') {
    const whole = preset === 'homotopy' ? weighed(settings, batchSize) : settings
    return { ...whole, chosen: { name: preset, reason: 'it was asked for' } }
  }
  const robust = (reason: string): DecidedSettings => ({
    ...{ ...settings, preset: 'robust' },
    chosen: { name: 'robust', reason },
  })
  const { kinks } = kinksOf(traced)
  if (kinks.length === 0) return smooth(settings, target, traced, preparing, robust)
  const found = `the network has kinks (${kinks.join('; ')})`
  if (!isImage(traced.data.shape)) return robust(`${found}, but the data are no images`)
  if (!auto?.homotopy) return robust(`${found}, but the caller gave ${auto?.otherwise}`)
  if (await closedForm(traced, target, preparing))
    return robust(`${found}, but the gradient of the first layer gives the data in closed form`)
  const shapes = traced.trained.map(({ shape }) => shape).filter(({ length }) => length > 1)
  const kernels = shapes.length
  if (kernels >= DEEP) {
    const { whitened } = auto
    // noise and rounding are what the weak directions of a gradient have most of
    const exact = settings.noise === 0 && target.rounding <= CLEAR
    const clear = exact && !hasQuiet(target) && !hardship(target, traced)
    const fine = clear && 2 * shapes.filter(hasDirections).length > kernels && whitened
    const recipe = fine ? { ...whitened, optimizer: wavesOf(whitened.optimizer, traced.data.shape) } : auto.deep
    const how = fine ? 'whitened, and coarse shapes are searched before fine ones' : 'balanced'
    const reason = `${found}; it has ${countOf(kernels, 'layer')} with kernels, whose gradients are ${how}`
    return { ...settings, ...(recipe && weighed(recipe, batchSize, HARD)), chosen: { name: 'homotopy', reason } }
  }
  const hard = auto.homotopy.priors === undefined ? hardship(target, traced) : undefined
  const recipe = weighed(auto.homotopy, batchSize, hard ? HARD : 0)
  const reason = hard ? `${found}; ${hard}, for which total variation has a weight of ${recipe.prior.weight}` : found
  return { ...settings, ...recipe, chosen: { name: 'homotopy', reason } }
}

/** Whether a tensor of the gradient is next to nothing: of a bias before a norm, or behind units that are never on. */
function hasQuiet({ gradients }: Target): boolean {
  const squares = gradients.map((values) => squaredNorm([values]))
  const whole = squares.reduce((sum, square) => sum + square, 0)
  return squares.some((square) => square < QUIET ** 2 * whole)
}

/** The built-in optimizer over the waves of images [batch, height, width, channels]. */
const wavesOf = (optimizer: Settings['optimizer'], [, height, width, channels]: Shape): Settings['optimizer'] =>
  'init' in optimizer ? optimizer : { ...optimizer, waves: [height, width, channels] }

/** Why a search matches what was shared less closely, if it does. */
function hardship({ settings: { update } }: Target, { statistics }: TracedGradient): string | undefined {
  if (unrolls(update)) return `${countOf(update.steps.length, 'local step')} are unrolled`
  return statistics.length > 0 ? 'batch norms are in training mode' : undefined
}

/** For a smooth network: attention has a recipe of its own, unless one image stands in the gradient. */
async function smooth(
  settings: Settings,
  target: Target,
  traced: TracedGradient,
  preparing: Preparing,
  robust: (reason: string) => DecidedSettings,
): Promise<DecidedSettings> {
  const found = 'the network is smooth between data and outputs'
  const recipe = settings.auto?.attention
  if (!recipe || !isImage(traced.data.shape) || !attends(traced) || (await closedForm(traced, target, preparing)))
    return robust(found)
  return { ...settings, ...recipe, chosen: { name: 'attention', reason: `${found}, and has attention over an image` } }
}

/** Whether the network multiplies two matrices that both depend on the data, as queries and keys. */
const attends = ({ outputs }: TracedGradient): boolean =>
  reachable(outputs.map(({ node }) => node)).some((n) => n.op === 'matMul' && n.inputs.every((one) => one.varying))
