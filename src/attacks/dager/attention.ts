import type { Steps } from '../../numbers/steps'
import { mapped } from '../../numbers/values'

import type { BlockNumbers, DenseNumbers } from './transformer'

/** The attention of the first block among candidates, in float64. */
export interface Attention {
  /** Numbers of a head. */
  readonly size: number
  readonly heads: number
  /** v of each candidate. */
  readonly values: readonly Float64Array[]
  /** By head: exp(q · k / √size) of a candidate that asks and of each candidate, up to a factor of the head. */
  weights(asking: number): Float64Array[]
  /** Σ a_i v_i: what a candidate takes where there is the share x_i of each candidate, a_i in proportion to x_i exp(q · k_i / √size). */
  context(asking: number, shares: Float64Array): Float64Array
}

/** @param inputs u of each candidate */
export function* attentionAmong(block: BlockNumbers, inputs: readonly Float64Array[]): Steps<Attention> {
  const { heads } = block
  const size = inputs[0].length / heads
  const [queries, keys, values] = [[], [], []] as Float64Array[][]
  for (const u of inputs) {
    queries.push(applied(block.query, u))
    keys.push(applied(block.key, u))
    values.push(applied(block.value, u))
    yield
  }
  const weights = (asking: number): Float64Array[] =>
    Array.from({ length: heads }, (_, h) => {
      const at = h * size
      const query = queries[asking]
      const scores = new Float64Array(keys.length)
      let most = -Infinity
      for (const [i, key] of keys.entries()) {
        let sum = 0
        for (let k = at; k < at + size; k++) sum += query[k] * key[k]
        scores[i] = sum / Math.sqrt(size)
        most = Math.max(most, scores[i])
      }
      return mapped(scores, (score) => Math.exp(score - most))
    })
  return {
    ...{ size, heads, values, weights },
    context(asking, shares) {
      const context = new Float64Array(inputs[0].length)
      for (const [h, own] of weights(asking).entries()) {
        const parts = mapped(own, (w, i) => w * shares[i])
        const whole = parts.reduce((a, b) => a + b, 0)
        for (const [i, value] of values.entries())
          if (parts[i] !== 0)
            for (let k = h * size; k < (h + 1) * size; k++) context[k] += (parts[i] / whole) * value[k]
      }
      return context
    },
  }
}

/** W x + b, or W x. */
export function applied({ weight, bias }: DenseNumbers, x: Float64Array, isLinear = false): Float64Array {
  const out = new Float64Array(bias.length)
  for (let r = 0; r < out.length; r++) {
    let sum = isLinear ? 0 : bias[r]
    const at = r * x.length
    for (let j = 0; j < x.length; j++) sum += weight[at + j] * x[j]
    out[r] = sum
  }
  return out
}
