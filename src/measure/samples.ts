import { numberList, show } from '../errors/checks'
import { countOf } from '../errors/counted'
import { DlgError } from '../errors/dlg-error'
import { type Baseline, baselinesOf, type MeasureOptions, measureOptions, psnrIn, requireInRange } from './baselines'
import { match } from './match'
import { mse } from './psnr'
import { pictureSsim } from './ssim'
import { type Closeness, closenessOf } from './verdict'

/** One original beside its reconstruction. */
export interface PairedSample {
  /** Which reconstruction it is, from 0: a gradient does not tell the order of a batch. */
  readonly slot: number
  readonly original: Float32Array
  readonly reconstruction: Float32Array
  /** Mean squared error, in squares of the data's unit. */
  readonly mse: number
  /** In dB, with the width of the range as the peak. It is that of what can be seen: numbers outside the range are cut to it. */
  readonly psnr: number
}

/**
 * A pair, measured against what could be guessed without a gradient. `alike` and `closer` count the whole of an error, also where
 * the reconstruction lies outside the range: there `psnr` may be higher than what decides them.
 */
export interface MeasuredSample extends PairedSample, Closeness {
  /** Structural similarity, of pictures of at least 11x11 pixels whose shape was given. */
  readonly ssim?: number
  readonly baselines: readonly Baseline[]
}

/** A batch, measured. Means are over its samples. */
export interface MeasuredBatch {
  /** In the order of the originals. */
  readonly samples: readonly MeasuredSample[]
  readonly mse: number
  readonly psnr: number
  readonly ssim?: number
}

/**
 * Pairs the originals of a batch with its reconstructions so that the sum of squared errors is least, and measures each pair.
 *
 * @param originals one array of numbers for each sample, in row-major order
 * @param reconstructions one array for each sample, or the numbers of all samples one after the other
 * @throws DlgError `invalid-data` for what is no array of numbers, or where the numbers do not divide into as many samples of
 * one size, or an original lies outside the range; `invalid-option`
 */
export function pairSamples(
  originals: readonly ArrayLike<number>[],
  reconstructions: ArrayLike<number> | readonly ArrayLike<number>[],
  options: MeasureOptions = {},
): PairedSample[] {
  const secret = readOriginals(originals)
  const { range } = measureOptions(options, secret[0].length)
  requireInRange(secret, range, 'original')
  const found = readReconstructions(reconstructions, secret)
  const slots = match(secret.map((original) => found.map((f) => mse(f, original))))
  return secret.map((original, i) => {
    const reconstruction = found[slots[i]]
    return {
      slot: slots[i],
      original,
      reconstruction,
      mse: mse(reconstruction, original),
      psnr: psnrIn(range, reconstruction, original),
    }
  })
}

/**
 * Pairs a batch as {@link pairSamples} does, and says how close each reconstruction is: to its original, and in comparison
 * with the baselines. `verdictOf` takes `samples`.
 *
 * @throws DlgError as {@link pairSamples}
 */
export function measureSamples(
  originals: readonly ArrayLike<number>[],
  reconstructions: ArrayLike<number> | readonly ArrayLike<number>[],
  options: MeasureOptions = {},
): MeasuredBatch {
  const pairs = pairSamples(originals, reconstructions, options)
  const { range, shape, channels } = measureOptions(options, pairs[0].original.length)
  const samples = pairs.map((pair): MeasuredSample => {
    const baselines = baselinesOf(pair.original, range, channels)
    const ssim = pictureSsim(pair.reconstruction, pair.original, shape, range)
    return {
      ...pair,
      ...(ssim !== undefined && { ssim }),
      baselines,
      ...closenessOf(wholePsnr(pair, range), baselines),
    }
  })
  const similarities = samples.flatMap(({ ssim }) => (ssim === undefined ? [] : [ssim]))
  return {
    samples,
    mse: mean(samples.map((s) => s.mse)),
    psnr: mean(samples.map((s) => s.psnr)),
    ...(similarities.length > 0 && { ssim: mean(similarities) }),
  }
}

/** The PSNR of all of the error, 10 log₁₀ (width² / MSE). Cut to the range, data far outside could be taken for an original at its edge. */
export const wholePsnr = ({ mse, psnr }: PairedSample, [low, high]: readonly [number, number]): number =>
  Math.min(psnr, 20 * Math.log10(high - low) - 10 * Math.log10(mse))

function readOriginals(originals: readonly ArrayLike<number>[]): Float32Array[] {
  if (!Array.isArray(originals) || originals.length === 0)
    throw new DlgError(
      'invalid-data',
      `originals is ${show(originals)}; it must be a list with one array of numbers for each sample`,
    )
  return originals.map((original, i) => {
    numberList(`original ${i}`, original)
    if (original.length === 0 || original.length !== originals[0].length)
      throw new DlgError(
        'invalid-data',
        `original ${i} has ${countOf(original.length, 'number')}; each must have as many as the first, and one at least`,
      )
    return float32(original)
  })
}

function readReconstructions(
  given: ArrayLike<number> | readonly ArrayLike<number>[],
  originals: readonly Float32Array[],
): Float32Array[] {
  const size = originals[0].length
  const listed = Array.isArray(given) && typeof given[0] === 'object'
  const parts = (listed ? given : [given]) as readonly ArrayLike<number>[]
  const all = parts.map((part, i) => {
    numberList(listed ? `reconstruction ${i}` : 'reconstructions', part)
    return float32(part)
  })
  const count = all.reduce((sum, part) => sum + part.length, 0)
  if (count !== size * originals.length || (listed && all.some((part) => part.length !== size)))
    throw new DlgError(
      'invalid-data',
      `${countOf(count, 'number was', 'numbers were')} reconstructed for ${originals.length} originals of ${size}; there must be one reconstruction of as many numbers for each original`,
    )
  return listed ? all : originals.map((_, i) => all[0].subarray(i * size, (i + 1) * size))
}

const float32 = (values: ArrayLike<number>): Float32Array =>
  values instanceof Float32Array ? values : Float32Array.from(values)

/** The arithmetic mean; NaN of none. */
export const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length
