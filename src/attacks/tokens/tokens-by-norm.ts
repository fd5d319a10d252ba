import { number } from '../../errors/checks'
import { normalOfMost } from '../../numbers/median'
import { atOnce, type Steps } from '../../numbers/steps'
import { requireTable, rowNormSteps, type Table } from './token-set'

/** Tokens of a batch, told by the size of their rows. */
export interface TokensByNorm {
  readonly tokens: number[]
  /** The least norm that counts. */
  readonly threshold: number
  /** How many tokens that are not in the batch are expected among them, were log norms normal. */
  readonly expectedStrangers: number
}

/**
 * Tokens of a batch, read and predicted, where the table is the output matrix of a language model too and every row has a
 * gradient: those whose row is an outlier in log norm.
 *
 * A token v that is not in the batch has the row Σ_t p_tv h_t, small as its probability; one that is read or predicted
 * has a term of order 1. Log norms of strangers are taken as normal around their median, with the spread of their
 * median absolute deviation. Where a gradient of an output bias was shared, `tiedTokenSet` is the sharper tool.
 *
 * A table most of whose rows are zero is not tied, and its tokens are the rows that are not: no strangers are expected.
 *
 * @param expectedStrangers how many strangers may be expected among the tokens. Default 0.01.
 * @throws DlgError `invalid-gradients` for a table without whole rows, `invalid-option` for a number that is not above 0
 */
export const tokensByNorm = (embeddingGradient: Table, expectedStrangers = 0.01): TokensByNorm =>
  atOnce(tokensByNormSteps(embeddingGradient, expectedStrangers))

/** {@link tokensByNorm} in steps. @throws DlgError as it */
export function* tokensByNormSteps(embeddingGradient: Table, expectedStrangers = 0.01): Steps<TokensByNorm> {
  requireTable('embeddingGradient', embeddingGradient)
  number('expectedStrangers', expectedStrangers, (v) => v > 0 && v < Infinity, 'a number above 0')
  const logs = (yield* rowNormSteps(embeddingGradient)).map(Math.log)
  const finite = logs.filter(Number.isFinite)
  if (finite.length === 0) return { tokens: [], threshold: Infinity, expectedStrangers: 0 }
  if (finite.length < logs.length / 2) {
    const tokens = [...logs.keys()].filter((id) => Number.isFinite(logs[id]))
    return { tokens, threshold: Math.exp(finite.reduce((a, b) => Math.min(a, b))), expectedStrangers: 0 }
  }
  const { centre, spread } = normalOfMost(finite)
  const least = centre + spread * upperQuantile(expectedStrangers / finite.length)
  const tokens = [...logs.keys()].filter((id) => logs[id] > least)
  return { tokens, threshold: Math.exp(least), expectedStrangers }
}

/** z with 1 − Φ(z) = p, for p up to 1/2, by bisection. */
function upperQuantile(p: number): number {
  let [low, high] = [0, 40]
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2
    if (upperTail(middle) > p) low = middle
    else high = middle
  }
  return low
}

/** 1 − Φ(z) for z ≥ 0: a series near 0, a continued fraction beyond (Abramowitz and Stegun 26.2.11 and 26.2.14). */
function upperTail(z: number): number {
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)
  if (z < 2) {
    // Φ(z) − 1/2 = φ(z) Σ z^(2k+1) / (1·3·5…(2k+1))
    let [term, sum] = [z, z]
    for (let k = 1; k < 60; k++) {
      term *= (z * z) / (2 * k + 1)
      sum += term
    }
    return 0.5 - density * sum
  }
  // φ(z) / (z + 1/(z + 2/(z + 3/(z + …))))
  let fraction = z
  for (let k = 60; k >= 1; k--) fraction = z + k / fraction
  return density / fraction
}
