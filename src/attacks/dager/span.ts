import { random } from '../../numbers/random'
import type { Steps } from '../../numbers/steps'
import { symmetricEigen } from '../../numbers/symmetric-eigen'
import type { Values } from '../../numbers/values'
import type { Table } from '../tokens/token-set'

/**
 * The vectors u that some matrices read, as far as their gradients Σ_t ∂y_t u_tᵀ show them: eigenvalues λ and eigenvectors of
 * G = Σ w² r rᵀ over all rows r of the gradients, w the weight of a row. √λ are the singular values of the weighed rows.
 */
export interface RowSpectrum {
  readonly width: number
  /** Rows of all matrices. */
  readonly rows: number
  /** λ, descending, none below rounding. */
  readonly values: Float64Array
  /** By value: its direction. */
  readonly vectors: readonly Float64Array[]
}

/** Where the vectors that some matrices read may lie: what is known of it by one or several of their gradients. */
export interface Span {
  /** Numbers of each vector. */
  readonly width: number
  readonly rank: number
  readonly parts: readonly SpanPart[]
  /** What may lie outside of a first input without noise is this part of the tolerance. Default 1. */
  readonly tight?: number
}

/** The span of the leading directions, and the noise that the others show. */
export interface SpanPart {
  /** The vectors show as M u, and the span is that of M u; undefined: as they are. The rows of M, with ‖M‖² = width. */
  readonly through?: readonly Float64Array[]
  /** Orthonormal, one for each dimension. */
  readonly basis: readonly Float64Array[]
  /** By dimension: the squared length by which noise is expected to turn it out of the true span. */
  readonly turned: Float64Array
}

/** Rounding of what is computed here: of a gradient in float32 and an input in float64. */
const ROUNDING = 1e-7

/** λ below this part of the largest is the rounding of float64 sums of squares. */
const LEAST = 1e-16

/**
 * @param gradients of matrices that read the same vectors, rows of length `width`
 * @param weights of the rows of each; 0 leaves one out
 */
export function* rowSpectrum(
  gradients: readonly Values[],
  width: number,
  weights: readonly Float64Array[],
): Steps<RowSpectrum> {
  const gram = Array.from({ length: width }, () => new Float64Array(width))
  let rows = 0
  for (const [k, values] of gradients.entries())
    for (const [r, weight] of weights[k].entries()) {
      if (weight === 0) continue
      rows++
      addOuter(gram, values, r * width, weight * weight)
      yield
    }
  for (let i = 0; i < width; i++) for (let j = 0; j < i; j++) gram[j][i] = gram[i][j]
  const { values, vectors } = yield* symmetricEigen(gram)
  const least = LEAST * values[0]
  return { width, rows, values: values.map((v) => Math.max(v, least)), vectors }
}

/** Adds weight · r rᵀ to the lower half of the matrix, r a row. */
function addOuter(gram: readonly Float64Array[], values: Values, at: number, weight: number): void {
  for (let i = 0; i < gram.length; i++) {
    const scaled = weight * values[at + i]
    if (scaled === 0) continue
    const target = gram[i]
    for (let j = 0; j <= i; j++) target[j] += scaled * values[at + j]
  }
}

/** The span of the first `rank` directions. */
export const spanOf = (spectrum: RowSpectrum, rank: number): Span => ({
  width: spectrum.width,
  rank,
  parts: [spanPart(spectrum, rank)],
})

/** @param through rows of the matrix M, where the rows of the gradients are combinations of M u */
export function spanPart({ width, rows, values, vectors }: RowSpectrum, rank: number, through?: Table): SpanPart {
  const noise = noiseVariance({ width, rows, values }, rank)
  const basis = vectors.slice(0, rank)
  // a direction of singular value s is turned by noise of length √(width − rank) ν / s (Davis and Kahan)
  const turned = Float64Array.from(basis, (_, i) => {
    const own = Math.max(values[i] - rows * noise, (rows * noise) / 4)
    return own > 0 ? Math.min(1, ((width - rank) * noise) / own) + ROUNDING ** 2 : 1
  })
  return { ...(through && { through: scaledRows(through) }), basis, turned }
}

/** ν², the variance of a number of the rows' noise: what lies behind the rank has (rows − rank) (width − rank) ν². */
export function noiseVariance({ width, rows, values }: Pick<RowSpectrum, 'width' | 'rows' | 'values'>, rank: number) {
  const free = (rows - rank) * (width - rank)
  return free > 0 ? values.subarray(rank).reduce((a, b) => a + b, 0) / free : 0
}

/** Rows of a matrix, divided so that ‖M u‖ is about ‖u‖. */
function scaledRows({ data, width }: Table): Float64Array[] {
  const scale = Math.sqrt(width) / Math.max(length(data), Number.MIN_VALUE)
  return Array.from({ length: data.length / width }, (_, r) =>
    Float64Array.from({ length: width }, (_, j) => scale * data[r * width + j]),
  )
}

/** What a span says of a vector u. */
export interface Outside {
  /** ‖the part of u outside the span‖ / ‖u‖ */
  readonly far: number
  /** The `far` that noise alone is expected to make of a u inside. */
  readonly expected: number
}

export function outside({ parts }: Span, u: Values): Outside {
  let [all, left, expected] = [0, 0, 0]
  for (const { through, basis, turned } of parts) {
    const seen = through ? multiply(through, u) : u
    let square = 0
    for (let j = 0; j < seen.length; j++) square += seen[j] ** 2
    let inside = 0
    for (const [k, direction] of basis.entries()) {
      const c = product(direction, seen)
      inside += c * c
      expected += c * c * turned[k]
    }
    all += square
    left += Math.max(0, square - inside)
  }
  return all === 0 ? { far: 0, expected: 0 } : { far: Math.sqrt(left / all), expected: Math.sqrt(expected / all) }
}

/** The part of u outside the span, divided by ‖u‖; linear in u but for that. */
export function offset({ parts }: Span, u: Values): Float64Array {
  const scale = 1 / Math.max(length(u), Number.MIN_VALUE)
  const rests = parts.map(({ through, basis }) => {
    const rest = through ? multiply(through, u) : Float64Array.from(u as ArrayLike<number>)
    for (const direction of basis) subtract(rest, direction)
    return rest.map((v) => v * scale)
  })
  if (rests.length === 1) return rests[0]
  const joined = new Float64Array(rests.reduce((n, rest) => n + rest.length, 0))
  let at = 0
  for (const rest of rests) {
    joined.set(rest, at)
    at += rest.length
  }
  return joined
}

/** `count` random directions A [count, width] with ‖A u‖² ≈ ‖the part of u outside the span‖², summed over the parts. */
export function directions({ parts, width }: Span, count: number): Float64Array[] {
  const { normal } = random(0, 0x7370616e)
  return Array.from({ length: count }, () => {
    const sum = new Float64Array(width)
    for (const { through, basis } of parts) {
      const direction = Float64Array.from({ length: through?.length ?? width }, () => normal() / Math.sqrt(count))
      for (const other of basis) subtract(direction, other)
      if (through)
        for (const [r, row] of through.entries()) for (let j = 0; j < width; j++) sum[j] += direction[r] * row[j]
      else for (let j = 0; j < width; j++) sum[j] += direction[j]
    }
    return sum
  })
}

/** Takes its part along a unit vector off a vector. */
function subtract(from: Float64Array, direction: Float64Array): void {
  const c = product(direction, from)
  for (let j = 0; j < from.length; j++) from[j] -= c * direction[j]
}

export function multiply(rows: readonly Float64Array[], x: Values): Float64Array {
  return Float64Array.from(rows, (row) => product(row, x))
}

function product(a: Float64Array, b: Values): number {
  let sum = 0
  for (let j = 0; j < a.length; j++) sum += a[j] * b[j]
  return sum
}

export function length(u: Values): number {
  let sum = 0
  for (let j = 0; j < u.length; j++) sum += u[j] ** 2
  return Math.sqrt(sum)
}
