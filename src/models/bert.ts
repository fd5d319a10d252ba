import * as tf from '@tensorflow/tfjs-core'
import type { BertConfig } from './bert-config'
import { type Head, POSITIONS, TYPES } from './bert-shapes'

type Weights = tf.NamedTensorMap

/** x · Wᵀ + b, with PyTorch's W [out, in]. */
export const dense = (x: tf.Tensor2D, weights: Weights, name: string): tf.Tensor2D =>
  tf.add(tf.matMul(x, weights[`${name}.weight`] as tf.Tensor2D, false, true), weights[`${name}.bias`])

/** Some rows of a table. */
const rows = (table: tf.Tensor, count: number, from = 0): tf.Tensor =>
  tf.slice(table, [from, 0], [count, table.shape[1]!])

/** Word embeddings [tokens, hidden] or [batch, tokens, hidden] with the rows of their positions and of the first type added. */
export function withPlaces(words: tf.Tensor, places: tf.Tensor, weights: Weights): tf.Tensor {
  const summed = tf.add(words, places)
  return Object.hasOwn(weights, TYPES) ? tf.add(summed, rows(weights[TYPES], 1)) : summed
}

/** (x − mean) / √(variance + ε) · γ + β, over the last axis. */
export function layerNorm(x: tf.Tensor2D, weights: Weights, name: string, epsilon: number): tf.Tensor2D {
  const centered = tf.sub(x, tf.mean(x, -1, true))
  const variance = tf.mean(tf.square(centered), -1, true)
  const normalized = tf.div(centered, tf.sqrt(tf.add(variance, epsilon)))
  return tf.add(tf.mul(normalized, weights[`${name}.weight`]), weights[`${name}.bias`])
}

export const activations: Record<BertConfig['activation'], (x: tf.Tensor2D) => tf.Tensor2D> = {
  // x Φ(x)
  gelu: (x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1)),
  gelu_new: (x) => {
    const cubed = tf.mul(tf.mul(tf.square(x), x), 0.044715)
    return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(tf.mul(tf.add(x, cubed), Math.sqrt(2 / Math.PI))), 1))
  },
  relu: (x) => tf.relu(x),
}

/** A score whose exponential is 0. */
const UNSEEN = -1e9

/** softmax(Q Kᵀ / √d + mask) V in every head; every position sees every other that is not masked. */
function attention(
  x: tf.Tensor2D,
  weights: Weights,
  name: string,
  heads: number,
  tokens: number,
  mask: tf.Tensor2D | undefined,
): tf.Tensor2D {
  const [total, hidden] = x.shape
  const size = hidden / heads
  const split = (part: string): tf.Tensor4D =>
    tf.transpose(tf.reshape(dense(x, weights, `${name}.${part}`), [total / tokens, tokens, heads, size]), [0, 2, 1, 3])
  const all = tf.mul(tf.matMul(split('query'), split('key'), false, true), 1 / Math.sqrt(size))
  const scores = mask ? tf.add(all, tf.reshape(tf.mul(tf.sub(1, mask), UNSEEN), [total / tokens, 1, 1, tokens])) : all
  const mixed = tf.matMul(tf.softmax(scores), split('value'))
  return tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [total, hidden])
}

/**
 * The encoder of BERT (Devlin et al. 2019) over word embeddings: positions, types and every block, post-norm.
 *
 * @param words what the embedding table gives for each token, [batch, tokens, hidden]
 * @param mask [batch, tokens], 1 for a token and 0 for padding, which no position sees; default: all are tokens
 * @returns one row per token, [batch · tokens, hidden]
 */
export function encode(words: tf.Tensor3D, weights: Weights, config: BertConfig, mask?: tf.Tensor2D): tf.Tensor2D {
  const [batch, tokens, hidden] = words.shape
  const { heads, epsilon } = config
  const positions = rows(weights[POSITIONS], tokens, config.positionOffset)
  const summed = tf.reshape(withPlaces(words, positions, weights), [batch * tokens, hidden]) as tf.Tensor2D
  let x = layerNorm(summed, weights, 'embeddings.LayerNorm', epsilon)
  for (let i = 0; i < config.layers; i++) {
    const at = `encoder.layer.${i}`
    const mixed = dense(
      attention(x, weights, `${at}.attention.self`, heads, tokens, mask),
      weights,
      `${at}.attention.output.dense`,
    )
    x = layerNorm(tf.add(x, mixed), weights, `${at}.attention.output.LayerNorm`, epsilon)
    const wide = activations[config.activation](dense(x, weights, `${at}.intermediate.dense`))
    x = layerNorm(tf.add(x, dense(wide, weights, `${at}.output.dense`)), weights, `${at}.output.LayerNorm`, epsilon)
  }
  return x
}

/**
 * Logits of a head: [batch, classes], or [batch, tokens, vocabulary] of the masked LM.
 *
 * @param mask [batch, tokens], 0 for padding, which the mean leaves out
 */
export function applyHead(
  head: Head,
  x: tf.Tensor2D,
  batch: number,
  weights: Weights,
  table: tf.Tensor,
  config: BertConfig,
  mask?: tf.Tensor2D,
): tf.Tensor {
  const [total, hidden] = x.shape
  const tokens = total / batch
  if (head === 'mlm') {
    const features = activations[config.activation](dense(x, weights, 'cls.predictions.transform.dense'))
    const normalized = layerNorm(features, weights, 'cls.predictions.transform.LayerNorm', config.epsilon)
    const logits = tf.matMul(normalized, table as tf.Tensor2D, false, true)
    return tf.reshape(tf.add(logits, weights['cls.predictions.bias']), [batch, tokens, config.vocabularySize])
  }
  const sequence = tf.reshape(x, [batch, tokens, hidden]) as tf.Tensor3D
  if (head === 'mean' && mask) {
    const kept = tf.sum(tf.mul(sequence, tf.reshape(mask, [batch, tokens, 1])), 1)
    return dense(tf.div(kept, tf.sum(mask, 1, true)) as tf.Tensor2D, weights, 'classifier')
  }
  if (head === 'mean') return dense(tf.mean(sequence, 1), weights, 'classifier')
  const first = tf.reshape(tf.slice(sequence, [0, 0, 0], [batch, 1, hidden]), [batch, hidden]) as tf.Tensor2D
  const pooled = dense(first, weights, 'pooler.dense')
  return dense(config.pooler === 'relu' ? tf.relu(pooled) : tf.tanh(pooled), weights, 'classifier')
}
