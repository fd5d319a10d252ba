import { requireObject, show } from '../errors/checks'
import { DlgError } from '../errors/dlg-error'
import {
  type Activation,
  activationNames,
  activationOf,
  type ConfigFile,
  configFile,
  requireField,
  requireFloats,
} from './config-file'

/** Sizes of a BERT encoder, or of a RoBERTa or DistilBERT. */
export interface BertConfig {
  readonly vocabularySize: number
  readonly hidden: number
  readonly layers: number
  readonly heads: number
  /** Width between the two dense layers of a block. */
  readonly intermediate: number
  /** Most tokens of a sequence. */
  readonly positions: number
  /** Rows of the table of token types; 0 where there is none, as in DistilBERT. */
  readonly typeVocabulary: number
  /** ε of the layer norms. */
  readonly epsilon: number
  /** `gelu` is x·Φ(x) with the error function, `gelu_new` its approximation by tanh. */
  readonly activation: 'gelu' | 'gelu_new' | 'relu'
  /** Rows of the position table before that of the first token. Default 0; RoBERTa has 2. */
  readonly positionOffset?: number
  /** What follows the dense layer of the head `first`. Default tanh; DistilBERT has relu. */
  readonly pooler?: 'tanh' | 'relu'
}

const SIZES = ['vocabularySize', 'hidden', 'layers', 'heads', 'intermediate', 'positions', 'typeVocabulary'] as const

/** The largest size that is believed, before anything of it is allocated. */
export const MOST = 10_000_000

/** The largest value of one size that is believed: a model has far fewer blocks than tokens. */
export const mostOf = (size: string): number => (size === 'layers' || size === 'heads' ? 1000 : MOST)

/** The families of encoders that compute what BERT computes. */
const FAMILIES = ['bert', 'roberta', 'xlm-roberta', 'camembert', 'distilbert'] as const

/**
 * Reads what Hugging Face calls config.json, of a BERT, RoBERTa or DistilBERT.
 *
 * @throws DlgError `invalid-file` for an encoder of another kind, or sizes that are missing
 */
export const parseBertConfig = (json: string): BertConfig => bertConfig(configFile(json))

/** @throws DlgError `invalid-file` */
export function bertConfig(file: ConfigFile): BertConfig {
  const { model_type: kind = 'bert', position_embedding_type: position = 'absolute' } = file
  const family = FAMILIES.find((name) => name === kind)
  if (family === undefined || position !== 'absolute')
    throw new DlgError(
      'invalid-file',
      `config.json is of a '${kind}' with ${position} positions; a BERT, RoBERTa or DistilBERT with absolute positions is needed`,
    )
  requireFloats(file)
  requireField(file, 'is_decoder', [false], 'an encoder is needed')
  requireField(
    file,
    'tie_word_embeddings',
    [true],
    'an encoder whose output matrix is not its word table is not supported',
  )
  const size = (name: string): number => file[name] as number
  if (family === 'distilbert')
    return checkConfig(
      {
        vocabularySize: size('vocab_size'),
        hidden: size('dim'),
        layers: size('n_layers'),
        heads: size('n_heads'),
        intermediate: size('hidden_dim'),
        positions: size('max_position_embeddings'),
        typeVocabulary: 0,
        epsilon: 1e-12,
        activation: activationOf(file, 'activation', 'gelu'),
        pooler: 'relu',
      },
      'invalid-file',
    )
  // RoBERTa counts its positions from the one after its padding
  const positionOffset = family === 'bert' ? 0 : ((file.pad_token_id as number | undefined) ?? 1) + 1
  return checkConfig(
    {
      vocabularySize: size('vocab_size'),
      hidden: size('hidden_size'),
      layers: size('num_hidden_layers'),
      heads: size('num_attention_heads'),
      intermediate: size('intermediate_size'),
      positions: size('max_position_embeddings') - positionOffset,
      typeVocabulary: size('type_vocab_size'),
      epsilon: (file.layer_norm_eps as number | undefined) ?? (family === 'bert' ? 1e-12 : 1e-5),
      activation: activationOf(file, 'hidden_act', 'gelu'),
      ...(positionOffset > 0 && { positionOffset }),
    },
    'invalid-file',
  )
}

/** @throws DlgError naming the first size that is not one */
export function checkConfig(config: BertConfig, code: 'invalid-file' | 'invalid-model' = 'invalid-model'): BertConfig {
  requireObject('the config', config, `an object with ${SIZES.join(', ')}`, code)
  for (const name of SIZES) {
    const least = name === 'typeVocabulary' ? 0 : 1
    if (!(Number.isInteger(config[name]) && config[name] >= least && config[name] <= mostOf(name)))
      throw new DlgError(
        code,
        `${name} of the encoder is ${show(config[name])}; it must be a whole number from ${least} to ${mostOf(name)}`,
      )
  }
  const { positionOffset = 0, pooler = 'tanh' } = config
  if (!(Number.isInteger(positionOffset) && positionOffset >= 0 && positionOffset <= MOST))
    throw new DlgError(
      code,
      `positionOffset of the encoder is ${show(positionOffset)}; it must be a whole number from 0 to ${MOST}`,
    )
  if (pooler !== 'tanh' && pooler !== 'relu')
    throw new DlgError(code, `pooler of the encoder is ${show(pooler)}; it must be tanh or relu`)
  if (!activationNames.includes(config.activation as Activation))
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
