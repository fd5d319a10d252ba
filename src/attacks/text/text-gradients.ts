import * as tf from '@tensorflow/tfjs-core'
import { gradientsOf } from '../../client/gradients-of'
import { tokenCrossEntropy } from '../../client/model/criteria'
import type { TrainingOptions } from '../../client/training-options'
import { hasMethod, idList, knownNames, requireObject, show } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import type { GptModel } from '../../models/gpt'
import type { LlamaModel } from '../../models/llama'
import type { TextModel } from '../../models/text-model'
import type { MaskedSentence } from './masking'

/** One sentence as a client trains on it: with its class, or with the tokens that were hidden. */
export type TextSample = { readonly tokens: readonly number[]; readonly label: number } | MaskedSentence

/**
 * Checks that a caller's model is one of ours.
 *
 * @throws DlgError `invalid-model`
 */
export function requireModel(
  model: TextModel | GptModel | LlamaModel,
  kind: 'encoder' | 'decoder' | 'encoder or decoder',
): void {
  const encoder = hasMethod(model, 'overTokens', 'overEmbeddings', 'named')
  const decoder = !encoder && hasMethod(model, 'overTokens', 'named')
  const right = (encoder && kind.includes('encoder')) || (decoder && kind.includes('decoder'))
  const whole = right && [model.config, model.weights].every((part) => typeof part === 'object' && part !== null)
  if (whole && (model.words as unknown) instanceof tf.Tensor && !model.words.isDisposed) return
  const makers = kind === 'encoder' ? 'bert or randomBert' : kind === 'decoder' ? 'gpt or llama' : 'bert, gpt or llama'
  throw new DlgError(
    'invalid-model',
    `the model is ${show(model)}; it must be an ${kind}, as ${makers} makes`.replace('an decoder', 'a decoder'),
  )
}

/** The one option that gradients of sentences have. @throws DlgError `invalid-option` */
export const runtimeOption = (options: Pick<TrainingOptions, 'runtime'>): void =>
  knownNames('options', options, ['runtime'])

/**
 * The gradient of every weight that a client shares after one sentence; the word-embedding table is included.
 *
 * @returns tensors by Hugging Face name; the caller owns them
 * @throws DlgError `invalid-data` for tokens or labels that the model does not have
 */
export async function textGradients(
  model: TextModel,
  sample: TextSample,
  options: Pick<TrainingOptions, 'runtime'> = {},
): Promise<tf.NamedTensorMap> {
  requireModel(model, 'encoder')
  requireObject('the sample', sample, '{tokens, label} or {tokens, targets}')
  runtimeOption(options)
  const { tokens } = sample
  idList('tokens', tokens)
  const { vocabularySize } = model.config
  const isToken = (id: number): boolean => Number.isInteger(id) && id >= 0 && id < vocabularySize
  const stranger = tokens.find((id) => !isToken(id))
  if (stranger !== undefined)
    throw new DlgError('invalid-data', `token ${stranger} is not in the vocabulary of ${vocabularySize}`)
  const client = model.overTokens(tokens.length)
  const ids = tf.tensor([[...tokens]], [1, tokens.length], 'float32')
  try {
    if ('label' in sample) {
      if (model.head === 'mlm') throw new DlgError('invalid-data', 'a masked LM needs targets: the hidden tokens')
      return await gradientsOf(client, ids, [sample.label], options)
    }
    if (model.head !== 'mlm') throw new DlgError('invalid-data', `the head '${model.head}' needs a label`)
    const rows = new Float32Array(tokens.length * vocabularySize)
    if (!Array.isArray(sample.targets) || sample.targets.some((t) => typeof t !== 'object' || t === null))
      throw new DlgError('invalid-data', `targets is ${show(sample.targets)}; it must be a list of {position, token}`)
    for (const { position, token } of sample.targets) {
      if (!(position in tokens) || !isToken(token))
        throw new DlgError('invalid-data', `there is no token ${token} at position ${position} to predict`)
      rows[position * vocabularySize + token] = 1
    }
    if (sample.targets.length === 0) throw new DlgError('invalid-data', 'no token is hidden: nothing to predict')
    const target = tf.tensor(rows, [1, tokens.length, vocabularySize])
    try {
      return await gradientsOf(client, ids, target, { ...options, criterion: tokenCrossEntropy({ output: 'logits' }) })
    } finally {
      target.dispose()
    }
  } finally {
    ids.dispose()
  }
}
