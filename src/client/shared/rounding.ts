import { SIGNIFICAND_BITS, type StoredAs } from '../../numbers/stored-dtype'

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

/** Numbers below this lie as far apart as those at it, in each type of float. */
const SMALLEST: Readonly<Record<keyof typeof SIGNIFICAND_BITS, number>> = {
  bfloat16: 2 ** -126,
  float16: 2 ** -14,
  float32: 2 ** -126,
  float64: 2 ** -1022,
}

/**
 * Σ s² / 12: the squared norm, on average, of what is lost where numbers are stored as a type, s the distance of each to the next.
 * 0 where nothing is known of the type.
 *
 * @param stored the type of floats, or the scale of whole numbers that stand for floats
 */
export function storageNorm(values: ArrayLike<number>, { dtype, quantization }: StoredAs): number {
  if (quantization) return (values.length * quantization.scale ** 2) / 12
  if (dtype === undefined || !Object.hasOwn(SIGNIFICAND_BITS, dtype)) return 0
  const type = dtype as keyof typeof SIGNIFICAND_BITS
  const step = 2 ** (1 - SIGNIFICAND_BITS[type])
  let sum = 0
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i])
    // what is stored as zero may have been anything below half the smallest number
    const spacing = step * 2 ** Math.floor(Math.log2(Math.max(size, SMALLEST[type])))
    sum += spacing ** 2
  }
  return sum / 12
}

/** The types that a caller can state for what was shared. */
export const PRECISIONS = ['float32', 'float16', 'bfloat16', 'int8'] as const satisfies readonly StatedPrecision[]

/** How exactly a gradient was shared, where the caller states it. */
export type StatedPrecision = 'float32' | 'float16' | 'bfloat16' | 'int8'

/** How a tensor was stored: as it says itself, else as the caller states. int8 is taken as max|v| / 127 for each tensor. */
export function storedOr(values: ArrayLike<number>, said: StoredAs, stated: StatedPrecision | undefined): StoredAs {
  const coarse = said.quantization !== undefined || said.dtype === 'float16' || said.dtype === 'bfloat16'
  if (coarse || stated === undefined) return said
  if (stated !== 'int8') return { dtype: stated }
  let most = 0
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]))
  return { dtype: 'int8', quantization: { scale: most / 127, min: 0 } }
}
