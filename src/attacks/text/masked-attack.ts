import * as tf from '@tensorflow/tfjs-core'
import type { FunctionalModel } from '../../client/model/model'
import { DlgError } from '../../errors/dlg-error'
import type { TextModel } from '../../models/text-model'
import type { Values } from '../../runtime/runtime'

/**
 * The tokens a masked LM had to say, from the gradient of its output bias: ∂L/∂b_v = mean over the hidden positions of
 * p_v − [y = v], negative only where some y is v.
 */
export function hiddenTokens(biasGradient: Values): number[] {
  const found = [...biasGradient].flatMap((v, token) => (v < 0 ? [token] : []))
  if (found.length > 0) return found
  throw new DlgError(
    'labels',
    'no token has a negative bias gradient: the shared gradient is not that of a masked language model',
  )
}

/**
 * The masked LM's loss as a model: which position hides which token is unknown too, so each position has a soft-max
 * over the candidates and "nothing hidden" beside its embedding.
 *
 * One sample is [tokens, hidden + candidates + 1]; the choices are in units of `spread`, as the embeddings are. With
 * what the model saw given, the choices are all that is left: [tokens, candidates + 1].
 */
export function maskedLoss(
  model: TextModel,
  tokens: number,
  candidates: readonly number[],
  spread: number,
  seen?: readonly number[],
): FunctionalModel {
  const { weights, apply } = model.overEmbeddings(tokens)
  const { hidden } = model.config
  const before = seen ? 0 : hidden
  return {
    name: `bert (${model.head}) loss`,
    inputShape: [tokens, before + candidates.length + 1],
    weights,
    apply(x, w) {
      const embedded = seen
        ? tf.reshape(tf.gather(model.words, tf.tensor1d([...seen], 'int32')), [1, tokens, hidden])
        : tf.slice(x, [0, 0, 0], [1, tokens, hidden])
      const choices = tf.softmax(
        tf.div(tf.slice(x, [0, 0, before], [1, tokens, candidates.length + 1]), spread) as tf.Tensor3D,
      )
      const targets = tf.slice(choices, [0, 0, 0], [1, tokens, candidates.length])
      const all = tf.logSoftmax(apply(embedded, w))
      const logProbabilities = tf.gather(all, tf.tensor1d([...candidates], 'int32'), 2)
      return tf.reshape(tf.neg(tf.div(tf.sum(tf.mul(targets, logProbabilities)), tf.sum(targets))), [1, 1])
    },
  }
}

/** The candidate each position hides, or undefined, from the columns after the first ones. */
export function choicesOf(
  data: Values,
  tokens: number,
  before: number,
  candidates: readonly number[],
): (number | undefined)[] {
  const width = before + candidates.length + 1
  return Array.from({ length: tokens }, (_, t) => {
    const scores = data.subarray(t * width + before, (t + 1) * width) as Float64Array
    // a tie hides nothing
    return candidates[scores.lastIndexOf(scores.reduce((a, b) => Math.max(a, b)))]
  })
}
