import { DlgError } from '../errors/dlg-error'

/**
 * The mean squared error, Σ (aᵢ - bᵢ)² / n, of two equally long lists of numbers. Not clamped; NaN in, NaN out.
 *
 * @throws DlgError `invalid-data` when the lengths differ or are 0.
 */
export function meanSquaredError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  checkLengths('mse', a, b)
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2
  return sum / a.length
}

export function checkLengths(name: string, a: ArrayLike<number>, b: ArrayLike<number>): void {
  if (a.length === b.length && a.length > 0) return
  throw new DlgError('invalid-data', `${name}: lengths ${a.length} and ${b.length} should be equal and above 0`)
}
