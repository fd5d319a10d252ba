import type { Steps } from '../../numbers/steps'
import { symmetricEigen } from '../../numbers/symmetric-eigen'
import { addTimes, inner } from '../../numbers/vectors'
import { type Curvature, largest } from './curvature'

/** A combination of unknowns, in their units, of length 1. */
export interface FreeDirection {
  readonly vector: Float64Array
  /** ‖J v‖² / ‖v‖∞²: the relative squared change of what was shared when the fastest unknown moves by one unit. */
  readonly sensitivity: number
}

/** Part of what curvature adds to a product that rounding leaves when it is taken out: eight roundings. */
const CURVED = 2 ** -20
/** Rounding of float32. */
const FLOAT32 = 2 ** -23

/** Eigenvectors U and eigenvalues Θ that are beyond doubt. */
export interface Strong {
  readonly vectors: readonly Float64Array[]
  readonly values: readonly number[]
}

/** The weak block without what is left of strong eigenvectors in it. */
export interface WeakBlock {
  /** WᵀJᵀJW − WᵀJᵀJU Θ⁻¹ UᵀJᵀJW */
  readonly block: number[][]
  /** W − U Θ⁻¹ UᵀJᵀJW */
  readonly corrected: readonly Float64Array[]
  /** What the curvature of a valley of R added to the block before it was taken out. */
  readonly curved: number[][]
  /** Eigenvalues of the block that rounding may have made. */
  readonly noise: number
  /** Step of the products, in units of the fastest unknown. */
  readonly step: number
}

export async function weakBlock(
  curvature: Curvature,
  weak: readonly Float64Array[],
  strong: Strong,
  step: number,
  fine: boolean,
): Promise<WeakBlock | undefined> {
  const images: Float64Array[] = []
  const doubts: Float64Array[] = []
  for (const v of weak) {
    const product = await curvature[fine ? 'refined' : 'product'](v, step / largest(v))
    if (!product) return undefined
    images.push(product.image)
    doubts.push(product.doubt ?? new Float64Array(v.length))
  }
  return curvature.done(schur(weak, images, doubts, strong, step))
}

/** The weak block from products. @param doubts of the images, zeros where there are none */
function* schur(
  weak: readonly Float64Array[],
  images: readonly Float64Array[],
  doubts: readonly Float64Array[],
  strong: Strong,
  step: number,
): Steps<WeakBlock> {
  const coupling: number[][] = []
  for (const image of images) {
    coupling.push(strong.vectors.map((u) => inner(u, image)))
    yield
  }
  const part = (i: number, j: number) =>
    strong.values.reduce((sum, theta, k) => sum + (coupling[i][k] * coupling[j][k]) / theta, 0)
  const corrected: Float64Array[] = []
  for (const [i, v] of weak.entries()) {
    const taken = strong.values.map((theta, k) => -coupling[i][k] / theta)
    corrected.push(combine([v, ...strong.vectors], [1, ...taken]))
    yield
  }
  return {
    block: (yield* symmetric(weak, images)).map((row, i) => row.map((v, j) => v - part(i, j))),
    corrected,
    curved: yield* symmetric(weak, doubts),
    noise: yield* resolution(weak, images),
    step,
  }
}

export interface Candidate {
  readonly direction: FreeDirection
  /** The sensitivity that rounding may have made. */
  readonly rounding: number
}

/**
 * The eigenvectors of a weak block, the weakest first.
 *
 * Along a curved valley, ‖J(x ± h v) v‖ = h ‖B‖ with B = ∂²g/∂v². Rounding e of what is shared enters there as ⟨B, e⟩, with a
 * spread of ‖B‖ ‖e‖ / √numbers whatever h is. A step adds h² ‖B‖² / 2, three quarters of which is seen between h and h / 2.
 */
export function* candidatesIn(
  { block, corrected, curved, noise, step }: WeakBlock,
  numbers: number,
): Steps<Candidate[]> {
  const { values, combinations } = yield* eigen(block)
  const found: Candidate[] = []
  for (const [i, c] of combinations.entries()) {
    const vector = combine(corrected, c)
    const length = Math.sqrt(inner(vector, vector))
    const fastest = largest(vector) ** 2
    const added = Math.abs(c.reduce((sum, a, k) => sum + a * c.reduce((part, b, l) => part + b * curved[k][l], 0), 0))
    const bend = (Math.sqrt((8 / 3) * added) * Math.sqrt(fastest)) / step
    found.push({
      direction: { vector: vector.map((v) => v / length), sensitivity: Math.max(values[i], 0) / fastest },
      rounding: (noise + CURVED * added + (FLOAT32 * bend) / Math.sqrt(numbers)) / fastest,
    })
    yield
  }
  return found
}

/**
 * Size of the eigenvalues that rounding makes: JᵀJ is symmetric, so what is not in WᵀJᵀJW is rounding. A matrix of n² independent
 * errors σ has an antisymmetric half of norm σ n / √2 and a symmetric half of eigenvalues up to σ √(2n).
 */
function* resolution(vectors: readonly Float64Array[], images: readonly Float64Array[]): Steps<number> {
  let squares = 0
  for (const [i, v] of vectors.entries()) {
    yield
    for (const [j, w] of vectors.entries()) squares += ((inner(v, images[j]) - inner(w, images[i])) / 2) ** 2
  }
  return 2 * Math.sqrt(squares / vectors.length)
}

/** VᵀHV, symmetrised: rounding of products is not. */
export function* symmetric(vectors: readonly Float64Array[], images: readonly Float64Array[]): Steps<number[][]> {
  const plain: number[][] = []
  for (const v of vectors) {
    plain.push(images.map((image) => inner(v, image)))
    yield
  }
  return plain.map((row, i) => row.map((v, j) => (v + plain[j][i]) / 2))
}

/** Eigenvalues, ascending, and their eigenvectors. */
export function* eigen(
  matrix: readonly (readonly number[])[],
): Steps<{ values: readonly number[]; combinations: readonly (readonly number[])[] }> {
  const { values, vectors } = yield* symmetricEigen(matrix.map((row) => Float64Array.from(row)))
  return { values: [...values].reverse(), combinations: vectors.map((vector) => [...vector]).reverse() }
}

export function combine(vectors: readonly Float64Array[], coefficients: readonly number[]): Float64Array {
  const out = new Float64Array(vectors[0].length)
  for (const [k, v] of vectors.entries()) if (coefficients[k] !== 0) addTimes(out, coefficients[k], v)
  return out
}

/** Several combinations of vectors. */
export function* combined(
  vectors: readonly Float64Array[],
  all: readonly (readonly number[])[],
): Steps<Float64Array[]> {
  const found: Float64Array[] = []
  for (const coefficients of all) {
    found.push(combine(vectors, coefficients))
    yield
  }
  return found
}

/** The products of all pairs of vectors. */
export function* gramOf(vectors: readonly Float64Array[]): Steps<number[][]> {
  const products: number[][] = vectors.map(() => [])
  for (const [i, a] of vectors.entries()) {
    for (let j = 0; j <= i; j++) {
      products[i][j] = inner(a, vectors[j])
      products[j][i] = products[i][j]
    }
    yield
  }
  return products
}
