import * as tf from '@tensorflow/tfjs-core'
import { count, invalid, knownNames, number, show } from '../errors/checks'
import { random } from '../numbers/random'
import type { GptModel } from './gpt'
import { type LoraOptions, lora, requireBase } from './lora'
import { checkRandom } from './random-bert'
import type { TextModel } from './text-model'

/** Which matrices get random adapters. */
export interface RandomLoraOptions extends Partial<LoraOptions> {
  /** Default 8. */
  readonly rank?: number
  /** Ends of the names of the adapted modules, PEFT's `target_modules`. Default query and value, or GPT-2's c_attn. */
  readonly targets?: readonly string[]
  /** Blocks that have adapters. Default all. */
  readonly layers?: readonly number[]
  /** Standard deviation of B. Default 0, as every training begins: the product B A is zero then, and so is the gradient of A. */
  readonly trained?: number
  /** Whether an encoder's classifier is trained beside the adapters, as PEFT does for classification. Default true. */
  readonly head?: boolean
  /** Default 1234. */
  readonly seed?: number
}

/** Most numbers of a half of an adapter: 1 GiB. */
const MOST_NUMBERS = 2 ** 28

/**
 * A model with random adapters, as PEFT begins: A uniform within ±1/√in, B zero unless `trained` says otherwise.
 *
 * @param model stays the caller's, and must outlive the adapted one
 * @throws DlgError `invalid-model`; `invalid-option` where the targets match no matrix
 */
export function randomLora<M extends TextModel | GptModel>(model: M, options: RandomLoraOptions = {}): M {
  requireBase(model)
  knownNames('options', options, [
    ...['rank', 'alpha', 'rankStabilized', 'targets', 'layers', 'trained', 'head', 'seed'],
  ])
  const isEncoder = 'head' in model
  const { rank = 8, trained = 0, seed = 1234, head = true, layers, rankStabilized } = options
  const { targets = isEncoder ? ['query', 'value'] : ['c_attn'], alpha = rank } = options
  count('rank', rank)
  checkRandom(1, seed)
  number('trained', trained, (v) => v >= 0 && Number.isFinite(v), 'a number of at least 0')
  if (!Array.isArray(targets) || targets.some((target) => typeof target !== 'string'))
    throw invalid(`targets is ${show(targets)}; it must be a list of names of modules`)
  if (layers !== undefined && (!Array.isArray(layers) || layers.some((layer) => !Number.isInteger(layer))))
    throw invalid(`layers is ${show(layers)}; it must be a list of whole numbers`)
  if (typeof head !== 'boolean') throw invalid(`head is ${show(head)}; it must be true or false`)
  const isWanted = (name: string): boolean => {
    const module = name.replace(/\.weight$/, '')
    const layer = Number(/(?:^|\.)(\d+)\./.exec(name)?.[1] ?? -1)
    const named = targets.some((target) => module === target || module.endsWith(`.${target}`))
    return name.endsWith('.weight') && named && (layers?.includes(layer) ?? true)
  }
  const names = Object.keys(model.weights).filter((name) => isWanted(name) && model.weights[name].shape.length === 2)
  if (names.length === 0)
    throw invalid(
      `no matrix of the model has a name that ends with ${targets.join(' or ')}${layers ? ` in the layers ${layers}` : ''}`,
    )
  for (const name of names) {
    const { shape } = model.weights[name]
    const most = Math.floor(MOST_NUMBERS / Math.max(...shape))
    if (rank > most) throw invalid(`rank is ${rank}; an adapter of '${name}' [${shape}] must have at most ${most}`)
  }
  const { uniform, normal } = random(seed, 0x6c6f7261)
  const numbers = (size: number, next: () => number) => Float32Array.from({ length: size }, next)
  const weights: tf.NamedTensorMap = {}
  for (const name of names) {
    const { shape } = model.weights[name]
    const [inputs, outputs] = isEncoder ? [shape[1]!, shape[0]] : [shape[0], shape[1]!]
    const module = `base_model.model.${name.replace(/\.weight$/, '')}`
    const bound = 1 / Math.sqrt(inputs)
    weights[`${module}.lora_A.weight`] = tf.tensor2d(
      numbers(rank * inputs, () => bound * (2 * uniform() - 1)),
      [rank, inputs],
    )
    weights[`${module}.lora_B.weight`] = tf.tensor2d(
      numbers(outputs * rank, () => trained * normal()),
      [outputs, rank],
    )
  }
  if (isEncoder && head)
    for (const name of ['classifier.weight', 'classifier.bias'].filter((own) => Object.hasOwn(model.weights, own)))
      weights[`base_model.model.${name}`] = model.weights[name].clone()
  return lora(model, weights, { alpha, ...(rankStabilized !== undefined && { rankStabilized }) })
}
