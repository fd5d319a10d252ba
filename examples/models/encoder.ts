import * as tf from '@tensorflow/tfjs-core'
import type { FunctionalModel } from '../../src'

/** Options of the network. */
export interface EncoderOptions {
  layers?: number
  hidden?: number
  heads?: number
  tokens?: number
  classes?: number
  /** Of the weights. */
  seed?: number
}

const EPSILON = 1e-12

/**
 * A transformer encoder as BERT has it, normalised after every block: attention, feed-forward of four times the width
 * with GELU, the mean over the tokens and a dense layer. Its input is embeddings [batch, tokens, hidden].
 */
export function encoder({
  layers = 2,
  hidden = 128,
  heads = 4,
  tokens = 16,
  classes = 2,
  seed = 1,
}: EncoderOptions = {}): FunctionalModel {
  const weights: tf.NamedTensorMap = {}
  const draw = (name: string, shape: number[], low: number, high: number) => {
    weights[name] = tf.randomUniform(shape, low, high, 'float32', seed * 1000 + Object.keys(weights).length)
  }
  const dense = (name: string, inputs: number, outputs: number) => {
    const limit = 1 / Math.sqrt(inputs)
    draw(`${name}/kernel`, [inputs, outputs], -limit, limit)
    draw(`${name}/bias`, [outputs], -limit, limit)
  }
  const norm = (name: string) => {
    draw(`${name}/gamma`, [hidden], 0.8, 1.2)
    draw(`${name}/beta`, [hidden], -0.1, 0.1)
  }
  for (let i = 0; i < layers; i++) {
    for (const part of ['query', 'key', 'value', 'attention']) dense(`layer${i}/${part}`, hidden, hidden)
    norm(`layer${i}/attention-norm`)
    dense(`layer${i}/expand`, hidden, 4 * hidden)
    dense(`layer${i}/contract`, 4 * hidden, hidden)
    norm(`layer${i}/output-norm`)
  }
  dense('classifier', hidden, classes)

  return {
    name: 'encoder',
    inputShape: [tokens, hidden],
    weights,
    apply(embeddings, w) {
      const batch = embeddings.shape[0]
      let x = tf.reshape(embeddings, [batch * tokens, hidden])
      const apply = (name: string, h: tf.Tensor) => tf.add(tf.matMul(h, w[`${name}/kernel`]), w[`${name}/bias`])
      const normalize = (name: string, h: tf.Tensor) => {
        const { mean, variance } = tf.moments(h, -1, true)
        const normalized = tf.div(tf.sub(h, mean), tf.sqrt(tf.add(variance, EPSILON)))
        return tf.add(tf.mul(normalized, w[`${name}/gamma`]), w[`${name}/beta`])
      }
      /** [batch · tokens, hidden] to [batch, heads, tokens, hidden / heads] */
      const split = (h: tf.Tensor) => tf.transpose(tf.reshape(h, [batch, tokens, heads, hidden / heads]), [0, 2, 1, 3])
      for (let i = 0; i < layers; i++) {
        const of = (part: string) => `layer${i}/${part}`
        const [query, key, value] = ['query', 'key', 'value'].map((part) => split(apply(of(part), x)))
        const scores = tf.div(tf.matMul(query, key, false, true), Math.sqrt(hidden / heads))
        const context = tf.transpose(tf.matMul(tf.softmax(scores), value), [0, 2, 1, 3])
        const attended = apply(of('attention'), tf.reshape(context, [batch * tokens, hidden]))
        x = normalize(of('attention-norm'), tf.add(x, attended))
        x = normalize(of('output-norm'), tf.add(x, apply(of('contract'), gelu(apply(of('expand'), x)))))
      }
      return apply('classifier', tf.mean(tf.reshape(x, [batch, tokens, hidden]), 1))
    },
  }
}

/** x Φ(x) */
const gelu = (x: tf.Tensor): tf.Tensor => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.div(x, Math.SQRT2)), 1))
