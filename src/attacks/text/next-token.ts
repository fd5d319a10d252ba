import * as tf from '@tensorflow/tfjs-core'
import { gradientsOf } from '../../client/gradients-of'
import { tokenCrossEntropy } from '../../client/model/criteria'
import type { TrainingOptions } from '../../client/training-options'
import { idList } from '../../errors/checks'
import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import type { GptModel } from '../../models/gpt'
import type { LlamaModel } from '../../models/llama'
import { requireModel, runtimeOption } from './text-gradients'

/** A batch of sentences as a decoder trains on it. */
interface NextTokenBatch {
  /** [sentences, longest − 1] */
  readonly ids: tf.Tensor2D
  /** One-hot [sentences, longest − 1, vocabulary]; zero where a shorter sentence has ended. */
  readonly targets: tf.Tensor3D
}

/** Inputs are all tokens but the last, targets all but the first. */
function nextTokenBatch(sentences: readonly (readonly number[])[], vocabularySize: number): NextTokenBatch {
  const tokens = Math.max(...sentences.map((s) => s.length)) - 1
  const ids = new Float32Array(sentences.length * tokens)
  const targets = new Float32Array(ids.length * vocabularySize)
  for (const [b, sentence] of sentences.entries())
    for (let t = 0; t + 1 < sentence.length; t++) {
      ids[b * tokens + t] = sentence[t]
      targets[(b * tokens + t) * vocabularySize + sentence[t + 1]] = 1
    }
  return {
    ids: tf.tensor2d(ids, [sentences.length, tokens]),
    targets: tf.tensor3d(targets, [sentences.length, tokens, vocabularySize]),
  }
}

/**
 * The gradient of every weight that a client shares after one step of next-token prediction on a batch.
 *
 * The loss is the mean over all predictions of the batch, as with PyTorch's `ignore_index`. Shorter sentences end early: no
 * later position sees them, none is predicted.
 *
 * @param sentences token ids, at least two each; they may differ in length
 * @returns tensors by Hugging Face name; the caller owns them
 * @throws DlgError `invalid-data` for a sentence that is too short, too long, or has tokens that the model does not have
 */
export async function nextTokenGradients(
  model: GptModel | LlamaModel,
  sentences: readonly (readonly number[])[],
  options: Pick<TrainingOptions, 'runtime'> = {},
): Promise<tf.NamedTensorMap> {
  requireModel(model, 'decoder')
  runtimeOption(options)
  const { vocabularySize, positions } = model.config
  if (!Array.isArray(sentences) || sentences.length === 0)
    throw new DlgError('invalid-data', 'there is no sentence; give a list of lists of token ids')
  for (const [i, sentence] of sentences.entries()) {
    idList(`sentence ${i}`, sentence)
    if (!(sentence.length >= 2 && sentence.length <= positions + 1))
      throw new DlgError(
        'invalid-data',
        `a sentence has ${countOf(sentence.length, 'token')}; it must have 2 to ${positions + 1}`,
      )
    const stranger = sentence.find((id: number) => !(Number.isInteger(id) && id >= 0 && id < vocabularySize))
    if (stranger !== undefined)
      throw new DlgError('invalid-data', `token ${stranger} is not in the vocabulary of ${vocabularySize}`)
  }
  const { ids, targets } = nextTokenBatch(sentences, vocabularySize)
  try {
    return await gradientsOf(model.overTokens(ids.shape[1]), ids, targets, {
      ...options,
      criterion: tokenCrossEntropy({ output: 'logits' }),
    })
  } finally {
    tf.dispose([ids, targets])
  }
}
