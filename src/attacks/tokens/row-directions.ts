import type { Steps } from '../../numbers/steps'
import { mapped, type Values } from '../../numbers/values'
import { lengthOf, orthogonalPart } from '../../numbers/vectors'
import type { Table } from './token-set'

/** Bits of the significand. */
const [FLOAT32, BFLOAT16] = [24, 8]

/** Least angle within which two rows have one direction. */
const LEAST = 1e-5

/** Roundings within which two rows have one direction. */
const ROUNDINGS = 4

/** Deviations of what was lost within which they have. */
export const DEVIATIONS = 3

/** Numbers between two looks at the clock. */
const NUMBERS = 16384

/** 1 − cosine that rounding leaves of two rows of one direction, from the significant bits that the numbers have: 24 in float32, 11 in float16. */
export function* roundedAway(data: Values): Steps<number> {
  let used = 0
  const words = new Int32Array(1)
  const number = new Float32Array(words.buffer)
  for (let i = 0; i < data.length; i++) {
    number[0] = data[i]
    used |= words[0]
    if (i % NUMBERS === 0) yield
  }
  // bits at the end of the significand that no number uses
  const unused = 31 - Math.clz32(used & -used)
  const bits = Math.max(BFLOAT16, FLOAT32 - unused)
  return Math.max(LEAST, ROUNDINGS * 2 ** -bits) ** 2 / 2
}

/** Roundings of a row, and part of those of the longest, that its direction may be off. */
const [OWN, LONGEST] = [3, 0.01]

/**
 * How many dimensions directions have, but for what rounding leaves of them.
 *
 * @param least 1 − cosine that rounding leaves
 */
export function* rankOf(directions: readonly Float64Array[], least: number): Steps<number> {
  const basis: Float64Array[] = []
  for (const direction of directions) {
    if (basis.length === direction.length) break
    const rest = orthogonalPart(direction, basis)
    const length = lengthOf(rest)
    if (length > OWN * Math.sqrt(2 * least)) basis.push(mapped(rest, (v) => v / length))
    yield
  }
  return basis.length
}

/**
 * Whether rows of a gradient that are not zero have one direction or its opposite, up to what rounding leaves.
 *
 * @param lost mean square of what each number lost beside its own rounding
 */
export function* areOnOneLine({ data, width }: Table, rows: readonly number[], lost: number): Steps<boolean> {
  const angle = Math.sqrt(2 * (yield* roundedAway(data)))
  const all: { readonly row: Float64Array; readonly length: number }[] = []
  for (const at of rows) {
    const row = Float64Array.from(data.subarray(at * width, (at + 1) * width))
    all.push({ row, length: lengthOf(row) })
    yield
  }
  const longest = all.reduce((a, b) => (b.length > a.length ? b : a), all[0])
  const direction = mapped(longest.row, (v) => v / longest.length)
  const least = DEVIATIONS * Math.sqrt(width * lost) + LONGEST * angle * longest.length
  for (const { row, length } of all) {
    if (lengthOf(orthogonalPart(row, [direction])) > least + OWN * angle * length) return false
    yield
  }
  return true
}
