import { solvePositive } from '../../numbers/positive-definite'
import type { Steps } from '../../numbers/steps'
import { mapped } from '../../numbers/values'
import { inner, lengthOf } from '../../numbers/vectors'

/** Unknowns, with what they leave of the equations. */
export interface Point {
  readonly x: Float64Array
  readonly left: Float64Array
}

/** Steps at most, and those after which a search that hardly comes closer is given up. */
const ROUNDS = { most: 40, patient: 1 }

/** From here on the equations hold. */
const SOLVED = 1e-6

/** A step that leaves more than this part of the distance is small; a search that is still far off after a small step is given up. */
const HARDLY = 0.7
const FAR = 0.03

/** A step that leaves more than this part of the distance is the last one. */
const RESTS = 1 - 1e-6

/** Damping: at first, at least, and up to which it is raised where a step leads no closer. */
const DAMPING = { first: 1e-3, least: 1e-9, most: 1e6 }

/**
 * Least squares by Gauss and Newton's steps, damped as Levenberg and Marquardt do: (JᵀJ + λ diag JᵀJ) s = −Jᵀ r. A search that has no solution ahead
 * is given up early.
 *
 * @param at the point at some unknowns
 * @param jacobian columns of J: how what is left moves with each unknown
 */
export function* gaussNewton<P extends Point>(
  start: P,
  at: (x: Float64Array) => P,
  jacobian: (point: P) => Steps<Float64Array[]>,
): Steps<P> {
  let point = start
  let damping = DAMPING.first
  for (let round = 0; round < ROUNDS.most && lengthOf(point.left) > SOLVED; round++) {
    const columns = yield* jacobian(point)
    const gram = columns.map((a) => Float64Array.from(columns, (b) => inner(a, b)))
    const slope = Float64Array.from(columns, (a) => -inner(a, point.left))
    yield
    const before = lengthOf(point.left)
    let next: P | undefined
    for (; damping <= DAMPING.most && !next; damping *= 10) {
      const matrix = gram.map((row, i) => row.with(i, row[i] * (1 + damping)))
      const step = slope.slice()
      if (!(yield* solvePositive(matrix, [step]))) continue
      const tried = at(mapped(point.x, (v, i) => v + step[i]))
      if (lengthOf(tried.left) < before) next = tried
    }
    if (!next) break
    point = next
    // the loop raised it once more
    damping = Math.max(damping / 100, DAMPING.least)
    const part = lengthOf(point.left) / before
    if (part > RESTS || (part > HARDLY && lengthOf(point.left) > FAR && round >= ROUNDS.patient)) break
  }
  return point
}
