import type { Values } from './values'

/** The median of some numbers, of an even count the mean of the two in the middle; 0 of none. */
export function median(values: Values | readonly number[]): number {
  const sorted = Float64Array.from(values).sort()
  if (sorted.length === 0) return 0
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2
}

/** Scale of the median absolute deviation of a normal distribution: 1 / Φ⁻¹(3/4). */
const MAD = 1.4826

/** The mean and the standard deviation of a normal distribution that most of the numbers are of, however far the others are. */
export function normalOfMost(values: Values | readonly number[]): { readonly centre: number; readonly spread: number } {
  const centre = median(values)
  return { centre, spread: MAD * median(Float64Array.from(values, (v) => Math.abs(v - centre))) }
}
