import { number } from '../../../errors/checks'

/** Keeps the slope of √(d² + ε²) finite where neighbours are equal: L-BFGS needs a smooth objective. */
export const SMOOTHING = 1e-6

/** The weight of a prior. @throws DlgError `invalid-option` */
export const requireWeight = (weight: number): number =>
  number('weight', weight, (v) => v >= 0 && v < Infinity, 'a number of at least 0')
