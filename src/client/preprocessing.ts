import { fitsFloat32, invalid, knownNames, numberList, requireFields, show } from '../errors/checks'
import { countOf } from '../errors/counted'
import { DlgError } from '../errors/dlg-error'
import { mapped } from '../numbers/values'

/** How a client turns pictures into the numbers that its model sees: (v − mean) / std, channel by channel. */
export interface PreprocessingOptions {
  /** One number for all channels, or one for each, in units of `range`. Default 0. */
  mean?: number | readonly number[]
  /** One number above 0 for all channels, or one for each. Default 1. */
  std?: number | readonly number[]
  /** Lowest and highest value of a picture before that. Default [0, 1]. */
  range?: readonly [number, number]
}

/** What was said of the preprocessing, checked: `mean` and `std` are of one length, 1 or the number of channels. */
export interface Preprocessing {
  readonly mean: readonly number[]
  readonly std: readonly number[]
  readonly range: readonly [number, number]
}

/** @throws DlgError `invalid-option`, and what would be right */
export function preprocessingOption(given: PreprocessingOptions, name = 'preprocessing'): Preprocessing {
  requireFields(name, given, '{mean, std, range}')
  knownNames(name, given, ['mean', 'std', 'range'])
  const { mean = 0, std = 1, range = [0, 1] } = given
  if (!Array.isArray(range) || range.length !== 2 || !range.every(fitsFloat32) || !(range[0] < range[1]))
    throw invalid(`${name}.range is ${show(range)}; it must be [low, high] with low < high, as float32 holds them`)
  const means = channelNumbers(`${name}.mean`, mean, Number.isFinite, 'a finite number')
  const stds = channelNumbers(`${name}.std`, std, (v) => Number.isFinite(v) && v > 0, 'a number above 0')
  const channels = Math.max(means.length, stds.length)
  if (![1, channels].includes(means.length) || ![1, channels].includes(stds.length))
    throw invalid(
      `${name} has ${countOf(means.length, 'mean')} and ${stds.length} standard deviations; they must be as many`,
    )
  const each = (values: readonly number[]) => Array.from({ length: channels }, (_, c) => values[c % values.length])
  const decided: Preprocessing = { mean: each(means), std: each(stds), range: [range[0], range[1]] }
  const ends = preprocessedRange(decided)
  if (!ends.every(fitsFloat32))
    throw invalid(
      `${name} makes numbers from ${ends[0]} to ${ends[1]}; they must be at most 3.4e38, as float32 holds them`,
    )
  return decided
}

function channelNumbers(
  name: string,
  given: number | readonly number[],
  test: (v: number) => boolean,
  right: string,
): readonly number[] {
  const list: readonly number[] = Array.isArray(given) ? given : [given]
  if (list.length > 0 && list.every((v) => typeof v === 'number' && test(v))) return list
  throw invalid(
    `${name} is ${show(list.length === 1 ? list[0] : given)}; it must be ${right}, or a list of such numbers, one for each channel`,
  )
}

/** @throws DlgError `invalid-option` where there is not one number for each channel of the last axis */
export function requireChannels({ mean }: Preprocessing, shape: readonly number[], input: string): void {
  const channels = shape[shape.length - 1]
  if (mean.length === 1 || mean.length === channels) return
  throw new DlgError(
    'invalid-option',
    `preprocessing is of ${countOf(mean.length, 'channel')}; input '${input}' is [${shape}], so it must be of 1 or ${channels}`,
  )
}

/** The lowest and the highest number that a model can see. */
export function preprocessedRange({ mean, std, range: [low, high] }: Preprocessing): readonly [number, number] {
  return [Math.min(...mean.map((m, c) => (low - m) / std[c])), Math.max(...mean.map((m, c) => (high - m) / std[c]))]
}

/** What the model sees of a picture whose values lie in the range: (v − mean) / std, channels last. */
export const preprocessed = (values: ArrayLike<number>, { mean, std }: Preprocessing): Float32Array =>
  new Float32Array(mapped(values, (v, i) => (v - mean[i % mean.length]) / std[i % std.length]))

/**
 * The picture behind numbers that a model sees, such as `leak.data`: v · std + mean, channels last, in the range of the pictures.
 *
 * @param values row-major numbers whose last axis is the channels
 * @throws DlgError `invalid-option` for a wrong preprocessing, `invalid-data` for what is no list of numbers, or no whole number of pixels
 */
export function undoPreprocessing(values: ArrayLike<number>, preprocessing: PreprocessingOptions): Float32Array {
  numberList('the values', values)
  const { mean, std } = preprocessingOption(preprocessing)
  if (values.length % mean.length !== 0)
    throw new DlgError(
      'invalid-data',
      `${countOf(values.length, 'value is', 'values are')} no whole number of pixels of ${countOf(mean.length, 'channel')}`,
    )
  return new Float32Array(mapped(values, (v, i) => v * std[i % std.length] + mean[i % mean.length]))
}
