import { SIGNIFICAND_BITS, type StoredAs } from '../../numbers/stored-dtype'

/** Step of float32 between 1 and 2. */
const EPSILON = 2 ** -23

/** Bits of a float64's exponent, and what is taken from it. */
const EXPONENTS = 2048
const BIAS = 1023

/** Which of a float64's two words has the exponent: the second one where the lower byte comes first. */
const HIGH = new Uint32Array(Float64Array.of(1).buffer)[1] === 0 ? 0 : 1

/** How many values lie in each power of two: [2^(i − 1023), 2^(i − 1022)) at i, zero and what is below 2^−1022 at 0. */
function exponents(values: ArrayLike<number>, counts = new Int32Array(EXPONENTS)): Int32Array {
  if (values instanceof Float32Array) return exponents32(values, counts)
  const doubles = values instanceof Float64Array ? values : new Float64Array(values)
  const words = new Int32Array(doubles.buffer, doubles.byteOffset, 2 * doubles.length)
  for (let i = HIGH; i < words.length; i += 2) counts[(words[i] >> 20) & (EXPONENTS - 1)]++
  return counts
}

/** Counts float32 numbers likewise, from their own bits; zero and what is below 2^−126 are counted at 0. */
function exponents32(values: Float32Array, counts: Int32Array): Int32Array {
  const words = new Int32Array(values.buffer, values.byteOffset, values.length)
  const own = new Int32Array(256)
  for (let i = 0; i < words.length; i++) own[(words[i] >> 23) & 255]++
  counts[0] += own[0]
  for (let i = 1; i < own.length; i++) counts[i + BIAS - 127] += own[i]
  return counts
}

/** Σ s² over the values, s the distance of each to the next; `spacing` gives it for numbers of the exponent i. */
function squaredSpacing(counts: Int32Array, spacing: (i: number) => number): number {
  let sum = 0
  for (let i = 0; i < counts.length; i++) if (counts[i] > 0) sum += counts[i] * spacing(i) ** 2
  return sum
}

/** Whether these numbers may have come out of float32. */
export const isFloat32 = (tensors: readonly Float64Array[]): boolean =>
  tensors.every((values) => values.every((v) => v === Math.fround(v)))

/**
 * Σ s² / 12 per rounding: the squared norm, on average, of what float32 makes of weights that are stored after every step, s the
 * distance of a weight to the next.
 */
export function roundingNorm(weights: Iterable<ArrayLike<number>>, steps: number): number {
  const counts = new Int32Array(EXPONENTS)
  for (const values of weights) exponents(values, counts)
  // a weight of zero is stored as it is; the largest powers overflow, and nothing has them
  return (squaredSpacing(counts, (i) => (i === 0 ? 0 : EPSILON * 2 ** (i - BIAS))) * steps) / 12
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
  // what is stored as zero may have been anything below half the smallest number
  const spacing = (i: number) => step * Math.max(2 ** (i - BIAS), SMALLEST[type])
  return squaredSpacing(exponents(values), spacing) / 12
}

/** {@link storageNorm} of types that are coarser than float32, in which weights are kept: what is lost when an update is sent. */
export const coarseNorm = (values: ArrayLike<number>, stored: StoredAs): number =>
  stored.dtype === 'float32' || stored.dtype === 'float64' ? 0 : storageNorm(values, stored)

/** The types that a caller can state for what was shared. */
export const PRECISIONS = ['float32', 'float16', 'bfloat16', 'int8'] as const satisfies readonly StatedPrecision[]

/** How exactly a gradient was shared, where the caller states it. */
export type StatedPrecision = 'float32' | 'float16' | 'bfloat16' | 'int8'

/** The types that numbers in float32 may have gone through, the coarser one first, with the exponent of their smallest normal number and their largest number. */
const COARSE = { bfloat16: [-126, 3.4e38], float16: [-14, 65504] } as const

/** Sizes of numbers from which on it is no accident that all are numbers of a coarser type. Signs have one size. */
const SIZES = 32

/**
 * The coarser type that all numbers of a gradient are numbers of, though they are kept in float32: they have gone through it. Undefined
 * where one is not, or where they have too few different sizes to tell.
 */
export function shownPrecision(tensors: readonly ArrayLike<number>[]): 'bfloat16' | 'float16' | undefined {
  const type = (['bfloat16', 'float16'] as const).find((one) => tensors.every((values) => isStored(values, one)))
  if (!type) return undefined
  const sizes = new Set<number>()
  for (const values of tensors)
    for (let i = 0; i < values.length; i++) {
      if (values[i] !== 0) sizes.add(Math.abs(values[i]))
      if (sizes.size === SIZES) return type
    }
  return undefined
}

/** Whether all numbers are numbers of a type. */
function isStored(values: ArrayLike<number>, type: keyof typeof COARSE): boolean {
  const [least, most] = COARSE[type]
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i])
    if (size === 0) continue
    const step = 2 ** (Math.max(least, Math.floor(Math.log2(size))) + 1 - SIGNIFICAND_BITS[type])
    if (size > most || size % step !== 0) return false
  }
  return true
}

/** How a tensor was stored: as it says itself, else as the caller states. int8 is taken as max|v| / 127 for each tensor. */
export function storedOr(values: ArrayLike<number>, said: StoredAs, stated: StatedPrecision | undefined): StoredAs {
  const coarse = said.quantization !== undefined || said.dtype === 'float16' || said.dtype === 'bfloat16'
  if (coarse || stated === undefined) return said
  if (stated !== 'int8') return { dtype: stated }
  let most = 0
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]))
  return { dtype: 'int8', quantization: { scale: most / 127, min: 0 } }
}
