import { checkLengths } from './numbers'

/**
 * The peak signal-to-noise ratio, -10 log₁₀ MSE, in decibels, of pixel values whose peak is 1.
 *
 * Both are clamped to [0, 1] first, since what lies outside cannot be seen. Infinity when they are equal; NaN in, NaN
 * out.
 *
 * @throws DlgError `invalid-data` for what is no list of numbers, or when the lengths differ or are 0.
 */
export function psnr(a: ArrayLike<number>, b: ArrayLike<number>): number {
  checkLengths('psnr', a, b)
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (clamp(a[i]) - clamp(b[i])) ** 2
  return -10 * Math.log10(sum / a.length)
}

function clamp(value: number): number {
  return Math.min(Math.max(value, 0), 1)
}
