import { checkLengths } from './numbers'

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
