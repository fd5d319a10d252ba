import type { GptModel } from '../../models/gpt'
import type { TextModel } from '../../models/text-model'
import type { Transformer } from '../dager/transformer'
import { bertTransformer } from './bert-transformer'
import { gptTransformer } from './gpt-transformer'
import { requireModel } from './text-gradients'

/**
 * A model as `exactSequences` of dlg-ts/analytic takes it. Its weights are read when they are needed; keep the model until then.
 *
 * @param model a decoder, or an encoder with a classification head, of two blocks at least
 * @throws DlgError `invalid-model` for another head, or a single block
 */
export function transformerOf(model: TextModel | GptModel): Transformer {
  requireModel(model, 'encoder or decoder')
  return 'head' in model ? bertTransformer(model) : gptTransformer(model)
}
