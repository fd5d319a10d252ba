import { DlgError } from '../errors/dlg-error'
import type { Values } from '../numbers/values'
import { match } from './match'
import { meanSquaredError } from './mse'
import { psnr } from './psnr'

/** One original beside its reconstruction. */
export interface PairedSample {
  /** Which reconstruction it is, from 0: a gradient does not tell the order of a batch. */
  readonly slot: number
  readonly original: Float32Array
  readonly reconstruction: Float32Array
  /** Mean squared error, in squares of the data's unit. */
  readonly mse: number
  /** In dB, with the width of the range as the peak. */
  readonly psnr: number
}

/**
 * Pairs the originals of a batch with its reconstructions so that the sum of squared errors is least, and measures each pair.
 *
 * @param originals one array for each sample
 * @param data all reconstructions one after the other, in row-major order
 * @param range lowest and highest value of the data
 * @throws DlgError `invalid-data` where the numbers do not divide into as many samples of that size
 */
export function pairSamples(
  originals: readonly Float32Array[],
  data: Values,
  [low, high]: readonly [number, number] = [0, 1],
): PairedSample[] {
  const size = data.length / originals.length
  const wrong = originals.findIndex((original) => original.length !== size)
  if (originals.length === 0 || wrong >= 0)
    throw new DlgError(
      'invalid-data',
      `${data.length} numbers were reconstructed for ${originals.length} originals${wrong >= 0 ? `, of which number ${wrong} has ${originals[wrong].length}` : ''}; each original must have as many numbers as its reconstruction`,
    )
  const all = Float32Array.from(data)
  const found = originals.map((_, i) => all.subarray(i * size, (i + 1) * size))
  const slots = match(originals.map((original) => found.map((f) => meanSquaredError(f, original))))
  const unit = (values: Float32Array) => values.map((v) => (v - low) / (high - low))
  return originals.map((original, i) => {
    const reconstruction = found[slots[i]]
    return {
      slot: slots[i],
      original,
      reconstruction,
      mse: meanSquaredError(reconstruction, original),
      psnr: psnr(unit(reconstruction), unit(original)),
    }
  })
}

/** The arithmetic mean; NaN of none. */
export const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length
