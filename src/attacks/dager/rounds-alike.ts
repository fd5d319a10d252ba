import { storageNorm } from '../../client/shared/rounding'
import type { Steps } from '../../numbers/steps'
import { halfStep, type SharedTensor } from './floor'
import type { Expected } from './noise-law'
import type { Left } from './plain-noise'

/** Part of the numbers that must be the shared ones after rounding to the type: of a tensor, and of each of its rows. */
const ALIKE = { tensor: 0.998, row: 0.9 }

/** Float32 computes a number of a tensor to this part of the tensor's root mean square. */
const COMPUTED = 1e-5

/** ‖difference‖² may be this many times what rounding leaves on average. */
const ROOM = 4

/**
 * Whether the recomputed numbers become the shared ones when they are stored: nearly all of those that have a gradient or were shared
 * as other than zero, and most of each row. The few others must not be far off.
 */
export function* roundsAlike(
  { values, stored }: SharedTensor,
  { difference, own, shape }: Left,
  { computed, negligible }: Expected,
): Steps<boolean> {
  const columns = Math.max(1, shape[shape.length - 1] ?? 1)
  let square = 0
  for (let i = 0; i < values.length; i++) square += values[i] ** 2
  const slack = Math.sqrt((COMPUTED ** 2 * square + computed) / Math.max(1, values.length))
  let [alike, count, left] = [0, 0, 0]
  for (let from = 0; from < values.length; from += columns) {
    let [inRow, there] = [0, 0]
    for (let i = from; i < from + columns; i++) {
      if (own[i] === 0 && values[i] === 0) continue
      there++
      left += difference[i] ** 2
      if (Math.abs(difference[i]) <= 1.01 * halfStep(values[i], stored) + slack) inRow++
    }
    if (inRow < Math.min(ALIKE.row * there, there - 1)) return false
    alike += inRow
    count += there
    yield
  }
  return alike >= ALIKE.tensor * count && left <= ROOM * (storageNorm(values, stored) + negligible)
}
