import type { Random } from '../../numbers/random'
import { mapped } from '../../numbers/values'
import { inner } from '../../numbers/vectors'
import { type Curvature, largest } from './curvature'
import { type Candidate, candidatesIn, combined, eigen, type FreeDirection, symmetric, weakBlock } from './weak-block'

export type { FreeDirection } from './weak-block'

/** Combinations of unknowns that move what was shared by less than the floor. */
export interface FreeDirections {
  /** Vectors of length 1, the freest first. */
  readonly directions: readonly FreeDirection[]
  /** The sensitivity of the weakest direction that is not free; undefined where all are free. */
  readonly weakest: number | undefined
  /** Whether every combination was looked at, or those of a Krylov subspace, in which there may be more than were found. */
  readonly examined: 'every direction' | 'a subspace'
}

/** Steps of a Lanczos run that finds nothing weak. */
const LANCZOS = 32
/** Step of a product, in units of the fastest unknown: its square is what curvature adds, its inverse what rounding does. */
const KRYLOV_STEP = 0.02
/** Steps along a direction that moves little: long for float32, short where a valley of R is curved. */
const LONG = 0.25
const SHORT = 0.06
/** Where products differ by more, it is not rounding: the model is not linear over a step. */
const MOST_ROUNDING = 2 ** -22
/** Eigenvalues below this part of the largest are worth more Lanczos steps. */
const NEARLY_FREE = 1e-7
/** Eigenvalues below this part of the largest may be rounding or curvature, and are computed again from products of their own. */
const ROUNDING = 1e-3

/**
 * Finds combinations of many unknowns that are free. The unknowns that are undetermined alone are left out.
 *
 * The Lanczos vectors of a random start are taken, with full reorthogonalisation. Float32 spoils small eigenvalues there: a product
 * is exact to about 1e-6 of the largest. So the span W of the weakest eigenvectors gets products of its own, where the strong ones U
 * are absent, and the weak block is
 *
 * WᵀJᵀJW − WᵀJᵀJU Θ⁻¹ UᵀJᵀJW,
 *
 * the Schur complement, which takes out what is left of strong eigenvectors in W: twice, as rounding leaves some of them.
 *
 * @param rest 1 for every unknown that stays where it is
 * @param floor as of {@link sensitivityOf}
 * @param numbers how many numbers were shared
 */
export async function freeDirections(
  curvature: Curvature,
  rest: Uint8Array,
  floor: number,
  numbers: number,
  random: Random,
): Promise<FreeDirections | undefined> {
  const found = await krylovBasis(
    curvature,
    rest.map((v) => 1 - v),
    random,
  )
  return found && (await weakDirections(curvature, found, floor, numbers))
}

/** An orthonormal basis with the products of its vectors. */
interface Basis {
  readonly vectors: readonly Float64Array[]
  readonly images: readonly Float64Array[]
}

async function krylovBasis(curvature: Curvature, moving: Uint8Array, random: Random): Promise<Basis | undefined> {
  const vectors: Float64Array[] = []
  const images: Float64Array[] = []
  let next = curvature.project(
    mapped(moving, (moves) => (moves === 0 ? 0 : random.normal())),
    moving,
  )
  /** More steps for what is found to be weak, as long as there are products for it. */
  const goesOn = async (k: number): Promise<boolean> => {
    if (k !== LANCZOS) return k < LANCZOS || (k < 2 * LANCZOS && curvature.left > reserve)
    const found = await curvature.done(ritzOf({ vectors, images }))
    if (!found) return false
    const { values } = found
    const top = values[values.length - 1]
    reserve = 5 * values.filter((v) => v <= ROUNDING * top).length
    return values[0] <= NEARLY_FREE * top && curvature.left > reserve
  }
  let reserve = 0
  for (let k = 0; await goesOn(k); k++) {
    const length = orthogonalise(next, vectors)
    if (length === 0) break
    const v = next.map((x) => x / length)
    const product = await curvature.product(v, KRYLOV_STEP / largest(v))
    if (!product) return k < 2 ? undefined : { vectors, images }
    vectors.push(v)
    images.push(product.image)
    next = curvature.project(
      product.image.map((x, i) => x * moving[i]),
      moving,
    )
  }
  return { vectors, images }
}

/** Twice is enough (Kahan, Parlett). Gives the length that is left; 0 where that is rounding. */
function orthogonalise(v: Float64Array, basis: readonly Float64Array[]): number {
  const before = Math.sqrt(inner(v, v))
  for (let pass = 0; pass < 2; pass++)
    for (const b of basis) {
      const c = inner(v, b)
      for (let i = 0; i < v.length; i++) v[i] -= c * b[i]
    }
  const length = Math.sqrt(inner(v, v))
  return length > 1e-10 * before ? length : 0
}

/** Eigenvalues and eigenvectors within a basis. */
function* ritzOf({ vectors, images }: Basis) {
  return yield* eigen(yield* symmetric(vectors, images))
}

/** Rayleigh and Ritz over a basis; then the weak block again, from products of its own. */
async function weakDirections(
  curvature: Curvature,
  { vectors, images }: Basis,
  floor: number,
  numbers: number,
): Promise<FreeDirections | undefined> {
  const examined = 'a subspace'
  if (vectors.length === 0) return { directions: [], weakest: undefined, examined }
  const found = await curvature.done(ritzOf({ vectors, images }))
  const ritz = found && (await curvature.done(combined(vectors, found.combinations)))
  if (!ritz) return undefined
  const { values } = found
  const bar = Math.max(ROUNDING * values[values.length - 1], floor)
  const strong = { vectors: ritz.filter((_, k) => values[k] > bar), values: values.filter((v) => v > bar) }
  const weakest = strong.values.length > 0 ? strong.values[0] / largest(strong.vectors[0]) ** 2 : undefined
  // a rough block takes two evaluations for each of its vectors, a fine one four
  const below = ritz.filter((_, k) => !(values[k] > bar)).slice(0, Math.floor(curvature.left / 3))
  if (below.length === 0) return { directions: [], weakest, examined }
  const rough = await weakBlock(curvature, below, strong, SHORT, false)
  const straight = rough && (await weakBlock(curvature, rough.corrected, strong, LONG, true))
  if (!straight) return undefined
  let candidates = await curvature.done(candidatesIn(straight, numbers))
  if (candidates?.some(({ rounding }) => rounding > floor) && curvature.left >= 2 * below.length) {
    const curved = await weakBlock(curvature, straight.corrected, strong, SHORT, true)
    if (!curved) return undefined
    // the longer step has the better correction
    candidates = await curvature.done(candidatesIn({ ...curved, corrected: straight.corrected }, numbers))
  }
  if (!candidates) return undefined
  const isFree = ({ direction, rounding }: Candidate) =>
    direction.sensitivity <= Math.max(floor, Math.min(rounding, MOST_ROUNDING))
  const others = candidates.filter((c) => !isFree(c)).map(({ direction }) => direction.sensitivity)
  return {
    directions: candidates.filter(isFree).map(({ direction }) => direction),
    weakest: others.reduce<number | undefined>((a, b) => Math.min(a ?? b, b), weakest),
    examined,
  }
}
