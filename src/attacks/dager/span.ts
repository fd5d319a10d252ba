import { random } from '../../numbers/random'
import type { Steps } from '../../numbers/steps'
import { symmetricEigen } from '../../numbers/symmetric-eigen'
import type { Values } from '../../numbers/values'

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

/** The span of the leading directions, and the noise that the others show. */
export interface Span {
  readonly width: number
  readonly rank: number
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
      const at = r * width
      for (let i = 0; i < width; i++) {
        const scaled = weight * weight * values[at + i]
        if (scaled === 0) continue
        const target = gram[i]
        for (let j = 0; j <= i; j++) target[j] += scaled * values[at + j]
      }
      yield
    }
  for (let i = 0; i < width; i++) for (let j = 0; j < i; j++) gram[j][i] = gram[i][j]
  const { values, vectors } = yield* symmetricEigen(gram)
  const least = LEAST * values[0]
  return { width, rows, values: values.map((v) => Math.max(v, least)), vectors }
}

/** The span of the first `rank` directions. */
export function spanOf({ width, rows, values, vectors }: RowSpectrum, rank: number): Span {
  // a row's noise has the variance ν² for each number, and the directions behind the rank have rows · ν² each
  const tail = values.subarray(rank)
  const noise = tail.length > 0 ? tail.reduce((a, b) => a + b, 0) / tail.length : 0
  const basis = vectors.slice(0, rank)
  // a direction of singular value s is turned by noise of length √(width − rank) ν / s (Davis and Kahan)
  const turned = Float64Array.from(basis, (_, i) => {
    const own = Math.max(values[i] - noise, noise / 4)
    return Math.min(1, ((width - rank) * (noise / Math.max(rows, 1))) / own) + ROUNDING ** 2
  })
  return { width, rank, basis, turned }
}

/** What a span says of a vector u. */
export interface Outside {
  /** ‖the part of u outside the span‖ / ‖u‖ */
  readonly far: number
  /** The `far` that noise alone is expected to make of a u inside. */
  readonly expected: number
}

export function outside({ basis, turned }: Span, u: Values): Outside {
  let square = 0
  for (let j = 0; j < u.length; j++) square += u[j] ** 2
  let [inside, expected] = [0, 0]
  for (const [k, direction] of basis.entries()) {
    const c = product(direction, u)
    inside += c * c
    expected += c * c * turned[k]
  }
  if (square === 0) return { far: 0, expected: 0 }
  return { far: Math.sqrt(Math.max(0, square - inside) / square), expected: Math.sqrt(expected / square) }
}

/** The part of u outside the span, divided by ‖u‖; linear in u but for that. */
export function offset({ basis }: Span, u: Values): Float64Array {
  const rest = Float64Array.from(u as ArrayLike<number>)
  const scale = 1 / Math.max(length(u), Number.MIN_VALUE)
  for (const direction of basis) {
    const c = product(direction, u)
    for (let j = 0; j < rest.length; j++) rest[j] -= c * direction[j]
  }
  return rest.map((v) => v * scale)
}

/** `count` random directions A [count, width] with ‖A u‖² ≈ ‖the part of u outside the span‖². */
export function directions({ basis, width }: Span, count: number): Float64Array[] {
  const { normal } = random(0, 0x7370616e)
  return Array.from({ length: count }, () => {
    const direction = Float64Array.from({ length: width }, () => normal() / Math.sqrt(count))
    for (const other of basis) {
      const c = product(other, direction)
      for (let j = 0; j < width; j++) direction[j] -= c * other[j]
    }
    return direction
  })
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
