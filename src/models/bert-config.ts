import { requireObject, show } from '../errors/checks'
import { DlgError } from '../errors/dlg-error'

/** Sizes of a BERT encoder. */
export interface BertConfig {
  readonly vocabularySize: number
  readonly hidden: number
  readonly layers: number
  readonly heads: number
  /** Width between the two dense layers of a block. */
  readonly intermediate: number
  /** Most tokens of a sequence. */
  readonly positions: number
  readonly typeVocabulary: number
  /** ε of the layer norms. */
  readonly epsilon: number
  /** `gelu` is x·Φ(x) with the error function, `gelu_new` its approximation by tanh. */
  readonly activation: 'gelu' | 'gelu_new' | 'relu'
}

const SIZES = ['vocabularySize', 'hidden', 'layers', 'heads', 'intermediate', 'positions', 'typeVocabulary'] as const

/** The largest size that is believed, before anything of it is allocated. */
export const MOST = 10_000_000

/** The largest value of one size that is believed: a model has far fewer blocks than tokens. */
export const mostOf = (size: string): number => (size === 'layers' || size === 'heads' ? 1000 : MOST)

const ACTIVATIONS = { gelu: 'gelu', gelu_new: 'gelu_new', gelu_pytorch_tanh: 'gelu_new', relu: 'relu' } as const

/**
 * Reads what Hugging Face calls config.json.
 *
 * @throws DlgError `invalid-file` for an encoder that is not BERT's, or sizes that are missing
 */
export function parseBertConfig(json: string): BertConfig {
  if (typeof json !== 'string')
    throw new DlgError('invalid-file', `config.json is ${show(json)}; it must be the text of the file`)
  let file: Record<string, unknown>
  try {
    file = JSON.parse(json)
  } catch (cause) {
    throw new DlgError('invalid-file', 'config.json is not JSON', { cause })
  }
  if (typeof file !== 'object' || file === null) throw new DlgError('invalid-file', 'config.json is not an object')
  const { model_type: kind = 'bert', position_embedding_type: position = 'absolute', hidden_act: act = 'gelu' } = file
  if (kind !== 'bert' || position !== 'absolute')
    throw new DlgError(
      'invalid-file',
      `config.json is of a '${kind}' with ${position} positions; a BERT with absolute positions is needed`,
    )
  if (!Object.hasOwn(ACTIVATIONS, act as string))
    throw new DlgError(
      'invalid-file',
      `config.json has hidden_act '${act}'; known are ${Object.keys(ACTIVATIONS).join(', ')}`,
    )
  const config: BertConfig = {
    vocabularySize: file.vocab_size as number,
    hidden: file.hidden_size as number,
    layers: file.num_hidden_layers as number,
    heads: file.num_attention_heads as number,
    intermediate: file.intermediate_size as number,
    positions: file.max_position_embeddings as number,
    typeVocabulary: file.type_vocab_size as number,
    epsilon: (file.layer_norm_eps as number | undefined) ?? 1e-12,
    activation: ACTIVATIONS[act as keyof typeof ACTIVATIONS],
  }
  return checkConfig(config, 'invalid-file')
}

/** @throws DlgError naming the first size that is not one */
export function checkConfig(config: BertConfig, code: 'invalid-file' | 'invalid-model' = 'invalid-model'): BertConfig {
  requireObject('the config', config, `an object with ${SIZES.join(', ')}`, code)
  for (const name of SIZES)
    if (!(Number.isInteger(config[name]) && config[name] >= 1 && config[name] <= mostOf(name)))
      throw new DlgError(
        code,
        `${name} of the encoder is ${show(config[name])}; it must be a whole number from 1 to ${mostOf(name)}`,
      )
  if (!Object.values(ACTIVATIONS).includes(config.activation))
    throw new DlgError(
      code,
      `activation of the encoder is ${show(config.activation)}; it must be gelu, gelu_new or relu`,
    )
  if (config.hidden % config.heads !== 0)
    throw new DlgError(code, `hidden size ${config.hidden} does not split into ${config.heads} heads`)
  if (typeof config.epsilon !== 'number' || !(config.epsilon > 0))
    throw new DlgError(code, `epsilon of the encoder is ${show(config.epsilon)}; it must be above 0`)
  return config
}
