import type { Values } from '../../numbers/values'
import type { DenseGradient } from '../dense/dense-gradient'

/** Standard deviations of z within which its sign says nothing. */
export const UNSURE = 6

/** Part of ‖x̃‖ ‖w̃‖ by which z is moved beyond 0, so that float32 does not round it back. */
const BEYOND = 1e-6

/** Rounds over all units: a row that one unit moves may be on the wrong side of another. */
const ROUNDS = 4

/**
 * Moves rows, by as little as it takes, where z of a unit may have either sign within the noise, to the side that ∂z shows: on where ∂z is not 0. On the wrong side
 * the whole ∂z of the unit would be missing in the gradient that is recomputed, which is much more than noise.
 *
 * @param rows [batch, in]
 * @param felt ∂z, [batch, units]
 * @param deviations of the numbers of each row
 * @returns undefined where every z has its side
 */
export function masked(
  rows: Float64Array,
  felt: Values,
  { weight, bias }: DenseGradient,
  deviations: readonly number[],
): Float64Array | undefined {
  const units = bias.length
  const width = weight.length / units
  const out = rows.slice()
  let changed = false
  for (const [s, deviation] of deviations.entries()) {
    const row = out.subarray(s * width, (s + 1) * width)
    for (let round = 0; round < ROUNDS; round++) {
      let moved = false
      for (let j = 0; j < units; j++) {
        let [z, squares, length] = [bias[j], 0, 1]
        for (let i = 0; i < width; i++) {
          const w = weight[i * units + j]
          z += w * row[i]
          squares += w * w
          length += row[i] * row[i]
        }
        const on = felt[s * units + j] !== 0
        const size = Math.sqrt(squares + bias[j] ** 2)
        if (z > 0 === on || squares === 0 || !(Math.abs(z) <= UNSURE * deviation * size)) continue
        const beyond = BEYOND * Math.sqrt(length) * size
        const step = ((on ? beyond : -beyond) - z) / squares
        for (let i = 0; i < width; i++) row[i] += step * weight[i * units + j]
        moved = true
      }
      if (!moved) break
      changed = true
    }
  }
  return changed ? out : undefined
}
