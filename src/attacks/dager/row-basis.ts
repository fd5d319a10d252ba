import type { Steps } from '../../numbers/steps'
import { symmetricEigen } from '../../numbers/symmetric-eigen'
import type { Values } from '../../numbers/values'
import { inner, lengthOf, orthogonalPart } from '../../numbers/vectors'

/**
 * Orthonormal directions that most of a matrix's rows lie in: its first right singular vectors, from the smaller one of G Gᵀ and Gᵀ G.
 *
 * @param width numbers of a row
 * @param rank how many directions
 */
export function* rowBasis(values: Values, width: number, rank: number): Steps<Float64Array[]> {
  const rows = Array.from({ length: values.length / width }, (_, r) =>
    Float64Array.from(values.subarray(r * width, (r + 1) * width)),
  )
  const isWide = rows.length < width
  const vectors = isWide ? rows : columnsOf(rows, width)
  const gram: Float64Array[] = []
  for (const a of vectors) {
    gram.push(Float64Array.from(vectors, (b) => inner(a, b)))
    yield
  }
  const directions = (yield* symmetricEigen(gram)).vectors.slice(0, rank)
  if (!isWide) return directions
  const basis: Float64Array[] = []
  for (const left of directions) {
    const sum = new Float64Array(width)
    for (const [r, row] of rows.entries()) for (let j = 0; j < width; j++) sum[j] += left[r] * row[j]
    // rounding puts large directions into small ones
    const rest = orthogonalPart(sum, basis)
    const length = lengthOf(rest)
    basis.push(rest.map((v) => v / length))
    yield
  }
  return basis
}

const columnsOf = (rows: readonly Float64Array[], width: number): Float64Array[] =>
  Array.from({ length: width }, (_, j) => Float64Array.from(rows, (row) => row[j]))
