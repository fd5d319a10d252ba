import { idList, number, numberList, requireObject, show } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import type { Values } from '../../runtime/runtime'
import { type DecodedToken, requireTable, type Table } from '../tokens/token-set'
import { directions, outside, type Span, spanOf } from './span'

/** The parts of the first block's input: u(v, p) = LN(E_v + P_p) for token v at position p. */
export interface FirstInputs {
  readonly words: Table
  /** Position rows, with the type's row added where there are types. */
  readonly positions: Table
  readonly gamma: Values
  readonly beta: Values
  readonly epsilon: number
}

/** A token that may stand at a position. */
export interface Candidate {
  readonly token: number
  readonly position: number
  /** Relative length of what the span does not explain of its u: 0 inside, about 1 for a stranger. */
  readonly outside: number
}

/** Random directions a vector is tested in; more than enough to tell 1e5 tokens apart. */
const SKETCH = 48

/** Length outside in the sketch up to which a token is looked at again; the sketch is right to a tenth (χ² of SKETCH). */
const WORTH_A_LOOK = 0.2

/**
 * Which token stands at each position, in closed form, while a sentence has fewer tokens than the encoder is wide
 * (Petrov et al. 2024, DAGER).
 *
 * The gradient of a matrix W of the first block, y = W u, is Σ_t ∂y_t u_tᵀ: its rows span exactly the inputs u_t. A token
 * v is at position p when u(v, p) lies in that span, which is tested for all of them. Where only the first token is read
 * and there is one block, the gradients have a rank of about twice the heads, and longer sentences do not show.
 *
 * @param gradients of the query, key and value matrices of the first block, [hidden, hidden]
 * @param tokens how many the sentence has, as `sequenceLength` says
 * @param allowed ids of the tokens that may stand there; default all of the table
 * @throws DlgError `invalid-data` for tables or tokens that do not fit, `invalid-gradients`
 */
export function spanTokens(
  inputs: FirstInputs,
  gradients: readonly Values[],
  tokens: number,
  allowed?: readonly number[],
): DecodedToken[] {
  checkInputs(inputs, gradients, tokens, allowed)
  const { width } = inputs.words
  return scan(inputs, spanOf(gradients, width), tokens, allowed).map(({ ids, residuals }) => {
    let [best, residual, runnerUp] = [ids[0], Infinity, Infinity]
    residuals.forEach((r, i) => {
      if (r < residual) [best, residual, runnerUp] = [ids[i], r, residual]
      else if (r < runnerUp) runnerUp = r
    })
    return { token: best, similarity: 1 - Math.sqrt(residual / width), runnerUp: 1 - Math.sqrt(runnerUp / width) }
  })
}

const isEpsilon = (epsilon: number): boolean => typeof epsilon === 'number' && epsilon >= 0

/** @throws DlgError */
function checkInputs(
  inputs: FirstInputs,
  gradients: readonly Values[],
  tokens: number,
  allowed: readonly number[] | undefined,
): void {
  requireObject('inputs', inputs, '{words, positions, gamma, beta, epsilon}')
  requireTable('inputs.words', inputs.words, 'invalid-data')
  requireTable('inputs.positions', inputs.positions, 'invalid-data')
  numberList('inputs.gamma', inputs.gamma)
  numberList('inputs.beta', inputs.beta)
  const { words, positions, gamma, beta, epsilon } = inputs
  const { width } = words
  if (positions.width !== width || gamma.length !== width || beta.length !== width || !isEpsilon(epsilon))
    throw new DlgError(
      'invalid-data',
      `words have rows of ${width}, positions of ${positions.width}, gamma ${gamma.length} and beta ${beta.length} numbers, epsilon is ${show(epsilon)}; all must be of one width, and epsilon at least 0`,
    )
  if (!Array.isArray(gradients) || gradients.length === 0)
    throw new DlgError(
      'invalid-gradients',
      `gradients is ${show(gradients)}; it must be a list of matrices of rows of ${width}`,
    )
  for (const [i, gradient] of gradients.entries()) requireTable(`gradient ${i}`, { data: gradient, width })
  const most = positions.data.length / width
  number(
    'tokens',
    tokens,
    (n) => Number.isInteger(n) && n >= 1 && n <= most,
    `a whole number from 1 to ${most}, the positions there are`,
  )
  if (allowed === undefined) return
  idList('allowed', allowed)
  const known = words.data.length / width
  if (allowed.length === 0 || allowed.some((id) => id >= known))
    throw new DlgError('invalid-data', `allowed must be one token at least, and each one of the ${known} of the table`)
}

/**
 * All tokens whose input lies in the span, by position and the best first: those of every sentence of a batch.
 *
 * @param tolerance most of u that may lie outside
 */
export function spanCandidates(
  inputs: FirstInputs,
  span: Span,
  tokens: number,
  tolerance: number,
  allowed?: readonly number[],
): Candidate[][] {
  return scan(inputs, span, tokens, allowed).map(({ ids, residuals, squares }, position) => {
    const near = ids.filter((_, i) => residuals[i] < WORTH_A_LOOK ** 2 * squares[i])
    return near
      .map((token) => ({ token, position, outside: outside(span, firstInput(inputs, token, position)) }))
      .filter((candidate) => candidate.outside <= tolerance)
      .sort((a, b) => a.outside - b.outside)
  })
}

/** u(v, p) = LN(E_v + P_p), in float64. */
function firstInput({ words, positions, gamma, beta, epsilon }: FirstInputs, token: number, at: number): Float64Array {
  const place = row(positions, at)
  const sum = Float64Array.from(row(words, token) as ArrayLike<number>, (v, j) => v + place[j])
  const mean = sum.reduce((a, b) => a + b, 0) / sum.length
  const deviation = Math.sqrt(sum.reduce((a, b) => a + (b - mean) ** 2, 0) / sum.length + epsilon)
  return sum.map((v, j) => ((v - mean) / deviation) * gamma[j] + beta[j])
}

/** Tested tokens of a position, with ‖u outside the span‖² estimated for each, and ‖u‖² up to the part of β. */
interface Scan {
  readonly ids: readonly number[]
  readonly residuals: Float64Array
  readonly squares: Float64Array
}

function scan(inputs: FirstInputs, span: Span, tokens: number, allowed?: readonly number[]): Scan[] {
  const { words, positions, gamma, beta, epsilon } = inputs
  const { width } = words
  const tests = directions(span, SKETCH)
  // A u = A(γ (s − mean s)) / σ + A β with s = E_v + P_p: linear in both but for σ
  const scaled = centred(tests, gamma, width)
  const ids = allowed ?? Array.from({ length: words.data.length / width }, (_, v) => v)
  const wordParts = ids.map((v) => multiply(scaled, row(words, v)))
  const constant = multiply(tests, Float64Array.from(beta))
  const size = meanSquare(gamma) * width
  return Array.from({ length: tokens }, (_, p) => {
    const position = row(positions, p)
    const positionPart = multiply(scaled, position)
    const squares = new Float64Array(ids.length)
    const residuals = Float64Array.from(ids, (v, i) => {
      const spread = variance(row(words, v), position)
      const deviation = Math.sqrt(spread + epsilon)
      squares[i] = (size * spread) / (spread + epsilon)
      let sum = 0
      for (let k = 0; k < SKETCH; k++) sum += ((wordParts[i][k] + positionPart[k]) / deviation + constant[k]) ** 2
      return sum
    })
    return { ids, residuals, squares }
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

function multiply(rows: readonly Float64Array[], x: Values): Float64Array {
  return Float64Array.from(rows, (values) => {
    let sum = 0
    for (let j = 0; j < x.length; j++) sum += values[j] * x[j]
    return sum
  })
}

function meanSquare(values: Values): number {
  let sum = 0
  for (let j = 0; j < values.length; j++) sum += values[j] ** 2
  return sum / values.length
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
