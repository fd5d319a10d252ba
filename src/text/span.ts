import { random } from '../random'
import type { Values } from '../runtime/runtime'
import { solveTransposed, spanFactor } from './cholesky'
import type { DecodedToken, Table } from './tokens'

/** What the first block of an encoder reads: u(v, p) = LN(E_v + P_p + type) for token v at position p. */
export interface FirstInputs {
  readonly words: Table
  /** Position rows with the type's row added. */
  readonly positions: Table
  readonly gamma: Values
  readonly beta: Values
  readonly epsilon: number
}

/** Random directions a vector is tested in; more than enough to tell 1e5 tokens apart. */
const SKETCH = 48

/**
 * Which token stands at each position, in closed form, while a sentence has fewer tokens than the encoder is wide
 * (Petrov et al. 2024, DAGER).
 *
 * The gradient of a matrix W of the first block, y = W u, is Σ_t ∂y_t u_tᵀ: its rows span exactly the inputs u_t. A token
 * v is at position p when u(v, p) lies in that span, which is tested for all of them. Where only the first token is read
 * and there is one block, the gradients have a rank of about twice the heads, and longer sentences do not show.
 *
 * @param gradients of the query, key and value matrices of the first block, [hidden, hidden]
 */
export function spanTokens(
  inputs: FirstInputs,
  gradients: readonly Values[],
  tokens: number,
  allowed?: readonly number[],
): DecodedToken[] {
  const { words, positions, gamma, beta, epsilon } = inputs
  const { width } = words
  const tests = outsideSpan(gradients, width)
  // A u = A(γ (s − mean s)) / σ + A β with s = E_v + P_p: linear in both but for σ
  const scaled = centred(tests, gamma, width)
  const candidates = allowed ?? Array.from({ length: words.data.length / width }, (_, v) => v)
  const wordParts = candidates.map((v) => part(scaled, row(words, v)))
  const constant = multiply(tests, Float64Array.from(beta))
  return Array.from({ length: tokens }, (_, p) => {
    const position = row(positions, p)
    const positionPart = part(scaled, position)
    let [best, residual, runnerUp] = [candidates[0], Infinity, Infinity]
    candidates.forEach((v, i) => {
      const deviation = Math.sqrt(variance(row(words, v), position) + epsilon)
      let sum = 0
      for (let k = 0; k < SKETCH; k++) sum += ((wordParts[i][k] + positionPart[k]) / deviation + constant[k]) ** 2
      if (sum < residual) [best, residual, runnerUp] = [v, sum, residual]
      else if (sum < runnerUp) runnerUp = sum
    })
    return { token: best, similarity: 1 - Math.sqrt(residual / width), runnerUp: 1 - Math.sqrt(runnerUp / width) }
  })
}

/**
 * Random directions A [SKETCH, width] with ‖A u‖² ≈ λ uᵀ(G + λ)⁻¹u, G = Σ WᵀW: ‖u‖² outside the span of the rows, and
 * nearly 0 inside, without deciding on a rank.
 */
function outsideSpan(gradients: readonly Values[], width: number): Float64Array[] {
  const { factor, lambda } = spanFactor(gradients, width)
  const { normal } = random(0, 0x7370616e)
  return Array.from({ length: SKETCH }, () => {
    const direction = Float64Array.from({ length: width }, () => normal() * Math.sqrt(lambda / SKETCH))
    return solveTransposed(factor, direction)
  })
}

const row = ({ data, width }: Table, i: number): Values => data.subarray(i * width, (i + 1) * width)

/** The rows times γ, and with that their mean taken off: what they make of a vector is that of the centred vector. */
function centred(rows: readonly Float64Array[], gamma: Values, width: number): Float64Array[] {
  return rows.map((values) => {
    const out = values.map((v, j) => v * gamma[j])
    const mean = out.reduce((a, b) => a + b, 0) / width
    return out.map((v) => v - mean)
  })
}

const part = (rows: readonly Float64Array[], x: Values): Float64Array => multiply(rows, x)

function multiply(rows: readonly Float64Array[], x: Values): Float64Array {
  return Float64Array.from(rows, (values) => {
    let sum = 0
    for (let j = 0; j < x.length; j++) sum += values[j] * x[j]
    return sum
  })
}

function variance(a: Values, b: Values): number {
  let [sum, squares] = [0, 0]
  for (let j = 0; j < a.length; j++) {
    const v = a[j] + b[j]
    sum += v
    squares += v * v
  }
  return squares / a.length - (sum / a.length) ** 2
}
