import * as tf from '@tensorflow/tfjs-core'
import { gradientsOf } from '../../client/gradients-of'
import type { TrainingOptions } from '../../client/training-options'
import { idList } from '../../errors/checks'
import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import type { TextModel } from '../../models/text-model'
import { requireModel, runtimeOption } from './text-gradients'

/** What stands where a shorter sentence has ended; no position sees it. */
const PADDING = 0

/**
 * The gradient of every weight that a client shares after one step of classification on a batch of sentences.
 *
 * Shorter sentences are padded and masked: padding is seen by no position and read by no head, and its rows have no gradient.
 *
 * @param sentences token ids, one at least for each; they may differ in length
 * @param labels the class of each
 * @returns tensors by Hugging Face name; the caller owns them
 * @throws DlgError `invalid-model` for a masked LM; `invalid-data` for sentences, tokens or classes that the model does not have
 */
export async function classGradients(
  model: TextModel,
  sentences: readonly (readonly number[])[],
  labels: readonly number[],
  options: Pick<TrainingOptions, 'runtime'> = {},
): Promise<tf.NamedTensorMap> {
  requireModel(model, 'encoder')
  runtimeOption(options)
  if (model.head === 'mlm')
    throw new DlgError('invalid-model', "the head 'mlm' has no classes; it must be 'mean' or 'first'")
  requireSentences(model, sentences)
  idList('labels', labels)
  if (labels.length !== sentences.length)
    throw new DlgError(
      'invalid-data',
      `${countOf(labels.length, 'label')} for ${countOf(sentences.length, 'sentence')}; there must be as many`,
    )
  const { ids, mask } = padded(sentences)
  try {
    const [, tokens] = ids.shape
    const even = sentences.every((sentence) => sentence.length === tokens)
    // the program without a mask is the smaller one
    return even
      ? await gradientsOf(model.overTokens(tokens), ids, [...labels], options)
      : await gradientsOf(model.overPadded(tokens), { ids, mask }, [...labels], options)
  } finally {
    tf.dispose([ids, mask])
  }
}

/** Sentences as one batch: ids and mask, [sentences, longest]. The caller owns the tensors. */
export function padded(sentences: readonly (readonly number[])[]): { ids: tf.Tensor2D; mask: tf.Tensor2D } {
  const longest = Math.max(...sentences.map(({ length }) => length))
  const places = Array.from({ length: longest }, (_, t) => t)
  return {
    ids: tf.tensor2d(sentences.map((sentence) => places.map((t) => sentence[t] ?? PADDING))),
    mask: tf.tensor2d(sentences.map((sentence) => places.map((t) => (t < sentence.length ? 1 : 0)))),
  }
}

/** @throws DlgError `invalid-data` */
function requireSentences({ config }: TextModel, sentences: readonly (readonly number[])[]): void {
  if (!Array.isArray(sentences) || sentences.length === 0)
    throw new DlgError('invalid-data', 'there is no sentence; give a list of lists of token ids')
  for (const [i, sentence] of sentences.entries()) {
    idList(`sentence ${i}`, sentence)
    if (!(sentence.length >= 1 && sentence.length <= config.positions))
      throw new DlgError(
        'invalid-data',
        `sentence ${i} has ${countOf(sentence.length, 'token')}; it must have 1 to ${config.positions}`,
      )
    const stranger = sentence.find((id: number) => id >= config.vocabularySize)
    if (stranger !== undefined)
      throw new DlgError('invalid-data', `token ${stranger} is not in the vocabulary of ${config.vocabularySize}`)
  }
}
