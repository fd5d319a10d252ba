import * as tf from '@tensorflow/tfjs-core'
import type { FunctionalModel } from '../client/model/model'

import { decoderWeights, logitsOver } from './decoder'
import { futureMask } from './gpt'
import { outputOf } from './gpt-shapes'
import { checkLlamaConfig, LLAMA_NORM, LLAMA_TOKENS, type LlamaConfig, llamaShapes } from './llama-shapes'

type Weights = tf.NamedTensorMap

/** A LLaMA decoder that trains to say the next token. */
export interface LlamaModel {
  readonly kind: 'llama'
  readonly config: LlamaConfig
  /** Every trained weight by its Hugging Face name, without a `model.` in front. */
  readonly weights: tf.NamedTensorMap
  /** Adapters: none, they are not supported here. */
  readonly lora?: undefined
  /** The name in `weights` of what a file, or a client's gradient, calls `name`; the same where it is none of these. */
  named(name: string): string
  /** The word-embedding table [vocabulary, hidden]. */
  readonly words: tf.Tensor2D
  /** The model that a client trains: token ids [batch, tokens] in, logits [batch, tokens, vocabulary] out. */
  overTokens(tokens: number): FunctionalModel
  /** Frees the weights. */
  dispose(): void
}

/** x Wᵀ, with the W [out, in] of LLaMA's files. */
export const multiplied = (x: tf.Tensor2D, weights: Weights, name: string): tf.Tensor2D =>
  tf.matMul(x, weights[`${name}.weight`] as tf.Tensor2D, false, true)

/** x / √(mean x² + ε) · γ, over the last axis. */
export function rmsNorm(x: tf.Tensor2D, gamma: tf.Tensor, epsilon: number): tf.Tensor2D {
  const square = tf.mean(tf.square(x), -1, true)
  return tf.mul(tf.div(x, tf.sqrt(tf.add(square, epsilon))), gamma)
}

/** Cosines and sines [tokens, size] of the angles t θ^(−2i/size) by which the position t turns the pair i of a head's numbers. */
export function turns(tokens: number, { headSize, theta }: LlamaConfig): { cosines: tf.Tensor2D; sines: tf.Tensor2D } {
  const half = headSize / 2
  const angles = Array.from({ length: tokens }, (_, t) =>
    Array.from({ length: headSize }, (_, j) => t * theta ** (-(j % half) / half)),
  )
  return {
    cosines: tf.tensor2d(angles.map((row) => row.map(Math.cos))),
    sines: tf.tensor2d(angles.map((row) => row.map(Math.sin))),
  }
}

/** Turns queries or keys [..., size] (RoPE, Su et al. 2021): number i and number i + size/2 are a pair. */
export function turned<T extends tf.Tensor>(x: T, { cosines, sines }: ReturnType<typeof turns>): T {
  const axis = x.rank - 1
  const [first, second] = tf.split(x, 2, axis)
  return tf.add(tf.mul(x, cosines), tf.mul(tf.concat([tf.neg(second), first], axis), sines))
}

/** softmax(Q Kᵀ / √d + mask) V; heads of keys and values serve several heads of queries each (Ainslie et al. 2023). */
function groupedAttention(
  x: tf.Tensor2D,
  weights: Weights,
  at: string,
  config: LlamaConfig,
  tokens: number,
): tf.Tensor2D {
  const { heads, keyHeads, headSize } = config
  const batch = x.shape[0] / tokens
  const groups = heads / keyHeads
  const angles = turns(tokens, config)
  // [batch, key heads, groups, tokens, size]
  const query = turned(
    tf.transpose(
      tf.reshape(multiplied(x, weights, `${at}.q_proj`), [batch, tokens, keyHeads, groups, headSize]),
      [0, 2, 3, 1, 4],
    ),
    angles,
  )
  const split = (part: string): tf.Tensor4D =>
    tf.transpose(tf.reshape(multiplied(x, weights, `${at}.${part}`), [batch, tokens, keyHeads, headSize]), [0, 2, 1, 3])
  const rows = tf.reshape(query, [batch, keyHeads, groups * tokens, headSize]) as tf.Tensor4D
  const scores = tf.mul(tf.matMul(rows, turned(split('k_proj'), angles), false, true), 1 / Math.sqrt(headSize))
  const mask = tf.tile(futureMask(tokens), [groups, 1])
  const mixed = tf.matMul(tf.softmax(tf.add(scores, mask)), split('v_proj'))
  const byToken = tf.transpose(tf.reshape(mixed, [batch, keyHeads, groups, tokens, headSize]), [0, 3, 1, 2, 4])
  return multiplied(tf.reshape(byToken, [x.shape[0], heads * headSize]), weights, `${at}.o_proj`)
}

/** x + W₃ (silu(W₁ n) ⊙ W₂ n) with n the norm of x: the second half of block `at`. */
export function gated(x: tf.Tensor2D, weights: Weights, at: string, { epsilon }: LlamaConfig): tf.Tensor2D {
  const normalized = rmsNorm(x, weights[`${at}.post_attention_layernorm.weight`], epsilon)
  const gate = multiplied(normalized, weights, `${at}.mlp.gate_proj`)
  const open = tf.mul(tf.mul(gate, tf.sigmoid(gate)), multiplied(normalized, weights, `${at}.mlp.up_proj`))
  return tf.add(x, multiplied(open as tf.Tensor2D, weights, `${at}.mlp.down_proj`))
}

/**
 * The decoder of LLaMA (Touvron et al. 2023) over token ids: every block, and the last norm.
 *
 * @param ids [batch, tokens]
 * @returns features [batch · tokens, hidden]
 */
export function llamaFeatures(ids: tf.Tensor, weights: Weights, config: LlamaConfig): tf.Tensor2D {
  const [batch, tokens] = ids.shape as [number, number]
  const words = tf.gather(weights[LLAMA_TOKENS], tf.cast(ids, 'int32'))
  let x = tf.reshape(words, [batch * tokens, config.hidden]) as tf.Tensor2D
  for (let i = 0; i < config.layers; i++) {
    const at = `layers.${i}`
    const normalized = rmsNorm(x, weights[`${at}.input_layernorm.weight`], config.epsilon)
    x = gated(tf.add(x, groupedAttention(normalized, weights, `${at}.self_attn`, config, tokens)), weights, at, config)
  }
  return rmsNorm(x, weights[LLAMA_NORM], config.epsilon)
}

/** Models with a head call the decoder model. */
const named = (name: string): string => name.replace(/^model\./, '')

/**
 * A LLaMA decoder.
 *
 * @param weights by Hugging Face name; further ones are left alone. The model keeps the tensors and disposes of them.
 * @throws DlgError `invalid-model` naming the first weight that is missing or has another shape
 */
export function llama(config: LlamaConfig, weights: tf.NamedTensorMap): LlamaModel {
  checkLlamaConfig(config)
  const own = decoderWeights(weights, llamaShapes(config), named)
  return {
    kind: 'llama',
    config,
    weights: own,
    named,
    words: own[LLAMA_TOKENS] as tf.Tensor2D,
    overTokens: (tokens) =>
      logitsOver(
        {
          ...{ name: 'llama', config, weights: own, output: outputOf(config, LLAMA_TOKENS) },
          features: (ids, w) => llamaFeatures(ids, w, config),
        },
        tokens,
      ),
    dispose: () => tf.dispose(Object.values(weights)),
  }
}
