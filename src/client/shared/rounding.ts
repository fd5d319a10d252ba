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

/** Fewest different sizes of numbers that tell a coarser type from an accident. Signs have one size. */
const SIZES = 32

/** Numbers that are looked at for whether they need all bits of a type. */
const SAMPLE = 4096

/** Part of rounded numbers that need the last bit of their type, at least: half of them do. Multiples of one number need it less often. */
const LAST = 0.35

/**
 * The coarser type that all numbers of a gradient are numbers of, though they are kept in float32: they have gone through it. Undefined
 * where one is not, or where they have too few different sizes, or need too few bits, to tell.
 */
export function shownPrecision(tensors: readonly ArrayLike<number>[]): 'bfloat16' | 'float16' | undefined {
  const type = (['bfloat16', 'float16'] as const).find((one) => tensors.every((values) => lastBits(values, one) >= 0))
  if (!type) return undefined
  const sizes = new Set<number>()
  let [seen, last] = [0, 0]
  for (const values of tensors)
    for (let i = 0; i < values.length && seen < SAMPLE; i++) {
      if (values[i] === 0) continue
      seen++
      sizes.add(Math.abs(values[i]))
      last += lastBits([values[i]], type)
    }
  return sizes.size >= SIZES && last >= LAST * seen ? type : undefined
}

/** How many numbers need the last bit of a type; −1 where one is no number of it at all. */
function lastBits(values: ArrayLike<number>, type: 'bfloat16' | 'float16'): number {
  const number = new Float32Array(1)
  const word = new Uint32Array(number.buffer)
  let last = 0
  for (let i = 0; i < values.length; i++) {
    if (values[i] === 0) continue
    number[0] = values[i]
    if (number[0] !== values[i]) return -1
    const exponent = ((word[0] >>> 23) & 255) - BIAS32
    // bits of float32's significand that the type has not: all but 7; all but 10, and fewer are left below the smallest normal number
    const missing = type === 'bfloat16' ? 16 : 13 + Math.max(0, -14 - exponent)
    if (type === 'float16' && exponent > 15) return -1
    if (missing > 23 || (word[0] & ((1 << missing) - 1)) !== 0) return -1
    // of 2^−24 the leading 1, which is not stored, is the last bit
    if (missing === 23 || ((word[0] >>> missing) & 1) === 1) last++
  }
  return last
}

/** What is added to the exponent of a float32 number. */
const BIAS32 = 127

/** How a tensor was stored: as it says itself, else as the caller states. int8 is taken as max|v| / 127 for each tensor. */
export function storedOr(values: ArrayLike<number>, said: StoredAs, stated: StatedPrecision | undefined): StoredAs {
  const coarse = said.quantization !== undefined || said.dtype === 'float16' || said.dtype === 'bfloat16'
  if (coarse || stated === undefined) return said
  if (stated !== 'int8') return { dtype: stated }
  let most = 0
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]))
  return { dtype: 'int8', quantization: { scale: most / 127, min: 0 } }
}
