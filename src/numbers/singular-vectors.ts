import { largest } from './norms'
import type { Steps } from './steps'
import { inner, lengthOf, orthogonalPart } from './vectors'

/** A = Σ_k values[k] · left[k] right[k]ᵀ. */
export interface SingularVectors {
  /** As many as the shorter side of A, descending. */
  readonly values: Float64Array
  /** For each value a vector of length 1, with as many numbers as A has rows; zeros where the value is 0. */
  readonly left: readonly Float64Array[]
  /** Likewise, with as many numbers as A has columns. */
  readonly right: readonly Float64Array[]
}

/** Rounds over all pairs; four to eight are usual. */
const ROUNDS = 60

/** A rest of which less than this part is new is rounding. */
const WITHIN = 1e-6

/** Two vectors whose cosine is at most this count as orthogonal. */
const ORTHOGONAL = 2 ** -50

/**
 * The singular values and vectors of a matrix. Gram–Schmidt with the longest rest first, A = Q R; then Jacobi rotations, which turn
 * two rows of R at a time until they are orthogonal (Hestenes 1958; Golub and Van Loan, 8.6.3). It ends for every input, after
 * {@link ROUNDS} rounds at most. It yields after work of O(rows · columns).
 *
 * @param rows A, one row each; none is changed
 */
export function* singularVectors(rows: readonly Float64Array[]): Steps<SingularVectors> {
  const [m, n] = [rows.length, rows[0]?.length ?? 0]
  // relative to the largest entry, so that squares neither overflow nor vanish
  const unit = rows.reduce((most, row) => Math.max(most, largest(row)), 0) || 1
  const wide = m < n
  const vectors = wide
    ? rows.map((row) => row.map((v) => v / unit))
    : Array.from({ length: n }, (_, j) => Float64Array.from(rows, (row) => row[j] / unit))
  const { directions, parts } = yield* spanned(vectors)
  const turns = directions.map((_, k) => {
    const turn = new Float64Array(directions.length)
    turn[k] = 1
    return turn
  })
  yield* orthogonalised(parts, turns)
  const lengths = parts.map(lengthOf)
  const order = [...lengths.keys()].filter((k) => lengths[k] > 0).sort((i, j) => lengths[j] - lengths[i])
  const long: Float64Array[] = []
  for (const k of order) {
    long.push(combination(turns[k], directions))
    yield
  }
  const short = order.map((k) => parts[k].map((v) => v / lengths[k]))
  const values = new Float64Array(vectors.length)
  order.forEach((k, i) => {
    values[i] = lengths[k] * unit
  })
  for (let k = order.length; k < vectors.length; k++) {
    long.push(new Float64Array(Math.max(m, n)))
    short.push(new Float64Array(vectors.length))
  }
  return { values, left: wide ? short : long, right: wide ? long : short }
}

/** Orthonormal directions of vectors, which become rests; parts[k] has the part of every vector in direction k. */
function* spanned(vectors: readonly Float64Array[]): Steps<{ directions: Float64Array[]; parts: Float64Array[] }> {
  const directions: Float64Array[] = []
  const parts: Float64Array[] = []
  for (const _ of vectors) {
    const squares = vectors.map((v) => inner(v, v))
    const pivot = squares.reduce((best, v, i) => (v > squares[best] ? i : best), 0)
    if (!(squares[pivot] > 0)) break
    const rest = orthogonalPart(vectors[pivot], directions)
    const length = lengthOf(rest)
    // what rounding leaves of a vector that others make up may lie in their span
    if (!(length > WITHIN * Math.sqrt(squares[pivot]))) {
      vectors[pivot].fill(0)
      continue
    }
    const direction = rest.map((v) => v / length)
    directions.push(direction)
    parts.push(
      Float64Array.from(vectors, (vector) => {
        const part = inner(vector, direction)
        for (let k = 0; k < vector.length; k++) vector[k] -= part * direction[k]
        return part
      }),
    )
    yield
  }
  return { directions, parts }
}

/** Turns vectors until all are orthogonal, and `turns` with them. */
function* orthogonalised(vectors: readonly Float64Array[], turns: readonly Float64Array[]): Steps<void> {
  const squares = vectors.map((v) => inner(v, v))
  let turned = true
  for (let round = 0; turned && round < ROUNDS; round++) {
    turned = false
    for (let i = 0; i + 1 < vectors.length; i++) {
      for (let j = i + 1; j < vectors.length; j++) {
        const product = inner(vectors[i], vectors[j])
        if (!(Math.abs(product) > ORTHOGONAL * Math.sqrt(squares[i]) * Math.sqrt(squares[j]))) continue
        turned = true
        const ratio = (squares[j] - squares[i]) / (2 * product)
        const tangent = (ratio < 0 ? -1 : 1) / (Math.abs(ratio) + Math.hypot(1, ratio))
        const cosine = 1 / Math.hypot(1, tangent)
        rotate(vectors[i], vectors[j], cosine, cosine * tangent)
        rotate(turns[i], turns[j], cosine, cosine * tangent)
        squares[i] = inner(vectors[i], vectors[i])
        squares[j] = inner(vectors[j], vectors[j])
      }
      yield
    }
  }
}

function rotate(a: Float64Array, b: Float64Array, cosine: number, sine: number): void {
  for (let k = 0; k < a.length; k++) {
    const v = a[k]
    const w = b[k]
    a[k] = cosine * v - sine * w
    b[k] = sine * v + cosine * w
  }
}

/** Σ_k weights[k] · vectors[k] */
function combination(weights: Float64Array, vectors: readonly Float64Array[]): Float64Array {
  const sum = new Float64Array(vectors[0].length)
  for (const [k, vector] of vectors.entries()) for (let i = 0; i < sum.length; i++) sum[i] += weights[k] * vector[i]
  return sum
}

/**
 * A⁺, the pseudo-inverse: as many rows as A has columns. Singular values that rounding may have made count as zero.
 *
 * @param rows A, one row each; none is changed
 */
export function* pseudoInverse(rows: readonly Float64Array[]): Steps<Float64Array[]> {
  const { values, left, right } = yield* singularVectors(rows)
  const least = Number.EPSILON * Math.max(rows.length, rows[0]?.length ?? 0) * (values[0] ?? 0)
  const inverse = Array.from(rows[0] ?? [], () => new Float64Array(rows.length))
  for (const [k, value] of values.entries()) {
    if (value <= least) continue
    for (const [j, row] of inverse.entries())
      for (let i = 0; i < row.length; i++) row[i] += (right[k][j] * left[k][i]) / value
    yield
  }
  return inverse
}
