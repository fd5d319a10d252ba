import type { Steps } from '../../numbers/steps'
import type { Table } from '../tokens/token-set'

/** The last position of a sequence. */
export interface Ending {
  /** Weight of this sequence's loss in the loss of the batch. */
  readonly weight: number
  /** x̂: its features before scale and shift of the last layer norm. */
  readonly normalised: Float64Array
}

/** Rounds over the sequences, and one more for each of them; two or three are enough where most of them begin right. */
const ROUNDS = 10

/** Most sequences among which three exchange their tokens; two do among any number. */
const THREE = 32

/** An exchange counts where it leaves this part less: no less is rounding. */
const LESS = 1e-9

/**
 * The tokens y with −Σ_s w_s E_y = `rest[0]` and −Σ_s w_s E_y ⊙ x̂_s = `rest[1]`: what the gradients of the last layer
 * norm's shift and scale have left when everything but the last predictions is taken off. One sequence after the other
 * takes the token that leaves least; where none changes any more, two or three of them exchange theirs, until nothing leaves less.
 *
 * A norm without a shift has no `rest[0]`.
 *
 * @param likely where to begin
 */
export function* lastTokens(
  table: Table,
  endings: readonly Ending[],
  rest: readonly (Float64Array | undefined)[],
  likely: readonly number[],
): Steps<number[]> {
  const { data, width } = table
  const tokens = [...likely]
  const left = rest.map((values) => values?.slice())
  const put = (s: number, sign: number): void => {
    const { weight, normalised } = endings[s]
    for (let j = 0; j < width; j++) {
      const part = sign * weight * data[tokens[s] * width + j]
      if (left[0]) left[0][j] += part
      if (left[1]) left[1][j] += part * normalised[j]
    }
  }
  for (const s of endings.keys()) put(s, 1)
  for (let round = 0, changed = true; changed && round < ROUNDS + endings.length; round++) {
    changed = false
    for (const s of endings.keys()) {
      const before = tokens[s]
      put(s, -1)
      tokens[s] = leastLeft(table, endings[s], left)
      put(s, 1)
      changed ||= tokens[s] !== before
      yield
    }
    if (changed) continue
    const exchange = yield* bestExchange(table, endings, left, tokens)
    if (!exchange) break
    const moved = exchange.map((_, i) => tokens[exchange[(i + 1) % exchange.length]])
    for (const s of exchange) put(s, -1)
    for (const [i, s] of exchange.entries()) tokens[s] = moved[i]
    for (const s of exchange) put(s, 1)
    changed = true
  }
  return tokens
}

/** The v with the least ‖left₀ + w E_v‖² + ‖left₁ + w E_v ⊙ x̂‖². */
function leastLeft(
  { data, width }: Table,
  { weight, normalised }: Ending,
  [plain, scaled]: readonly (Float64Array | undefined)[],
): number {
  const linear = normalised.map((v, j) => 2 * weight * ((plain?.[j] ?? 0) + (scaled?.[j] ?? 0) * v))
  const square = normalised.map((v) => weight ** 2 * ((plain ? 1 : 0) + (scaled ? v * v : 0)))
  let [best, least] = [0, Infinity]
  for (let v = 0; v * width < data.length; v++) {
    let sum = 0
    for (let j = 0; j < width; j++) {
      const e = data[v * width + j]
      sum += e * (linear[j] + e * square[j])
    }
    if (sum < least) [best, least] = [v, sum]
  }
  return best
}

/** Sequences, each of which takes the token of the next one, and the last one that of the first, that leave least; undefined where none leave less. */
function* bestExchange(
  { data, width }: Table,
  endings: readonly Ending[],
  [plain, scaled]: readonly (Float64Array | undefined)[],
  tokens: readonly number[],
): Steps<readonly number[] | undefined> {
  const squares = (exchange: readonly number[]): number => {
    let sum = 0
    for (let j = 0; j < width; j++) {
      let [p, q] = [plain?.[j] ?? 0, scaled?.[j] ?? 0]
      for (const [i, s] of exchange.entries()) {
        const next = tokens[exchange[(i + 1) % exchange.length]]
        const part = endings[s].weight * (data[next * width + j] - data[tokens[s] * width + j])
        p += part
        q += part * endings[s].normalised[j]
      }
      if (plain) sum += p * p
      if (scaled) sum += q * q
    }
    return sum
  }
  let best: readonly number[] | undefined
  let least = (1 - LESS) * squares([])
  for (const exchange of exchanges(tokens)) {
    const sum = squares(exchange)
    if (sum < least) [best, least] = [exchange, sum]
    yield
  }
  return best
}

/** Two or three sequences with different tokens, three in both directions. */
function* exchanges(tokens: readonly number[]): Iterable<readonly number[]> {
  for (let a = 0; a < tokens.length; a++)
    for (let b = a + 1; b < tokens.length; b++) {
      if (tokens[a] === tokens[b]) continue
      yield [a, b]
      if (tokens.length > THREE) continue
      for (let c = b + 1; c < tokens.length; c++)
        if (tokens[c] !== tokens[a] && tokens[c] !== tokens[b])
          yield* [
            [a, b, c],
            [a, c, b],
          ]
    }
}
