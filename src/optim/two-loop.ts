import type { CurvatureMemory, MemoryLimits, Observation } from './memory'
import { absoluteMaximum, addInPlace, addInPlaceThenDot, dot, plus, times } from './vectors'

interface Pair {
  /** sₖ = xₖ₊₁ − xₖ */
  readonly s: Float64Array
  /** yₖ = ∇f(xₖ₊₁) − ∇f(xₖ) */
  readonly y: Float64Array
  /** ρₖ = 1 / yₖᵀsₖ */
  readonly rho: number
}

/** The curvature that L-BFGS has observed. */
export interface Pairs {
  /** Oldest first. */
  readonly pairs: readonly Pair[]
  /** γ of the initial inverse Hessian H₀ = γI: yᵀs / yᵀy of the newest pair, 1 before the first. */
  readonly scale: number
}

/** The plain memory: vectors as they came, in float64, and the two-loop recursion over them. */
export function twoLoop({ historySize, curvature: threshold }: MemoryLimits): CurvatureMemory<Pairs> {
  const observe = (known: Pairs, { length, direction, before }: Observation, gradient: Float64Array): Pairs => {
    const s = times(length, direction)
    const y = plus(gradient, -1, before)
    const ys = dot(y, s)
    if (!(ys > threshold)) return known
    const kept = known.pairs.length < historySize ? known.pairs : known.pairs.slice(1)
    return { pairs: [...kept, { s, y, rho: 1 / ys }], scale: ys / dot(y, y) }
  }
  return {
    empty: { pairs: [], scale: 1 },
    descend(known, newest, gradient) {
      const curvature = newest ? observe(known, newest, gradient) : known
      const direction = descentDirection(curvature, gradient)
      return { curvature, direction, slope: dot(gradient, direction), reach: absoluteMaximum(direction) }
    },
  }
}

/**
 * −H∇f by the two-loop recursion (Nocedal & Wright, Numerical Optimization, algorithm 7.4):
 *
 * q = −∇f; newest to oldest: aᵢ = ρᵢ sᵢᵀq, q ← q − aᵢyᵢ; r = γq; oldest to newest: r ← r + (aᵢ − ρᵢ yᵢᵀr) sᵢ.
 *
 * Each update is fused with the inner product that follows it, so that the vectors are read once instead of twice.
 */
function descentDirection({ pairs, scale }: Pairs, gradient: Float64Array): Float64Array {
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
