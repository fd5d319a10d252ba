import type { Node, Shape } from '../../../graph'
import * as g from '../../../graph'
import { normOf } from '../../../numbers/norms'
import type { Steps } from '../../../numbers/steps'
import { symmetricEigen } from '../../../numbers/symmetric-eigen'
import type { Values } from '../../../numbers/values'
import { inner } from '../../../numbers/vectors'
import type { Distance, DistanceTensor } from './distance'

/** Rounding of float32 numbers: a tensor below this part of the whole gradient is noise. */
const FLOAT32 = 2 ** -23

/** Most rows or columns of a matrix that is whitened: its singular values cost the cube of the smaller number. */
const MOST = 512

/**
 * Σ_ℓ ‖(G*G*ᵀ)^{−1/8} (G − G*) (G*ᵀG*)^{−1/8}‖² over the tensors as matrices: an error in the singular directions uᵢ and vⱼ of
 * what was shared counts 1/√(σᵢσⱼ). So the many weak directions of a gradient, which tell patches apart, are not drowned by its few
 * strong ones. The two factors have the form of Shampoo's preconditioner (Gupta, Koren, Singer 2018), with a smaller exponent.
 *
 * The last axis of a tensor gives the columns, or the first one the rows, whichever makes the matrix squarer. Singular values
 * below 1/1000 of the largest count as that. Vectors, and matrices of more than 512 rows or columns, count by their norm, as in `balanced`.
 */
export const whitened = (): Distance => whitening(1 / 2, 1e-3)

/**
 * The distance `whitened` with another power: an error in the singular directions uᵢ and vⱼ counts (σᵢσⱼ)^−power. At 1 errors are
 * relative to what was shared in each direction.
 *
 * @param floor singular values below this part of the largest one count as that part
 */
export function whitening(power: number, floor: number): Distance {
  return {
    ...{ name: power === 1 / 2 ? 'whitened' : `whitened by the power ${power}`, settings: { power, floor } },
    *weights(shared) {
      const noise = FLOAT32 * normOf(shared.map(({ values }) => values)) || 1
      const weights: (readonly DistanceTensor[])[] = []
      for (const tensor of shared) weights.push(yield* weightsOf(tensor, noise, power, floor))
      return weights
    },
    measure: (gradients, shared, weights = []) =>
      gradients
        .map((n, i) => {
          const weighed = times(g.sub(n, shared[i]), weights[i])
          return g.inner(weighed, weighed)
        })
        .reduce(g.add),
    *unit(shared, weights = []) {
      let sum = 0
      for (const [i, values] of shared.entries()) sum += yield* squaredSize(values, weights[i])
      return sum
    },
  }
}

/** Rows and columns of a tensor as a matrix. */
function matrixShape(shape: Shape): readonly [number, number] {
  const size = g.sizeOf(shape)
  const [first, last] = [shape[0] ?? 1, shape[shape.length - 1] ?? 1]
  const smaller = (one: number) => Math.min(one, size / one)
  return smaller(first) > smaller(last) ? [first, size / first] : [size / last, last]
}

/** Whether a tensor of this shape is whitened, and does not count by its norm. */
export function hasDirections(shape: Shape): boolean {
  const sides = matrixShape(shape)
  return Math.min(...sides) >= 2 && Math.max(...sides) <= MOST
}

/** A factor for each side, or one for all numbers. */
function* weightsOf(
  { shape, values }: DistanceTensor,
  noise: number,
  power: number,
  least: number,
): Steps<readonly DistanceTensor[]> {
  const [rows, columns] = matrixShape(shape)
  const wide = rows <= columns
  const [small, large] = wide ? [rows, columns] : [columns, rows]
  if (!hasDirections(shape))
    return [{ shape: [], values: Float64Array.of(Math.max(normOf([values]), noise) ** -power) }]
  // A [small, large], the matrix or its transpose
  const a = Array.from({ length: small }, (_, i) =>
    Float64Array.from({ length: large }, (_, k) => values[wide ? i * columns + k : k * columns + i]),
  )
  const products: Float64Array[] = []
  for (const one of a) {
    products.push(Float64Array.from(a, (other) => inner(one, other)))
    yield
  }
  const eigen = yield* symmetricEigen(products)
  const singular = Float64Array.from(eigen.values, (v) => Math.sqrt(Math.max(v, 0)))
  const floor = Math.max(least * singular[0], noise)
  const factor = (value: number): number => Math.hypot(value, floor) ** (-power / 2)
  // where σ is far below the floor, its factor is that of everything else, and its direction is rounding
  const strong = eigen.vectors.filter((_, i) => singular[i] > floor / 100)
  const factors = strong.map((_, i) => factor(singular[i]))
  const others: Float64Array[] = []
  for (const [i, vector] of strong.entries()) {
    const direction = new Float64Array(large)
    for (const [j, row] of a.entries())
      for (let k = 0; k < large; k++) direction[k] += (vector[j] / singular[i]) * row[k]
    others.push(direction)
    yield
  }
  const sides = [yield* side(strong, factors, factor(0), small), yield* side(others, factors, factor(0), large)]
  return wide ? sides : sides.toReversed()
}

/** f₀ I + Σ (fᵢ − f₀) uᵢuᵢᵀ, [size, size] */
function* side(
  directions: readonly Float64Array[],
  factors: readonly number[],
  rest: number,
  size: number,
): Steps<DistanceTensor> {
  const values = new Float64Array(size * size)
  for (let i = 0; i < size; i++) values[i * size + i] = rest
  for (const [k, direction] of directions.entries()) {
    for (let i = 0; i < size; i++) {
      const by = (factors[k] - rest) * direction[i]
      for (let j = 0; j < size; j++) values[i * size + j] += by * direction[j]
    }
    yield
  }
  return { shape: [size, size], values }
}

/** L D R, or the product with one number. */
function times(difference: Node, weights: readonly Node[]): Node {
  const [left, right] = weights
  if (!right) return g.mul(difference, left)
  const matrix = g.reshape(difference, [left.shape[0], right.shape[0]])
  return g.matMul(g.matMul(left, matrix), right)
}

/** ‖L G R‖² */
function* squaredSize(values: Values, [left, right]: readonly DistanceTensor[]): Steps<number> {
  if (!right) return (left.values[0] * normOf([values])) ** 2
  const [rows, columns] = [left.shape[0], right.shape[0]]
  const weighed = yield* matrixProduct(left.values, values, rows, rows, columns)
  return normOf([yield* matrixProduct(weighed, right.values, rows, columns, columns)]) ** 2
}

/** A B of A [rows, middle] and B [middle, columns]. */
function* matrixProduct(a: Values, b: Values, rows: number, middle: number, columns: number): Steps<Float64Array> {
  const out = new Float64Array(rows * columns)
  for (let i = 0; i < rows; i++) {
    for (let k = 0; k < middle; k++) {
      const by = a[i * middle + k]
      for (let j = 0; j < columns; j++) out[i * columns + j] += by * b[k * columns + j]
    }
    yield
  }
  return out
}
