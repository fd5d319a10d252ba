import { solvePositive } from '../../numbers/positive-definite'
import type { Steps } from '../../numbers/steps'
import { inner } from '../../numbers/vectors'
import type { Projection } from './seen'

/** What the loss sends back to each candidate through one projection, ∂y_t: a vector by candidate. */
export type Signals = readonly Float64Array[]

/** A projection with its signals. */
export interface Heard {
  readonly projection: Projection
  readonly signals: Signals
}

/** Added to the diagonal of the normal equations, beside its mean: strangers may make the inputs dependent. */
const RIDGE = 1e-9

/**
 * Least squares for the ∂y_t in the gradient Σ_t ∂y_t u_tᵀ of each projection. The inputs u_t of the first block are known exactly
 * once the tokens are, whatever noise the gradient has, so noise stays as small in ∂y_t as it is in the gradient.
 *
 * @param inputs u of each candidate
 * @returns the projections whose signals are not zero
 */
export function* signalsOf(projections: readonly Projection[], inputs: readonly Float64Array[]): Steps<Heard[]> {
  const out: Heard[] = []
  for (const projection of projections) {
    const { values, through } = projection
    const read = through
      ? inputs.map((u) =>
          Float64Array.from({ length: through.data.length / u.length }, (_, r) => productAt(through.data, r, u)),
        )
      : inputs
    const [{ length: width }] = read
    const gram: Float64Array[] = []
    for (const a of read) {
      gram.push(Float64Array.from(read, (b) => inner(a, b)))
      yield
    }
    const mean = gram.reduce((sum, row, i) => sum + row[i], 0) / gram.length
    for (const [i, row] of gram.entries()) row[i] += RIDGE * mean
    const right: Float64Array[] = []
    for (let r = 0; r < values.length / width; r++) {
      right.push(Float64Array.from(read, (u) => productAt(values, r, u)))
      yield
    }
    if (!(yield* solvePositive(gram, right))) continue
    const signals = inputs.map((_, i) => Float64Array.from(right, (row) => row[i]))
    if (signals.some((signal) => signal.some((v) => v !== 0))) out.push({ projection, signals })
  }
  return out
}

/** ⟨row r of a table, u⟩ */
function productAt(data: Projection['values'], r: number, u: Float64Array): number {
  let sum = 0
  for (let j = 0; j < u.length; j++) sum += data[r * u.length + j] * u[j]
  return sum
}
