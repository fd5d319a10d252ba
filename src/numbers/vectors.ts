import type { Values } from './values'

/** ⟨a, b⟩ */
export function inner(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let k = 0; k < a.length; k++) sum += a[k] * b[k]
  return sum
}

/** ‖a‖ */
export const lengthOf = (a: Float64Array): number => Math.sqrt(inner(a, a))

/** ‖a − b‖² */
export function squaredDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  for (let k = 0; k < a.length; k++) sum += (a[k] - b[k]) ** 2
  return sum
}

/** The mean of vectors of one length, one at least. */
export function meanOf(vectors: readonly Float64Array[]): Float64Array {
  const sum = new Float64Array(vectors[0].length)
  for (const vector of vectors) for (let k = 0; k < sum.length; k++) sum[k] += vector[k] / vectors.length
  return sum
}

/** The part of a vector that is orthogonal to all normals, which are orthonormal. */
export function orthogonalPart(vector: Float64Array, normals: readonly Float64Array[]): Float64Array {
  const rest = vector.slice()
  // once more, for what rounding leaves
  for (let twice = 0; twice < 2; twice++)
    for (const normal of normals) {
      const product = inner(rest, normal)
      for (let k = 0; k < rest.length; k++) rest[k] -= product * normal[k]
    }
  return rest
}

/** out ← out + by · values, from a place of the values on. */
export function addTimes(out: Float64Array, by: number, values: Values, from = 0): void {
  for (let j = 0; j < out.length; j++) out[j] += by * values[from + j]
}
