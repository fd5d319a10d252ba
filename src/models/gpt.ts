import * as tf from '@tensorflow/tfjs-core'
import type { FunctionalModel } from '../client/model/model'

import { activations, layerNorm } from './bert'
import { decoderWeights, logitsOver } from './decoder'
import { checkGptConfig, type GptConfig, gptShapes, outputOf, TOKENS } from './gpt-shapes'
import type { Lora } from './lora'

type Weights = tf.NamedTensorMap

/** A GPT-2 decoder that trains to say the next token. */
export interface GptModel {
  readonly kind: 'gpt'
  readonly config: GptConfig
  /** Every trained weight by its Hugging Face name, without a `transformer.` in front. */
  readonly weights: tf.NamedTensorMap
  /** The name in `weights` of what a file, or a client's gradient, calls `name`; the same where it is none of these. */
  named(name: string): string
  /** The word-embedding table [vocabulary, hidden]. */
  readonly words: tf.Tensor2D
  /** Adapters, where these are trained and nothing else is. */
  readonly lora?: Lora<GptModel>
  /** The model that a client trains: token ids [batch, tokens] in, logits [batch, tokens, vocabulary] out. */
  overTokens(tokens: number): FunctionalModel
  /** Frees the weights. */
  dispose(): void
}

/** x · W + b, with the W [in, out] of GPT-2's files. */
export const project = (x: tf.Tensor2D, weights: Weights, name: string): tf.Tensor2D =>
  tf.add(tf.matMul(x, weights[`${name}.weight`] as tf.Tensor2D), weights[`${name}.bias`])

/** softmax(Q Kᵀ / √d + mask) V in every head; a position sees itself and those before it. */
function causalAttention(x: tf.Tensor2D, weights: Weights, at: string, heads: number, tokens: number): tf.Tensor2D {
  const [total, hidden] = x.shape
  const size = hidden / heads
  const [query, key, value] = tf
    .split(project(x, weights, `${at}.attn.c_attn`), 3, 1)
    .map((part) => tf.transpose(tf.reshape(part, [total / tokens, tokens, heads, size]), [0, 2, 1, 3]))
  const scores = tf.mul(tf.matMul(query, key, false, true), 1 / Math.sqrt(size))
  const mixed = tf.matMul(tf.softmax(tf.add(scores, futureMask(tokens))), value)
  return tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [total, hidden])
}

/** 0 where the column is not after the row, else a score whose exponential is 0. */
export const futureMask = (tokens: number): tf.Tensor2D =>
  tf.tensor2d(
    Array.from({ length: tokens }, (_, row) =>
      Array.from({ length: tokens }, (_, column) => (column > row ? -1e9 : 0)),
    ),
  )

/** x + W₂ gelu(W₁ LN(x)): the second half of block `at`. */
export function feedForward(x: tf.Tensor2D, weights: Weights, at: string, config: GptConfig): tf.Tensor2D {
  const normalized = layerNorm(x, weights, `${at}.ln_2`, config.epsilon)
  const wide = activations[config.activation ?? 'gelu_new'](project(normalized, weights, `${at}.mlp.c_fc`))
  return tf.add(x, project(wide, weights, `${at}.mlp.c_proj`))
}

/**
 * The decoder of GPT-2 (Radford et al. 2019) over token ids: positions, every pre-norm block, the last layer norm.
 *
 * @param ids [batch, tokens]
 * @returns features [batch · tokens, hidden]
 */
export const decode = (ids: tf.Tensor, weights: Weights, config: GptConfig): tf.Tensor2D =>
  decodeWords(tf.gather(weights[TOKENS], tf.cast(ids, 'int32')) as tf.Tensor3D, weights, config)

/** Like {@link decode}, over what the word table gives for each token, [batch, tokens, hidden]. */
export function decodeWords(words: tf.Tensor3D, weights: Weights, config: GptConfig): tf.Tensor2D {
  const [batch, tokens] = words.shape
  const positions = tf.slice(weights['wpe.weight'], [0, 0], [tokens, config.hidden])
  let x = tf.reshape(tf.add(words, positions), [batch * tokens, config.hidden]) as tf.Tensor2D
  for (let i = 0; i < config.layers; i++) {
    const at = `h.${i}`
    const normalized = layerNorm(x, weights, `${at}.ln_1`, config.epsilon)
    const mixed = causalAttention(normalized, weights, at, config.heads, tokens)
    x = feedForward(tf.add(x, project(mixed, weights, `${at}.attn.c_proj`)), weights, at, config)
  }
  return layerNorm(x, weights, 'ln_f', config.epsilon)
}

/** Models with a head call the decoder transformer. */
const named = (name: string): string => name.replace(/^transformer\./, '')

/**
 * A GPT-2 decoder.
 *
 * @param weights by Hugging Face name; further ones are left alone. The model keeps the tensors and disposes of them.
 * @throws DlgError `invalid-model` naming the first weight that is missing or has another shape
 */
export function gpt(config: GptConfig, weights: tf.NamedTensorMap): GptModel {
  checkGptConfig(config)
  const own = decoderWeights(weights, gptShapes(config), named)
  return {
    kind: 'gpt',
    config,
    weights: own,
    named,
    words: own[TOKENS] as tf.Tensor2D,
    overTokens: (tokens) =>
      logitsOver(
        { name: 'gpt', config, weights: own, output: outputOf(config), features: (ids, w) => decode(ids, w, config) },
        tokens,
      ),
    dispose: () => tf.dispose(Object.values(weights)),
  }
}
