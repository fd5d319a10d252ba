import { addInPlace, addInPlaceThenDot, dot, plus, times } from './vectors'

/** One observed step and the change of the gradient over it. */
export interface CurvaturePair {
  /** sₖ = xₖ₊₁ − xₖ */
  readonly s: Float64Array
  /** yₖ = ∇f(xₖ₊₁) − ∇f(xₖ) */
  readonly y: Float64Array
  /** ρₖ = 1 / yₖᵀsₖ */
  readonly rho: number
}

/** What L-BFGS knows of the Hessian. */
export interface Curvature {
  /** Oldest first. */
  readonly pairs: readonly CurvaturePair[]
  /** γ of the initial inverse Hessian H₀ = γI: yᵀs / yᵀy of the newest pair, 1 before the first. */
  readonly scale: number
}

/** Nothing observed yet: H = I. */
export const noCurvature: Curvature = { pairs: [], scale: 1 }

/**
 * The curvature with the pair of one more step, the oldest pair dropped beyond `size`.
 *
 * A pair with yᵀs ≤ `threshold` is left out: H would stop being positive definite, and −H∇f a way down.
 */
export function observe(
  curvature: Curvature,
  s: Float64Array,
  gradient: Float64Array,
  previousGradient: Float64Array,
  size: number,
  threshold: number,
): Curvature {
  const y = plus(gradient, -1, previousGradient)
  const ys = dot(y, s)
  if (!(ys > threshold)) return curvature
  const kept = curvature.pairs.length < size ? curvature.pairs : curvature.pairs.slice(1)
  return { pairs: [...kept, { s, y, rho: 1 / ys }], scale: ys / dot(y, y) }
}

/**
 * −H∇f by the two-loop recursion (Nocedal & Wright, Numerical Optimization, algorithm 7.4):
 *
 * q = −∇f; newest to oldest: aᵢ = ρᵢ sᵢᵀq, q ← q − aᵢyᵢ; r = γq; oldest to newest: r ← r + (aᵢ − ρᵢ yᵢᵀr) sᵢ.
 *
 * Each update is fused with the inner product that follows it, so that the vectors are read once instead of twice.
 */
export function descentDirection({ pairs, scale }: Curvature, gradient: Float64Array): Float64Array {
  const count = pairs.length
  if (count === 0) return times(-scale, gradient)
  const a = new Float64Array(count)
  const q = times(-1, gradient)
  let product = dot(pairs[count - 1].s, q)
  for (let i = count - 1; i > 0; i--) {
    a[i] = pairs[i].rho * product
    product = addInPlaceThenDot(q, -a[i], pairs[i].y, pairs[i - 1].s)
  }
  a[0] = pairs[0].rho * product
  addInPlace(q, -a[0], pairs[0].y)
  const r = times(scale, q)
  product = dot(pairs[0].y, r)
  for (let i = 0; i < count - 1; i++) {
    product = addInPlaceThenDot(r, a[i] - pairs[i].rho * product, pairs[i].s, pairs[i + 1].y)
  }
  const newest = pairs[count - 1]
  addInPlace(r, a[count - 1] - newest.rho * product, newest.s)
  return r
}
