import type { TracedGradient } from '../../../client/model/gradient'
import * as g from '../../../graph'
import { largest } from '../../../numbers/norms'
import { squaredNorm, type Values } from '../../../numbers/values'

/** Name of the parameter that multiplies the client's gradient. */
export const MAGNITUDE = 'magnitude'

/** Largest numbers of a gradient, as powers of two, whose squares and sums of squares float32 holds. */
const [SMALLEST, GREATEST] = [-20, 20]
/** The greatest power of two that float32 holds. */
const MOST = 127

/**
 * The power of two that brings the largest number of a gradient between ½ and 1; 1 where it is of ordinary size.
 *
 * A sure model has a gradient of 1e-20, whose square is zero in float32: every data would match it. Gradients are compared times
 * this factor. It changes no digit, and no distance: what was shared is multiplied in float64, the client's gradient on the graph.
 */
export function magnitudeOf(gradients: readonly Values[]): number {
  // the largest lies between their root mean square and their norm
  const [norm, count] = [Math.sqrt(squaredNorm(gradients)), gradients.reduce((n, { length }) => n + length, 0)]
  if (norm / Math.sqrt(count) >= 2 ** SMALLEST && norm < 2 ** GREATEST) return 1
  const most = gradients.reduce((all, values) => Math.max(all, largest(values)), 0)
  const exponent = Math.floor(Math.log2(most)) + 1
  if (most === 0 || (exponent >= SMALLEST && exponent <= GREATEST)) return 1
  return 2 ** Math.min(Math.max(-exponent, -MOST), MOST)
}

/** The client's gradient times the magnitude. */
export function magnified<T extends TracedGradient>(traced: T, magnitude: number): T {
  if (magnitude === 1) return traced
  const factor = g.parameter(traced.graph, MAGNITUDE, [])
  return { ...traced, gradients: traced.gradients.map((n) => g.mul(n, factor)) }
}
