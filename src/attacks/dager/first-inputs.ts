import { idList, number, numberList, requireObject, show } from '../../errors/checks'
import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import { normalOfMost } from '../../numbers/median'
import { atOnce, type Steps } from '../../numbers/steps'
import type { Values } from '../../runtime/runtime'
import { type DecodedToken, requireTable, type Table } from '../tokens/token-set'
import { centred, dotAt, row, scaledBy } from './linear-input'
import { noisySpectrum, ranksOf } from './ranks'
import { directions, multiply, type Outside, outside, type Span, spanOf } from './span'

/** The parts of the first block's input: u(v, p) = LN(E_v + P_p) for token v at position p; LLaMA's is RMS(E_v) at any position. */
export interface FirstInputs {
  readonly words: Table
  /** Position rows, with the type's row added where there are types; undefined where positions do not enter the input (RoPE). */
  readonly positions?: Table
  readonly gamma: Values
  readonly beta: Values
  readonly epsilon: number
  /** The norm: `layer` takes the mean off (default), `rms` does not. */
  readonly norm?: 'layer' | 'rms'
}

/** A token that may stand at a position. */
export interface Candidate extends Outside {
  readonly token: number
  readonly position: number
}

/**
 * Random directions a vector is tested in; more than enough to tell 1e5 tokens apart. Fewer do where a right token is nearly all inside: of a
 * stranger 12 directions show less than a fifth of its length outside once in 1e9.
 */
const SKETCH = { noisy: 48, clean: 12 }

/** A span by which no more of a right token than this may lie outside is clean. */
const CLEAN = 0.02

/** Length outside in the sketch up to which a token is looked at again. */
const WORTH_A_LOOK = 0.2

/** How far the sketch may be off: it is right to a tenth (χ² of 48). */
const ESTIMATE = 1.4

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
  return atOnce(spanTokenSteps(inputs, gradients, tokens, allowed))
}

/** Like {@link spanTokens}, in small parts. */
export function* spanTokenSteps(
  inputs: FirstInputs,
  gradients: readonly Values[],
  tokens: number,
  allowed?: readonly number[],
): Steps<DecodedToken[]> {
  checkInputs(inputs, gradients, tokens, allowed)
  const { width } = inputs.words
  const spectrum = yield* noisySpectrum(gradients, width)
  const [rank = width - 1] = ranksOf(spectrum, 1).likely
  return (yield* scan(inputs, spanOf(spectrum, rank), tokens, allowed)).map(({ ids, residuals }) => {
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
  const { positions } = inputs
  if (positions === undefined)
    throw new DlgError(
      'invalid-data',
      'inputs.positions is undefined; it must be a table, or nothing tells where a token stands',
    )
  requireTable('inputs.positions', positions, 'invalid-data')
  numberList('inputs.gamma', inputs.gamma)
  numberList('inputs.beta', inputs.beta)
  const { words, gamma, beta, epsilon } = inputs
  const { width } = words
  if (positions.width !== width || gamma.length !== width || beta.length !== width || !isEpsilon(epsilon))
    throw new DlgError(
      'invalid-data',
      `words have rows of ${width}, positions of ${positions.width}, gamma ${gamma.length} and beta ${countOf(beta.length, 'number')}, epsilon is ${show(epsilon)}; all must be of one width, and epsilon at least 0`,
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
 * All tokens whose input lies in the span, by position and the best first: those of every sentence of a batch. It ends before
 * the first position that has none.
 *
 * A token counts when no more of its u lies outside than the noise of the span explains, and when it is an outlier among all
 * tokens of its position: z below −5 in the logarithm of the distance (as Petrov et al. 2024 on noise, who take log-odds of exact distances).
 *
 * Where positions do not enter the input, there is one list, of all positions together.
 *
 * @param tokens positions there are at most
 * @param tolerance most of u that may lie outside where there is no noise
 */
export function* spanCandidates(
  inputs: FirstInputs,
  span: Span,
  tokens: number,
  tolerance: number,
  allowed?: readonly number[],
): Steps<Candidate[][]> {
  const found: Candidate[][] = []
  const clean = tolerance * (span.tight ?? 1)
  const noisiest = LOOSE * Math.sqrt(Math.max(0, ...span.parts.flatMap(({ turned }) => [...turned])))
  const isClean = Math.max(clean, noisiest) <= CLEAN
  const at = yield* scanner(inputs, span, isClean ? SKETCH.clean : SKETCH.noisy, allowed)
  for (let position = 0; position < (inputs.positions ? tokens : 1); position++) {
    const { ids, residuals, squares } = at(position)
    yield
    const rough = residuals.map((r, i) => Math.sqrt(r / Math.max(squares[i], Number.MIN_VALUE)))
    const strangers = outlierBound(rough)
    const near: Candidate[] = []
    for (const [i, token] of ids.entries()) {
      if (rough[i] > Math.max(WORTH_A_LOOK, ESTIMATE * Math.min(strangers, noisiest))) continue
      const tested = outside(span, firstInput(inputs, token, position))
      if (tested.far <= Math.min(strangers, allowance(tested, clean))) near.push({ token, position, ...tested })
      yield
    }
    if (near.length === 0) break
    found.push(near.sort((a, b) => a.far - b.far))
  }
  return found
}

/** How many times the expected length a vector inside a span may lie outside: that length varies little, and is estimated. */
const LOOSE = 3

/** The most of a vector that may lie outside for it to count as inside. */
export const allowance = ({ expected }: Outside, tolerance: number): number => Math.max(tolerance, LOOSE * expected)

/** Standard deviations from the mean beyond which a token is none of the strangers. */
const OUTLIER = 5

/** Fewer tokens than this say little of strangers. */
const POPULATION = 50

/**
 * The distance below which a token is an outlier of all tokens' log d, by median and median deviation. In a sketch of few directions the
 * distances of strangers spread around 1, and half of them lie above it.
 */
function outlierBound(distances: Float64Array): number {
  if (distances.length < POPULATION) return 1
  const { centre, spread } = normalOfMost(distances.map((d) => Math.log(Math.max(d, 1e-12))))
  return Math.exp(centre - OUTLIER * spread)
}

/** u(v, p) = LN(E_v + P_p), in float64. */
export function firstInput(
  { words, positions, gamma, beta, epsilon, norm }: FirstInputs,
  token: number,
  at: number,
): Float64Array {
  const place = positions && row(positions, at)
  const sum = Float64Array.from(row(words, token) as ArrayLike<number>, (v, j) => v + (place?.[j] ?? 0))
  const mean = norm === 'rms' ? 0 : sum.reduce((a, b) => a + b, 0) / sum.length
  const deviation = Math.sqrt(sum.reduce((a, b) => a + (b - mean) ** 2, 0) / sum.length + epsilon)
  return sum.map((v, j) => ((v - mean) / deviation) * gamma[j] + beta[j])
}

/** Tested tokens of a position, with ‖u outside the span‖² estimated for each, and ‖u‖² up to the part of β. */
interface Scan {
  readonly ids: readonly number[]
  readonly residuals: Float64Array
  readonly squares: Float64Array
}

/** Distances of all tokens at the first positions. */
function* scan(inputs: FirstInputs, span: Span, tokens: number, allowed?: readonly number[]): Steps<Scan[]> {
  const at = yield* scanner(inputs, span, SKETCH.noisy, allowed)
  const found: Scan[] = []
  for (let position = 0; position < tokens; position++) {
    found.push(at(position))
    yield
  }
  return found
}

/** Prepares what does not depend on the position. @returns the distances of all tokens at a position */
function* scanner(
  { words, positions, gamma, beta, epsilon, norm }: FirstInputs,
  span: Span,
  sketch: number,
  allowed?: readonly number[],
): Steps<(position: number) => Scan> {
  const { width } = words
  const tests = directions(span, sketch)
  // A u = A(γ (s − mean s)) / σ + A β with s = E_v + P_p: linear in both but for σ
  const scaled = norm === 'rms' ? scaledBy(tests, gamma) : centred(tests, gamma, width)
  const ids = allowed ?? Array.from({ length: words.data.length / width }, (_, v) => v)
  const wordParts = new Float64Array(ids.length * sketch)
  const [sums, wordSquares] = [new Float64Array(ids.length), new Float64Array(ids.length)]
  const ones = new Float64Array(width).fill(1)
  for (const [i, v] of ids.entries()) {
    const word = Float64Array.from(row(words, v) as ArrayLike<number>)
    for (let k = 0; k < sketch; k++) wordParts[i * sketch + k] = dotAt(scaled[k], word, 0)
    sums[i] = dotAt(ones, word, 0)
    wordSquares[i] = dotAt(word, word, 0)
    if (i % 16 === 15) yield
  }
  const constant = multiply(tests, Float64Array.from(beta))
  // each part of a span sees all of u
  const size = meanSquare(gamma) * width * span.parts.length
  const place = new Float64Array(width)
  return (p) => {
    if (positions) place.set(row(positions, p))
    const placeParts = multiply(scaled, place)
    const placeSum = place.reduce((a, b) => a + b, 0)
    const placeSquare = dotAt(place, place, 0)
    const squares = new Float64Array(ids.length)
    const residuals = new Float64Array(ids.length)
    for (let i = 0; i < ids.length; i++) {
      // mean s² = (‖E‖² + 2 ⟨E, P⟩ + ‖P‖²) / width
      const crossed = positions ? dotAt(place, words.data, ids[i] * width) : 0
      const mean = norm === 'rms' ? 0 : (sums[i] + placeSum) / width
      const spread = Math.max(0, (wordSquares[i] + 2 * crossed + placeSquare) / width - mean ** 2)
      const deviation = Math.sqrt(spread + epsilon)
      squares[i] = (size * spread) / (spread + epsilon)
      let sum = 0
      for (let k = 0, at = i * sketch; k < sketch; k++, at++)
        sum += ((wordParts[at] + placeParts[k]) / deviation + constant[k]) ** 2
      residuals[i] = sum
    }
    return { ids, residuals, squares }
  }
}

function meanSquare(values: Values): number {
  let sum = 0
  for (let j = 0; j < values.length; j++) sum += values[j] ** 2
  return sum / values.length
}
