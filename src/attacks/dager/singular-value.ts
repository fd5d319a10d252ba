import type { Steps } from '../../numbers/steps'
import { squaredNorm } from '../../numbers/values'

/** The largest singular value of a matrix, by power iteration: a lower bound that is near after a few rounds. */
export function* largestSingularValue(values: Float64Array, rows: number, columns: number): Steps<number> {
  let right = Float64Array.from({ length: columns }, (_, j) => 1 + ((j * 7919) % 13) / 13)
  let found = 0
  for (let round = 0; round < 12; round++) {
    yield
    const left = new Float64Array(rows)
    const next = new Float64Array(columns)
    for (let i = 0; i < rows; i++) {
      let sum = 0
      for (let j = 0; j < columns; j++) sum += values[i * columns + j] * right[j]
      left[i] = sum
      for (let j = 0; j < columns; j++) next[j] += sum * values[i * columns + j]
    }
    const [before, after, middle] = [squaredNorm([right]), squaredNorm([next]), squaredNorm([left])]
    if (middle === 0 || after === 0) return found
    found = Math.max(found, Math.sqrt(middle / before))
    const scale = 1 / Math.sqrt(after)
    right = next.map((v) => v * scale)
  }
  return found
}
