import * as tf from '@tensorflow/tfjs-core'
import { number, requireObject } from '../errors/checks'
import { random } from '../numbers/random'
import { type GptModel, gpt } from './gpt'
import { checkGptConfig, type GptConfig, gptShapes } from './gpt-shapes'
import { checkRandom, requireRoom } from './random-bert'
import { requireBackend } from './require-backend'

/** Sizes and seed of a random decoder. */
export interface RandomGptOptions extends Partial<GptConfig> {
  readonly vocabularySize: number
  /** Standard deviation of the matrices. Default 0.02, as GPT-2 begins its training. */
  readonly std?: number
  /** Default 1234. */
  readonly seed?: number
}

/** A small decoder with random weights, two layers of width 64 unless told otherwise: matrices N(0, std²), biases 0, layer norms 1 and 0. */
export function randomGpt(options: RandomGptOptions): GptModel {
  requireObject('options', options, 'an object with a vocabularySize', 'invalid-option')
  const { std = 0.02, seed = 1234, ...sizes } = options
  checkRandom(std, seed)
  const hidden = sizes.hidden ?? 64
  number('hidden', hidden, (n) => Number.isInteger(n) && n >= 1, 'a whole number of at least 1')
  const config: GptConfig = checkGptConfig({
    hidden,
    layers: 2,
    heads: 4,
    intermediate: 4 * hidden,
    positions: 64,
    epsilon: 1e-5,
    ...sizes,
  })
  requireRoom(gptShapes(config))
  requireBackend()
  // a stream apart from those of the searches
  const { normal } = random(seed, 0x677074)
  const values = (name: string, size: number): Float32Array =>
    /ln_.\.weight$/.test(name)
      ? new Float32Array(size).fill(1)
      : name.endsWith('.bias')
        ? new Float32Array(size)
        : Float32Array.from({ length: size }, () => std * normal())
  const weights = gptShapes(config).map(([name, shape]) => [
    name,
    tf.tensor(values(name, tf.util.sizeFromShape([...shape])), [...shape], 'float32'),
  ])
  return gpt(config, Object.fromEntries(weights))
}
