import { knownNames, numberList, show } from '../errors/checks'
import { countOf } from '../errors/counted'
import { DlgError } from '../errors/dlg-error'
import { mse, psnr } from './psnr'

/** Facts about the data that measures need. */
export interface MeasureOptions {
  /** Lowest and highest value of the data. Default [0, 1]. */
  readonly range?: readonly [number, number]
  /**
   * Shape of one sample. Of three axes or more the last is the channels, which the `mean` baseline needs. [height, width, 1 or
   * 3] is a picture, which has an SSIM. Default: one axis, without channels.
   */
  readonly shape?: readonly number[]
}

/** How close to an original somebody gets without any gradient. */
export interface Baseline {
  /**
   * `gray`: the middle of the range everywhere. `mean`: the mean of the original itself, one for each channel: the best
   * guess of one colour. What is closer shows something of the original beside its colour.
   */
  readonly name: 'gray' | 'mean'
  /** Mean squared error, in squares of the data's unit. */
  readonly mse: number
  /** In dB, with the width of the range as the peak. */
  readonly psnr: number
}

/**
 * The two baselines of one original.
 *
 * @param original numbers of one sample, in row-major order
 * @throws DlgError `invalid-data` for an original that is no array of numbers, lies outside the range, or does not have the shape;
 * `invalid-option`
 */
export function baselines(original: ArrayLike<number>, options: MeasureOptions = {}): Baseline[] {
  numberList('original', original)
  if (original.length === 0) throw new DlgError('invalid-data', 'original has no numbers; it must have one at least')
  const { range, channels } = measureOptions(options, original.length)
  requireInRange([original], range, 'original')
  return baselinesOf(Float32Array.from(original), range, channels)
}

/** As {@link baselines}, of options that are checked. */
export function baselinesOf(original: Float32Array, range: readonly [number, number], channels: number): Baseline[] {
  const middle = (range[0] + range[1]) / 2
  const means = channelMeans(original, channels)
  const measured = (name: Baseline['name'], value: (i: number) => number): Baseline => {
    const guess = original.map((_, i) => value(i))
    return { name, mse: mse(guess, original), psnr: psnrIn(range, guess, original) }
  }
  return [measured('gray', () => middle), measured('mean', (i) => means[i % channels])]
}

function channelMeans(original: Float32Array, channels: number): Float64Array {
  const sums = new Float64Array(channels)
  for (let i = 0; i < original.length; i++) sums[i % channels] += original[i]
  return sums.map((sum) => (sum * channels) / original.length)
}

/** Part of the width of a range by which rounding may put data outside it. */
const SLACK = 1e-3

/** Whether a number lies outside a range by more than rounding. */
export function isOutside(value: number, [low, high]: readonly [number, number]): boolean {
  const slack = SLACK * (high - low)
  return value < low - slack || value > high + slack
}

/**
 * Originals must lie in the range. A PSNR cuts what lies outside, so that outside everything would be equal.
 *
 * @param name of an original in the message
 * @param right what the caller can give in place of the range
 * @throws DlgError `invalid-data`
 */
export function requireInRange(
  originals: readonly ArrayLike<number>[],
  range: readonly [number, number],
  name: string,
  right = 'give the range of the data, such as range: [-3, 3]',
): void {
  for (const [i, original] of originals.entries())
    for (let k = 0; k < original.length; k++)
      if (isOutside(original[k], range))
        throw new DlgError(
          'invalid-data',
          `${originals.length > 1 ? `${name} ${i}` : name} has ${original[k]} at position ${k}, outside the range [${range.join(', ')}]; ${right}`,
        )
}

/** The PSNR of data in a range, whose width is the peak. What lies outside is cut, since it cannot be seen. */
export function psnrIn([low, high]: readonly [number, number], a: Float32Array, b: Float32Array): number {
  const unit = (v: number) => (v - low) / (high - low)
  return psnr(a.map(unit), b.map(unit))
}

/**
 * Checks the options against the numbers of one sample.
 *
 * @throws DlgError `invalid-option`, and `invalid-data` where the sample does not have the shape
 */
export function measureOptions(
  options: MeasureOptions,
  size: number,
): Required<MeasureOptions> & { readonly channels: number } {
  knownNames('options', options, ['range', 'shape'])
  const { range = [0, 1], shape = [size] } = options
  if (!Array.isArray(range) || range.length !== 2 || !range.every(Number.isFinite) || !(range[0] < range[1]))
    throw new DlgError('invalid-option', `range is ${show(range)}; it must be two finite numbers, the lower first`)
  if (!Array.isArray(shape) || !shape.every((n) => Number.isSafeInteger(n) && n >= 1))
    throw new DlgError('invalid-option', `shape is ${show(shape)}; it must be a list of whole numbers of at least 1`)
  const wanted = shape.reduce((a, b) => a * b, 1)
  if (wanted !== size)
    throw new DlgError(
      'invalid-data',
      `an original has ${countOf(size, 'number')}; shape ${show(shape)} needs ${wanted}`,
    )
  const last = shape[shape.length - 1]
  // the mean of a single number is that number, and no guess
  const channels = shape.length >= 3 && last < size ? last : 1
  return { range: range as unknown as readonly [number, number], shape, channels }
}
