import { firstNotFinite } from '../../client/shared/tensor-values'
import {
  count,
  knownNames,
  number,
  numberList,
  requireListener,
  requireObject,
  requireSignal,
} from '../../errors/checks'
import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import { listening } from '../contract/listener'
import { nothingIfCut, paced } from '../contract/pause'
import { type DenseGradient, inputWidth } from '../dense/dense-gradient'
import { layerOf } from './candidates'
import { type Factors, factorsOf, LIMIT } from './factors'
import { pauses } from './pause'
import { type Found, type SpearProgress, searched } from './search'

/** What bounds the search for the rows of a batch. */
export interface DenseRowsOptions {
  /** Samples in the batch, if known. A batch that shows another rank is refused. Default: the rank. */
  batchSize?: number
  /** Seed of the draws. Default 1234. */
  seed?: number
  /** Most draws; a descent counts as 200 of them. Default 500 000: about a minute for 400 units. And most milliseconds. */
  budget?: { readonly draws?: number; readonly milliseconds?: number }
  /** Ends the search with the best choice so far, within 200 ms. */
  signal?: AbortSignal
  /** Told after every rest, about every 50 ms, how many directions are found. */
  onProgress?: (progress: SpearProgress) => void
}

/** Rows of a batch out of the gradient of a dense layer behind which there is a ReLU. */
export interface DenseRows {
  /**
   * `agreed`: all masks agree, and so many units say so that a mixture would not. `weak`: all masks agree, but
   * there are so few units that a mixture might agree too. `noisy`: some entries disagree, no more than the noise of the gradient
   * explains; the rows are near the samples, `deviations` says how near. `unproven`: the best choice of directions disagrees somewhere, or there
   * are fewer directions than samples. `refused`: the gradient does not show its samples. `budget` and `aborted`: like
   * `unproven`, cut short.
   */
  readonly status: 'agreed' | 'weak' | 'noisy' | 'unproven' | 'refused' | 'budget' | 'aborted'
  /** Why it is not `agreed`, with the numbers. */
  readonly reason: string | undefined
  /** [rank, in] row by row, in no particular order; undefined without a choice of directions. */
  readonly rows: Float64Array | undefined
  /** ∂L/∂z of these samples, [rank, units] row by row, zero where a unit was off. */
  readonly felt: Float64Array | undefined
  /** Samples that the singular values show; 0 where they show none. */
  readonly rank: number
  /** Ratio of the singular values at the rank. */
  readonly gap: number
  /** ‖what the rank leaves of the gradient‖ / ‖gradient‖: 1e-7 is float32, more is noise. 0 where no rank shows. */
  readonly noise: number
  /** Part of the masks that agree, from 0 to 1: (∂z = 0) ⇔ (z ≤ 0). Entries that noise hides are left out. */
  readonly agreement: number
  /** One for each row. */
  readonly rowAgreement: readonly number[]
  /** Part of the mask entries that noise hides. */
  readonly hidden: number
  /** By row: the standard deviation of each of its numbers that the noise of the gradient makes. */
  readonly deviations: readonly number[]
  readonly draws: number
}

const NAMES = ['batchSize', 'seed', 'budget', 'signal', 'onProgress']

/** Probability of a mask that some input explains by accident, from which agreement certifies nothing. */
const CHANCE = 1e-6

/**
 * All rows of a batch, exactly, from the gradient of one dense layer z = x W + b behind which there is a ReLU (SPEAR: Dimitrov,
 * Baader, Müller, Vechev 2024; the descent is that of SPEAR++). It needs no labels, and not the rest of the model.
 *
 * ∂W = Xᵀ ∂Z has the rank of the batch, so that ∂Z = L Q and X = Q⁻¹ R for known L, R and some Q. ReLU makes about half of
 * ∂Z zero: the columns of Q are directions with many zeros in L q. They are found by draws and by descent, chosen so that the
 * masks of ∂Z and of the layer's own z agree, and scaled by the gradient of the bias.
 *
 * What comes out is certified by the masks. A batch in which two samples have proportional ∂z shows fewer samples than it
 * has; their mean may agree. A proof of the whole gradient tells, as `spear` makes it.
 *
 * @param gradient of the layer: weight [in, units], bias [units]
 * @param layer its weights in the same shapes
 * @throws DlgError `invalid-gradients`, `invalid-option`, `aborted`, `budget`
 */
export async function denseRows(
  gradient: DenseGradient,
  layer: DenseGradient,
  options: DenseRowsOptions = {},
): Promise<DenseRows> {
  const settings = settingsOf(options)
  const started = performance.now()
  const width = inputWidth(gradient)
  const units = gradient.bias.length
  requireObject('the layer', layer, '{weight, bias}', 'invalid-gradients')
  numberList("the layer's weight", layer.weight, 'invalid-gradients')
  numberList("the layer's bias", layer.bias, 'invalid-gradients')
  if (layer?.weight?.length !== gradient.weight.length || layer.bias?.length !== units)
    throw new DlgError(
      'invalid-gradients',
      `the layer has ${layer?.weight?.length} weights and ${layer?.bias?.length} biases; its gradient has ${gradient.weight.length} and ${units}`,
    )
  for (const [name, values] of Object.entries({ weight: layer.weight, bias: layer.bias })) {
    const bad = firstNotFinite(values)
    if (bad >= 0)
      throw new DlgError(
        'invalid-gradients',
        `the layer's ${name} is ${values[bad]} at position ${bad}; it must be finite`,
      )
  }
  const clock = (): number => performance.now() - started
  const wanted = (): boolean => !settings.signal?.aborted && clock() < settings.milliseconds
  const pause = pauses(wanted)
  const factors = await factorsOf(gradient, pause, settings.batchSize)
  const { rank, gap } = factors ?? { rank: undefined, gap: 0 }
  const none = {
    rows: undefined,
    felt: undefined,
    rank: rank ?? 0,
    gap,
    noise: 0,
    agreement: 0,
    rowAgreement: [],
    hidden: 1,
    deviations: [],
    draws: 0,
  }
  if (!factors) {
    const status = settings.signal?.aborted ? 'aborted' : 'budget'
    return { ...none, status, reason: 'the search ended before the rank of the gradient was known' }
  }
  const refusal = refusalOf(factors, width, units, settings.batchSize)
  if (refusal) return { ...none, status: 'refused', reason: refusal }
  const own = await paced(layerOf(factors as Factors, layer.weight, layer.bias), pause).catch(nothingIfCut)
  const found = own
    ? await searched(factors as Factors, own, settings, pause, clock)
    : { choice: undefined, directions: 0, draws: 0 }
  settings.heard.check()
  return reported(factors as Factors, found, settings, wanted())
}

type Settings = ReturnType<typeof settingsOf>

function settingsOf(options: DenseRowsOptions) {
  knownNames('options', options, NAMES)
  const { batchSize, seed = 1234, budget = {}, signal, onProgress } = options
  knownNames('budget', budget, ['draws', 'milliseconds'])
  requireSignal('signal', signal)
  if (signal?.aborted) throw new DlgError('aborted', 'the signal was aborted before the attack began')
  requireListener('onProgress', onProgress)
  const heard = listening(onProgress)
  return {
    batchSize: batchSize === undefined ? undefined : count('batchSize', batchSize),
    seed: number('seed', seed, Number.isSafeInteger, 'a whole number'),
    draws: limit('budget.draws', budget.draws ?? 500_000),
    milliseconds: limit('budget.milliseconds', budget.milliseconds ?? Infinity),
    ...{ signal, heard, onProgress: heard.tell },
  }
}

function limit(name: string, value: number): number {
  if (number(name, value, (v) => !Number.isNaN(v), 'a number above 0') > 0) return value
  throw new DlgError('budget', `${name} is ${value}: it is spent before the attack begins; give more than 0`)
}

/** Why the singular values do not show the samples of the batch. */
function refusalOf(
  { rank, gap, singular }: { rank: number | undefined; gap: number; singular: Float64Array },
  width: number,
  units: number,
  batchSize: number | undefined,
): string | undefined {
  const room = Math.min(units, width + 1, LIMIT) - 1
  const sizes = `${countOf(units, 'unit')} and ${countOf(width, 'input')} show at most ${countOf(room, 'sample')}`
  if (singular.length === 0 || !(singular[0] > 0)) return 'the gradient of the layer is zero: no unit was on'
  if (batchSize !== undefined && batchSize > room) return `the batch has ${countOf(batchSize, 'sample')}; ${sizes}`
  if (rank === undefined)
    return `the rank of the gradient is saturated: no two neighbours of its ${singular.length} singular values differ by much (${gap.toFixed(1)} times at most). ${sizes}; there were more, or there is too much noise`
  if (batchSize !== undefined && rank !== batchSize)
    return rank < batchSize
      ? `the gradient shows ${countOf(rank, 'sample')} of ${batchSize} (its singular values fall ${gap.toPrecision(3)} times there): inputs are repeated, or turned on no unit, or have proportional gradients`
      : `the gradient shows ${countOf(rank, 'sample')}; batchSize says ${batchSize}`
  return undefined
}

function reported(
  factors: Factors,
  { choice, directions, draws }: Found,
  settings: Settings,
  inTime: boolean,
): DenseRows {
  const { rank, gap, width, right, left, units, unit } = factors
  const noise = noiseOf(factors)
  const cut = settings.signal?.aborted ? 'aborted' : !inTime || draws >= settings.draws ? 'budget' : undefined
  if (!choice)
    return {
      ...{
        rank,
        gap,
        noise,
        draws,
        rows: undefined,
        felt: undefined,
        agreement: 0,
        rowAgreement: [],
        hidden: 1,
        deviations: [],
      },
      status: cut ?? 'unproven',
      reason: `${directions} of ${countOf(rank, 'direction')} were found in ${draws} draws`,
    }
  const rows = new Float64Array(rank * (width - 1))
  const felt = new Float64Array(rank * units)
  choice.inverse.forEach((row, s) => {
    for (let k = 0; k < rank; k++)
      for (let i = 0; i < width - 1; i++) rows[s * (width - 1) + i] += row[k] * right[k * width + i]
    // a column of Q is scaled by what its row of P was divided by
    const { direction, pattern } = choice.candidates[s]
    const scale = unit / row.reduce((sum, v, k) => sum + v * direction[k], 0)
    for (let j = 0; j < units; j++) {
      if (pattern[j] < 0) continue
      for (let k = 0; k < rank; k++) felt[s * units + j] += left[j * rank + k] * direction[k] * scale
    }
  })
  const { agreement, rowAgreement, hidden, deviations, consistent } = choice
  const common = { rank, gap, noise, draws, rows, felt, agreement, rowAgreement, hidden, deviations }
  const percent = (100 * agreement).toFixed(2)
  if (consistent && agreement < 1)
    return {
      ...common,
      status: 'noisy',
      reason: `the masks agree in ${percent} % of their entries, and noise explains the others; the rows are right to about ${Math.max(...deviations).toPrecision(1)}`,
    }
  if (agreement < 1)
    return {
      ...common,
      status: cut ?? 'unproven',
      reason: `the masks of the best choice agree in ${percent} % of their entries; all must`,
    }
  const weakest = Math.max(
    ...choice.candidates.map(({ pattern }) => accident(pattern.filter((v) => v !== 0).length, rank)),
  )
  if (weakest <= CHANCE) return { ...common, status: 'agreed', reason: undefined }
  return {
    ...common,
    status: 'weak',
    reason: `all masks agree, but ${countOf(units, 'unit is', 'units are')} few for ${countOf(rank, 'sample')}: a mixture agrees with probability up to ${weakest.toPrecision(1)}`,
  }
}

/** ‖E‖ / ‖G‖ from the deviation of each number of E. */
function noiseOf({ noise, width, singular }: Factors): number {
  const squares = noise.reduce((sum, v) => sum + v * v * width, 0)
  return Math.sqrt(squares / singular.reduce((sum, v) => sum + v * v, 0))
}

/** Probability that a plane through the origin of b dimensions divides n units at random: 2^(1 − n) Σ_{k < b} C(n − 1, k) (Cover 1965). */
function accident(n: number, b: number): number {
  if (n <= b) return 1
  let [term, sum] = [2 ** (1 - n), 0]
  for (let k = 0; k < b; k++) {
    sum += term
    term *= (n - 1 - k) / (k + 1)
  }
  return Math.min(1, sum)
}
