import type { Steps } from './steps'
import type { Values } from './values'
import { addTimes } from './vectors'

/** Rows of a matrix between two looks at the clock. */
const ROWS = 64

/** xᵀ M of M [rows, columns], row by row. */
export function* rowProduct(x: ArrayLike<number>, matrix: Values, columns: number): Steps<Float64Array> {
  const out = new Float64Array(columns)
  for (let i = 0; i < x.length; i++) {
    if (i % ROWS === ROWS - 1) yield
    addTimes(out, x[i], matrix, i * columns)
  }
  return out
}
