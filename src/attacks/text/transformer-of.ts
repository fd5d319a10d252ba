import type { GptModel } from '../../models/gpt'
import type { LlamaModel } from '../../models/llama'
import type { TextModel } from '../../models/text-model'
import type { Transformer } from '../dager/transformer'
import { bertTransformer } from './bert-transformer'
import { gptTransformer } from './gpt-transformer'
import { llamaTransformer } from './llama-transformer'
import { requireModel } from './text-gradients'

/**
 * A model as `exactSequences` of dlg-ts/analytic takes it. Its weights are read when they are needed; keep the model until then.
 *
 * @param model a decoder, or an encoder with a classification head, of two blocks at least
 * @throws DlgError `invalid-model` for another head, or a single block
 */
export function transformerOf(model: TextModel | GptModel | LlamaModel): Transformer {
  requireModel(model, 'encoder or decoder')
  if ('head' in model) return bertTransformer(model)
  return model.kind === 'llama' ? llamaTransformer(model) : gptTransformer(model)
}
