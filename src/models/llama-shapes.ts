import { requireObject, show } from '../errors/checks'
import { countOf } from '../errors/counted'
import { DlgError } from '../errors/dlg-error'
import { mostOf } from './bert-config'
import { type ConfigFile, requireField, requireFloats, requireNextToken } from './config-file'
import { OUTPUT } from './gpt-shapes'

/** Sizes of a LLaMA decoder. */
export interface LlamaConfig {
  readonly vocabularySize: number
  readonly hidden: number
  readonly layers: number
  /** Heads of the queries. */
  readonly heads: number
  /** Heads of the keys and values: each serves `heads / keyHeads` heads of the queries. */
  readonly keyHeads: number
  /** Numbers of one head, an even number. */
  readonly headSize: number
  /** Width of the gated layer of a block. */
  readonly intermediate: number
  /** Most tokens of a sequence. */
  readonly positions: number
  /** ε of the norms. */
  readonly epsilon: number
  /** Base of the angles by which positions turn queries and keys, 10,000 in the first LLaMA. */
  readonly theta: number
  /** Whether the word table is the output matrix too. */
  readonly tied: boolean
}

/** Name of the word table. */
export const LLAMA_TOKENS = 'embed_tokens.weight'
/** Name of the scale of the last norm. */
export const LLAMA_NORM = 'norm.weight'

const SIZES = [
  ...(['vocabularySize', 'hidden', 'layers', 'heads', 'keyHeads', 'headSize'] as const),
  ...(['intermediate', 'positions'] as const),
]

/** @throws DlgError `invalid-file` for a decoder that computes something else, or sizes that are missing */
export function llamaConfig(file: ConfigFile): LlamaConfig {
  requireFloats(file)
  requireNextToken(file)
  requireField(file, 'hidden_act', ['silu'], 'only silu is supported in a LLaMA')
  for (const field of ['attention_bias', 'mlp_bias'])
    requireField(file, field, [false], 'a LLaMA with biases is not supported')
  const rope = (file.rope_parameters ?? file.rope_scaling ?? {}) as Record<string, unknown>
  requireField(rope, 'rope_type', ['default'], 'scaled angles of the positions are not supported')
  requireField(rope, 'type', ['default'], 'scaled angles of the positions are not supported')
  const size = (name: string): number => file[name] as number
  const [hidden, heads] = [size('hidden_size'), size('num_attention_heads')]
  return checkLlamaConfig(
    {
      vocabularySize: size('vocab_size'),
      hidden,
      layers: size('num_hidden_layers'),
      heads,
      keyHeads: (file.num_key_value_heads as number | null | undefined) ?? heads,
      headSize: (file.head_dim as number | null | undefined) ?? hidden / heads,
      intermediate: size('intermediate_size'),
      positions: size('max_position_embeddings'),
      epsilon: (file.rms_norm_eps as number | undefined) ?? 1e-6,
      theta: ((rope.rope_theta ?? file.rope_theta) as number | undefined) ?? 10_000,
      tied: file.tie_word_embeddings === true,
    },
    'invalid-file',
  )
}

/** @throws DlgError naming the first size that is not one */
export function checkLlamaConfig(
  config: LlamaConfig,
  code: 'invalid-file' | 'invalid-model' = 'invalid-model',
): LlamaConfig {
  requireObject('the config', config, `an object with ${SIZES.join(', ')}`, code)
  for (const name of SIZES) {
    const most = mostOf(name === 'keyHeads' ? 'heads' : name)
    if (!(Number.isInteger(config[name]) && config[name] >= 1 && config[name] <= most))
      throw new DlgError(
        code,
        `${name} of the decoder is ${show(config[name])}; it must be a whole number from 1 to ${most}`,
      )
  }
  const { heads, keyHeads, headSize, epsilon, theta, tied } = config
  if (heads % keyHeads !== 0)
    throw new DlgError(code, `${countOf(heads, 'head')} cannot share ${countOf(keyHeads, 'head')} of keys evenly`)
  if (headSize % 2 !== 0)
    throw new DlgError(
      code,
      `headSize of the decoder is ${headSize}; it must be even, for positions turn pairs of numbers`,
    )
  for (const [name, value] of Object.entries({ epsilon, theta }))
    if (typeof value !== 'number' || !(value > 0 && value < Infinity))
      throw new DlgError(code, `${name} of the decoder is ${show(value)}; it must be a number above 0`)
  if (typeof tied !== 'boolean')
    throw new DlgError(code, `tied of the decoder is ${show(tied)}; it must be true or false`)
  return config
}

/** Weights of the decoder by their Hugging Face names, in the order of PyTorch's parameters; matrices are [out, in]. */
export function llamaShapes(config: LlamaConfig): readonly (readonly [name: string, shape: readonly number[]])[] {
  const { vocabularySize, hidden, layers, heads, keyHeads, headSize, intermediate, tied } = config
  const block = (at: string) =>
    [
      [`${at}.self_attn.q_proj.weight`, [heads * headSize, hidden]],
      [`${at}.self_attn.k_proj.weight`, [keyHeads * headSize, hidden]],
      [`${at}.self_attn.v_proj.weight`, [keyHeads * headSize, hidden]],
      [`${at}.self_attn.o_proj.weight`, [hidden, heads * headSize]],
      [`${at}.mlp.gate_proj.weight`, [intermediate, hidden]],
      [`${at}.mlp.up_proj.weight`, [intermediate, hidden]],
      [`${at}.mlp.down_proj.weight`, [hidden, intermediate]],
      [`${at}.input_layernorm.weight`, [hidden]],
      [`${at}.post_attention_layernorm.weight`, [hidden]],
    ] as const
  return [
    [LLAMA_TOKENS, [vocabularySize, hidden]],
    ...Array.from({ length: layers }, (_, i) => block(`layers.${i}`)).flat(),
    [LLAMA_NORM, [hidden]],
    ...(tied ? [] : ([[OUTPUT, [vocabularySize, hidden]]] as const)),
  ]
}
