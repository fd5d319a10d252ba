import { requireObject, show } from '../errors/checks'
import { countOf } from '../errors/counted'
import { DlgError } from '../errors/dlg-error'
import { mostOf } from './bert-config'
import {
  type Activation,
  activationNames,
  activationOf,
  type ConfigFile,
  requireField,
  requireFloats,
  requireNextToken,
} from './config-file'

/** Sizes of a GPT-2 decoder. */
export interface GptConfig {
  readonly vocabularySize: number
  readonly hidden: number
  readonly layers: number
  readonly heads: number
  /** Width between the two dense layers of a block. */
  readonly intermediate: number
  /** Most tokens of a sequence. */
  readonly positions: number
  /** ε of the layer norms. */
  readonly epsilon: number
  /** Default gelu_new: x·Φ(x) approximated by tanh. */
  readonly activation?: 'gelu' | 'gelu_new' | 'relu'
  /** Whether the word table is the output matrix too. Default true. */
  readonly tied?: boolean
}

/** Name of the word table. */
export const TOKENS = 'wte.weight'
/** Name of the output matrix, where that is not the word table. */
export const OUTPUT = 'lm_head.weight'
/** Name of the matrix that the logits come from. */
export const outputOf = ({ tied = true }: { readonly tied?: boolean }, words: string = TOKENS): string =>
  tied ? words : OUTPUT
/** Name of the position table. */
export const PLACES = 'wpe.weight'

type Shapes = readonly (readonly [name: string, shape: readonly number[]])[]

const SIZES = ['vocabularySize', 'hidden', 'layers', 'heads', 'intermediate', 'positions'] as const

/** @throws DlgError `invalid-file` for a decoder that computes something else, or sizes that are missing */
export function gptConfig(file: ConfigFile): GptConfig {
  requireFloats(file)
  requireNextToken(file)
  requireField(file, 'scale_attn_weights', [true], 'attention without the division by √d is not supported')
  requireField(
    file,
    'scale_attn_by_inverse_layer_idx',
    [false],
    'attention that is divided by the number of its block is not supported',
  )
  requireField(file, 'add_cross_attention', [false], 'cross-attention is not supported')
  const size = (...names: string[]): number => names.map((name) => file[name]).find((v) => v !== undefined) as number
  const hidden = size('n_embd', 'hidden_size')
  return checkGptConfig(
    {
      vocabularySize: size('vocab_size'),
      hidden,
      layers: size('n_layer', 'num_hidden_layers'),
      heads: size('n_head', 'num_attention_heads'),
      intermediate: (file.n_inner as number | null | undefined) ?? 4 * hidden,
      positions: size('n_positions', 'n_ctx', 'max_position_embeddings'),
      epsilon: (file.layer_norm_epsilon as number | undefined) ?? 1e-5,
      activation: activationOf(file, 'activation_function', 'gelu_new'),
      tied: file.tie_word_embeddings !== false,
    },
    'invalid-file',
  )
}

/** @throws DlgError naming the first size that is not one */
export function checkGptConfig(config: GptConfig, code: 'invalid-file' | 'invalid-model' = 'invalid-model'): GptConfig {
  requireObject('the config', config, `an object with ${SIZES.join(', ')}`, code)
  for (const name of SIZES)
    if (!(Number.isInteger(config[name]) && config[name] >= 1 && config[name] <= mostOf(name)))
      throw new DlgError(
        code,
        `${name} of the decoder is ${show(config[name])}; it must be a whole number from 1 to ${mostOf(name)}`,
      )
  const { activation = 'gelu_new', tied = true } = config
  if (!activationNames.includes(activation as Activation))
    throw new DlgError(code, `activation of the decoder is ${show(activation)}; it must be gelu, gelu_new or relu`)
  if (typeof tied !== 'boolean')
    throw new DlgError(code, `tied of the decoder is ${show(tied)}; it must be true or false`)
  if (config.hidden % config.heads !== 0)
    throw new DlgError(code, `hidden size ${config.hidden} does not split into ${countOf(config.heads, 'head')}`)
  if (typeof config.epsilon !== 'number' || !(config.epsilon > 0))
    throw new DlgError(code, `epsilon of the decoder is ${show(config.epsilon)}; it must be above 0`)
  return config
}

/** Weights of the decoder by their Hugging Face names, in the order of PyTorch's parameters; matrices are [in, out]. */
export function gptShapes({ vocabularySize, hidden, layers, intermediate, positions, tied = true }: GptConfig): Shapes {
  const pair = (name: string, weight: readonly number[]): Shapes => [
    [`${name}.weight`, weight],
    [`${name}.bias`, weight.slice(-1)],
  ]
  const block = (at: string): Shapes => [
    ...pair(`${at}.ln_1`, [hidden]),
    ...pair(`${at}.attn.c_attn`, [hidden, 3 * hidden]),
    ...pair(`${at}.attn.c_proj`, [hidden, hidden]),
    ...pair(`${at}.ln_2`, [hidden]),
    ...pair(`${at}.mlp.c_fc`, [hidden, intermediate]),
    ...pair(`${at}.mlp.c_proj`, [intermediate, hidden]),
  ]
  return [
    [TOKENS, [vocabularySize, hidden]],
    [PLACES, [positions, hidden]],
    ...Array.from({ length: layers }, (_, i) => block(`h.${i}`)).flat(),
    ...pair('ln_f', [hidden]),
    ...(tied ? [] : ([[OUTPUT, [vocabularySize, hidden]]] as const)),
  ]
}
