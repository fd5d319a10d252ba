import { Tensor } from '@tensorflow/tfjs-core'
import { type NamedGradients, namedGradients, type SharedByName } from '../../client/shared/read-gradients'
import { tensorValues } from '../../client/shared/tensor-values'
import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import { POSITIONS, TOKEN_BIAS, WORDS } from '../../models/bert-shapes'
import type { TextModel } from '../../models/text-model'
import type { Values } from '../../runtime/runtime'
import { CUT, paced, pauses } from '../contract/pause'
import { type FirstInputs, spanTokenSteps } from '../dager/first-inputs'
import { type DecodedToken, sequenceLength, type Table, tiedTokenSet, tokenSet } from '../tokens/token-set'
import { requireModel } from './text-gradients'

/**
 * @param size how many numbers it must have; default any
 * @throws DlgError `invalid-gradients` when it was not shared, has another size, or is not finite
 */
export async function gradientOf(shared: NamedGradients, name: string, size?: number): Promise<Values> {
  if (!Object.hasOwn(shared, name))
    throw new DlgError('invalid-gradients', `there is no gradient of '${name}', which is needed here`)
  const values = await tensorValues(shared[name], `gradient of '${name}'`, Float32Array)
  if (size === undefined || values.length === size) return values
  throw new DlgError(
    'invalid-gradients',
    `the gradient of '${name}' has ${countOf(values.length, 'number')}; its weight has ${size}`,
  )
}

/** Rows of a tied table that are kept for each token of the sentence: which ones it touches is an estimate there. */
const GENEROUS = 4

/** How many tokens the sentence has, from the gradient of the position table. */
export async function lengthOf(model: TextModel, shared: NamedGradients): Promise<number> {
  const { hidden, positionOffset = 0 } = model.config
  const length = sequenceLength({ data: await gradientOf(shared, POSITIONS), width: hidden }) - positionOffset
  if (length > 0) return length
  throw new DlgError('invalid-gradients', `the gradient of '${POSITIONS}' is zero everywhere; give the length`)
}

/** The tokens the word-embedding table's gradient gives away, when it was shared. */
export async function tokensOf(
  model: TextModel,
  shared: NamedGradients,
  length: number,
): Promise<number[] | undefined> {
  if (!Object.hasOwn(shared, WORDS)) return undefined
  const table = { data: await gradientOf(shared, WORDS), width: model.config.hidden }
  return model.head === 'mlm'
    ? tiedTokenSet(table, await gradientOf(shared, TOKEN_BIAS), GENEROUS * length)
    : tokenSet(table)
}

export async function wordTable(model: TextModel): Promise<Table> {
  return { data: (await model.words.data()) as Float32Array, width: model.config.hidden }
}

/** The tables and layer norm that make the input of an encoder's first block. */
export async function firstInputs(model: TextModel): Promise<FirstInputs> {
  const { weights, config } = model
  const read = async (name: string) => {
    const weight: unknown = weights[`embeddings.${name}`]
    if (weight instanceof Tensor && !weight.isDisposed) return (await weight.data()) as Float32Array
    throw new DlgError(
      'invalid-model',
      `the encoder has no weight 'embeddings.${name}', or it is disposed; it must have it`,
    )
  }
  const { hidden, typeVocabulary, positionOffset = 0 } = config
  const places = (await read('position_embeddings.weight')).subarray(positionOffset * hidden)
  const type = typeVocabulary > 0 ? await read('token_type_embeddings.weight') : new Float32Array(hidden)
  const positions = places.map((v, i) => v + type[i % hidden])
  return {
    words: await wordTable(model),
    positions: { data: positions, width: hidden },
    gamma: await read('LayerNorm.weight'),
    beta: await read('LayerNorm.bias'),
    epsilon: config.epsilon,
  }
}

/**
 * The tokens the encoder saw, in closed form from its first block; see {@link spanTokens}.
 *
 * @throws DlgError `invalid-model`, and as {@link spanTokens}
 */
export async function tokensBySpan(
  model: TextModel,
  shared: SharedByName,
  length: number,
  allowed?: readonly number[],
): Promise<DecodedToken[]> {
  requireModel(model, 'encoder')
  return tokensInSpan(model, shared, length, allowed)
}

/** Like {@link tokensBySpan}, until a signal is aborted. @throws DlgError `aborted` */
export async function tokensInSpan(
  model: TextModel,
  shared: SharedByName,
  length: number,
  allowed?: readonly number[],
  signal?: AbortSignal,
): Promise<DecodedToken[]> {
  const named = namedGradients(shared)
  const attention = ['query', 'key', 'value'].map((part) => `encoder.layer.0.attention.self.${part}.weight`)
  const gradients = await Promise.all(attention.map((name) => gradientOf(named, name)))
  const steps = spanTokenSteps(await firstInputs(model), gradients, length, allowed)
  try {
    return await paced(
      steps,
      pauses(() => !signal?.aborted),
    )
  } catch (cut) {
    if (cut !== CUT) throw cut
    throw new DlgError('aborted', 'the signal was aborted before the search began')
  }
}
