import * as tf from '@tensorflow/tfjs-core'
import type { FunctionalModel } from '../client/model/model'
import { requireObject } from '../errors/checks'
import { countOf } from '../errors/counted'
import { DlgError } from '../errors/dlg-error'

/**
 * The weights of a decoder under the names of the model without a head.
 *
 * @param named the name that a file's weight has there
 * @throws DlgError `invalid-model` naming the first weight that is missing or has another shape
 */
export function decoderWeights(
  weights: tf.NamedTensorMap,
  shapes: readonly (readonly [name: string, shape: readonly number[]])[],
  named: (name: string) => string,
): tf.NamedTensorMap {
  requireObject('weights', weights, 'tensors by name', 'invalid-model')
  const given = Object.fromEntries(Object.entries(weights).map(([name, tensor]) => [named(name), tensor]))
  for (const [name, shape] of shapes) {
    if (!(given[name] instanceof tf.Tensor))
      throw new DlgError('invalid-model', `the decoder has no weight '${name}' [${shape}]`)
    if (String(given[name].shape) !== String(shape))
      throw new DlgError('invalid-model', `weight '${name}' is [${given[name].shape}]; the decoder needs [${shape}]`)
  }
  return Object.fromEntries(shapes.map(([name]) => [name, given[name]]))
}

/** A decoder over token ids, and the matrix [vocabulary, hidden] that makes logits of its features. */
interface DecoderOverTokens {
  readonly name: string
  readonly config: { readonly positions: number; readonly vocabularySize: number }
  readonly weights: tf.NamedTensorMap
  /** Name of the output matrix. */
  readonly output: string
  /** Features [batch · tokens, hidden] of ids [batch, tokens]. */
  features(ids: tf.Tensor, weights: tf.NamedTensorMap): tf.Tensor2D
}

/**
 * The logits [batch, tokens, vocabulary] of a decoder as a model.
 *
 * @throws DlgError `invalid-data` for more tokens than it has positions
 */
export function logitsOver(
  { name, config, weights, output, features }: DecoderOverTokens,
  tokens: number,
): FunctionalModel {
  const { positions, vocabularySize } = config
  if (!(Number.isInteger(tokens) && tokens >= 1 && tokens <= positions))
    throw new DlgError('invalid-data', `${countOf(tokens, 'token')}; the decoder takes 1 to ${positions}`)
  return {
    name,
    inputShape: [tokens],
    weights,
    apply: (ids, w) =>
      tf.reshape(tf.matMul(features(ids, w), w[output] as tf.Tensor2D, false, true), [ids.shape[0], tokens, vocabularySize]), // biome-ignore format: one line
  }
}
