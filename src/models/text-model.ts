import * as tf from '@tensorflow/tfjs-core'
import type { FunctionalModel, NamedFunctionalModel } from '../client/model/model'
import { requireObject } from '../errors/checks'
import { countOf } from '../errors/counted'
import { DlgError } from '../errors/dlg-error'
import { applyHead, encode } from './bert'
import { type BertConfig, checkConfig } from './bert-config'
import { checkHead, encoderShapes, type Head, headShapes, WORDS } from './bert-shapes'
import { canonical } from './encoder-names'
import type { Lora } from './lora'

/** A BERT encoder with a head, which can be entered with token ids or with word embeddings. */
export interface TextModel {
  readonly config: BertConfig
  readonly head: Head
  /** Number of classes of the classification heads. */
  readonly classes: number
  /** Every trained weight by its Hugging Face name, without a `bert.` in front. RoBERTa's and DistilBERT's have BERT's names. */
  readonly weights: tf.NamedTensorMap
  /** The name in `weights` of what a file, or a client's gradient, calls `name`; the same where it is none of these. */
  named(name: string): string
  /** The word-embedding table [vocabulary, hidden]. */
  readonly words: tf.Tensor2D
  /** Adapters, where these are trained and nothing else is but what `weights` has beside them. */
  readonly lora?: Lora<TextModel>
  /** The model that a client trains: token ids [batch, tokens] in, logits out, all weights trained. */
  overTokens(tokens: number): FunctionalModel
  /**
   * The model that a client trains on sentences of different lengths: `ids` and `mask` [batch, tokens] in, the mask 1 for a token and
   * 0 for padding, logits out. No position sees padding, and the mean of a head leaves it out.
   */
  overPadded(tokens: number): NamedFunctionalModel
  /** The model that an attack searches: word embeddings [batch, tokens, hidden] in; the table itself is not among its weights. */
  overEmbeddings(tokens: number): FunctionalModel
  /** Frees the weights. */
  dispose(): void
}

/**
 * A BERT encoder with its head.
 *
 * @param weights by Hugging Face name; further ones are left alone. The model keeps the tensors and disposes of them.
 * @throws DlgError `invalid-model` naming the first weight that is missing or has another shape
 */
export function bert(config: BertConfig, weights: tf.NamedTensorMap, head: Head = 'mean'): TextModel {
  checkConfig(config)
  requireObject('weights', weights, 'tensors by name', 'invalid-model')
  checkHead(head)
  // RoBERTa's `classifier.dense` stands for the pooler, and wins over that of an encoder without a head
  const order = Object.entries(weights).sort(
    ([a], [b]) => Number(a.startsWith('classifier')) - Number(b.startsWith('classifier')),
  )
  const given = Object.fromEntries(order.map(([name, tensor]) => [canonical(name), tensor]))
  const classes = given['classifier.bias']?.shape?.[0] ?? 2
  const shapes = [...encoderShapes(config), ...headShapes(config, head, classes)]
  for (const [name, shape] of shapes) {
    if (!(given[name] instanceof tf.Tensor))
      throw new DlgError('invalid-model', `the encoder has no weight '${name}' [${shape}]`)
    if (String(given[name].shape) !== String(shape))
      throw new DlgError('invalid-model', `weight '${name}' is [${given[name].shape}]; the encoder needs [${shape}]`)
  }
  const own = Object.fromEntries(shapes.map(([name]) => [name, given[name]]))
  const { [WORDS]: words, ...rest } = own
  const forward = (embedded: tf.Tensor, w: tf.NamedTensorMap, table: tf.Tensor, mask?: tf.Tensor2D): tf.Tensor =>
    applyHead(head, encode(embedded as tf.Tensor3D, w, config, mask), embedded.shape[0], w, table, config, mask)
  const requireLength = (tokens: number): void => {
    if (!(Number.isInteger(tokens) && tokens >= 1 && tokens <= config.positions))
      throw new DlgError('invalid-data', `${countOf(tokens, 'token')}; the encoder takes 1 to ${config.positions}`)
  }
  return {
    config,
    head,
    classes,
    weights: own,
    named: canonical,
    words: words as tf.Tensor2D,
    overTokens(tokens) {
      requireLength(tokens)
      return {
        name: `bert (${head})`,
        inputShape: [tokens],
        weights: own,
        apply: (ids, w) => forward(tf.gather(w[WORDS], tf.cast(ids, 'int32')), w, w[WORDS]),
      }
    },
    overPadded(tokens) {
      requireLength(tokens)
      return {
        name: `bert (${head}) with padding`,
        inputShape: { ids: [tokens], mask: [tokens] },
        weights: own,
        apply: ({ ids, mask }, w) =>
          forward(tf.gather(w[WORDS], tf.cast(ids, 'int32')), w, w[WORDS], mask as tf.Tensor2D),
      }
    },
    overEmbeddings(tokens) {
      requireLength(tokens)
      return {
        name: `bert (${head}) over embeddings`,
        inputShape: [tokens, config.hidden],
        weights: rest,
        apply: (embedded, w) => forward(embedded, w, words),
      }
    },
    dispose: () => tf.dispose(Object.values(weights)),
  }
}
