import type { Table } from '../tokens/token-set'

/** The last position of a sequence. */
export interface Ending {
  /** Weight of this sequence's loss in the loss of the batch. */
  readonly weight: number
  /** x̂: its features before scale and shift of the last layer norm. */
  readonly normalised: Float64Array
}

/** Rounds over the sequences; two or three were enough. */
const ROUNDS = 10

/**
 * The tokens y with −Σ_s w_s E_y = `rest[0]` and −Σ_s w_s E_y ⊙ x̂_s = `rest[1]`: what the gradients of the last layer
 * norm's shift and scale have left when everything but the last predictions is taken off. One sequence after the other
 * takes the token that leaves least, until none changes.
 *
 * A norm without a shift has no `rest[0]`.
 *
 * @param likely where to begin
 */
export function lastTokens(
  table: Table,
  endings: readonly Ending[],
  rest: readonly (Float64Array | undefined)[],
  likely: readonly number[],
): number[] {
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
  for (let round = 0, changed = true; changed && round < ROUNDS; round++) {
    changed = false
    for (const s of endings.keys()) {
      const before = tokens[s]
      put(s, -1)
      tokens[s] = leastLeft(table, endings[s], left)
      put(s, 1)
      changed ||= tokens[s] !== before
    }
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
