import { requireObject, show } from '../errors/checks'
import { DlgError } from '../errors/dlg-error'
import { mostOf } from './bert-config'

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
}

/** Name of the word table, which is the output matrix too. */
export const TOKENS = 'wte.weight'
/** Name of the position table. */
export const PLACES = 'wpe.weight'

type Shapes = readonly (readonly [name: string, shape: readonly number[]])[]

const SIZES = ['vocabularySize', 'hidden', 'layers', 'heads', 'intermediate', 'positions'] as const

/** @throws DlgError `invalid-model` naming the first size that is not one */
export function checkGptConfig(config: GptConfig): GptConfig {
  requireObject('the config', config, `an object with ${SIZES.join(', ')}`, 'invalid-model')
  for (const name of SIZES)
    if (!(Number.isInteger(config[name]) && config[name] >= 1 && config[name] <= mostOf(name)))
      throw new DlgError(
        'invalid-model',
        `${name} of the decoder is ${show(config[name])}; it must be a whole number from 1 to ${mostOf(name)}`,
      )
  if (config.hidden % config.heads !== 0)
    throw new DlgError('invalid-model', `hidden size ${config.hidden} does not split into ${config.heads} heads`)
  if (typeof config.epsilon !== 'number' || !(config.epsilon > 0))
    throw new DlgError('invalid-model', `epsilon of the decoder is ${show(config.epsilon)}; it must be above 0`)
  return config
}

/** Weights of the decoder by their Hugging Face names, in the order of PyTorch's parameters; matrices are [in, out]. */
export function gptShapes({ vocabularySize, hidden, layers, intermediate, positions }: GptConfig): Shapes {
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
  ]
}
