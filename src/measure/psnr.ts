import { numberList } from '../errors/checks'
import { DlgError } from '../errors/dlg-error'

/**
 * The mean squared error, Σ (aᵢ - bᵢ)² / n, of two equally long lists of numbers. Not clamped; NaN in, NaN out.
 *
 * @throws DlgError `invalid-data` for what is no list of numbers, or when the lengths differ or are 0.
 */
export function mse(a: ArrayLike<number>, b: ArrayLike<number>): number {
  checkLengths('mse', a, b)
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2
  return sum / a.length
}

/**
 * The mean squared error under its first name.
 *
 * @deprecated since 0.2: use {@link mse}. `meanSquaredError` of `dlg-ts` is a training loss, and two things must not share
 * a name. It will go in 1.0.
 */
export const meanSquaredError = mse

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

/** Two lists that a metric compares, number by number. @throws DlgError `invalid-data` */
export function checkLengths(name: string, a: ArrayLike<number>, b: ArrayLike<number>): void {
  numberList(`${name}: the first list`, a)
  numberList(`${name}: the second list`, b)
  if (a.length === b.length && a.length > 0) return
  throw new DlgError('invalid-data', `${name}: lengths ${a.length} and ${b.length} must be equal and above 0`)
}
