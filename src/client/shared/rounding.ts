/** Step of float32 between 1 and 2. */
const EPSILON = 2 ** -23

/** How far float32 numbers of this size are apart. */
const spacing = (value: number): number => (value === 0 ? 0 : EPSILON * 2 ** Math.floor(Math.log2(Math.abs(value))))

/** Whether these numbers may have come out of float32. */
export const isFloat32 = (tensors: readonly Float64Array[]): boolean =>
  tensors.every((values) => values.every((v) => v === Math.fround(v)))

/**
 * Σ s² / 12 per rounding: the squared norm, on average, of what float32 makes of weights that are stored after every step, s the
 * distance of a weight to the next.
 */
export function roundingNorm(weights: Iterable<ArrayLike<number>>, steps: number): number {
  let sum = 0
  for (const values of weights) for (let i = 0; i < values.length; i++) sum += spacing(values[i]) ** 2
  return (sum * steps) / 12
}
