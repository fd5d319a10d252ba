import * as tf from '@tensorflow/tfjs-core'

/** Queries, keys and values of some placed tokens, [tokens, hidden] each. */
interface Projected {
  readonly query: tf.Tensor2D
  readonly key: tf.Tensor2D
  readonly value: tf.Tensor2D
}

/**
 * softmax(q Kᵀ / √d) V of one place in each of many sequences, in every head.
 *
 * @param trials sequences as indices into the tokens, all of the same length
 * @param at the place that asks; it sees its whole sequence
 * @returns [trials, hidden]
 */
export function attendedBy(
  { query, key, value }: Projected,
  trials: readonly (readonly number[])[],
  at: number,
  heads: number,
): tf.Tensor2D {
  const [count, length, hidden] = [trials.length, trials[0].length, query.shape[1]]
  const size = hidden / heads
  const split = (table: tf.Tensor2D, indices: number[], places: number): tf.Tensor4D =>
    tf.transpose(
      tf.reshape(tf.gather(table, tf.tensor1d(indices, 'int32')), [count, places, heads, size]),
      [0, 2, 1, 3],
    )
  const asking = split(
    query,
    trials.map((trial) => trial[at]),
    1,
  )
  const all = trials.flat()
  const scores = tf.mul(tf.matMul(asking, split(key, all, length), false, true), 1 / Math.sqrt(size))
  return tf.reshape(tf.matMul(tf.softmax(scores), split(value, all, length)), [count, hidden])
}
