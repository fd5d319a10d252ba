import * as tf from '@tensorflow/tfjs-core'
import { number, requireObject } from '../errors/checks'
import { random } from '../numbers/random'
import { type LlamaModel, llama } from './llama'
import { checkLlamaConfig, type LlamaConfig, llamaShapes } from './llama-shapes'
import { checkRandom, requireRoom } from './random-bert'
import { requireBackend } from './require-backend'

/** Sizes and seed of a random LLaMA. */
export interface RandomLlamaOptions extends Partial<LlamaConfig> {
  readonly vocabularySize: number
  /** Standard deviation of the matrices. Default 0.02, as LLaMA begins its training. */
  readonly std?: number
  /** Default 1234. */
  readonly seed?: number
}

/**
 * A small LLaMA with random weights, two layers of width 64 with four heads of queries and two of keys unless told otherwise: matrices
 * N(0, std²), norms 1.
 *
 * @throws DlgError `invalid-option`; `invalid-model` for a size that is no whole number, or more than 2²⁸ weights; `runtime` where tfjs has no
 * backend
 */
export function randomLlama(options: RandomLlamaOptions): LlamaModel {
  requireObject('options', options, 'an object with a vocabularySize', 'invalid-option')
  const { std = 0.02, seed = 1234, ...sizes } = options
  checkRandom(std, seed)
  const { hidden = 64, heads = 4 } = sizes
  for (const [name, value] of Object.entries({ hidden, heads }))
    number(name, value, (n) => Number.isInteger(n) && n >= 1, 'a whole number of at least 1')
  const config: LlamaConfig = checkLlamaConfig({
    ...{ hidden, heads, layers: 2, keyHeads: heads % 2 === 0 ? heads / 2 : heads, headSize: hidden / heads },
    ...{ intermediate: 2 * hidden, positions: 64, epsilon: 1e-6, theta: 10_000, tied: false },
    ...sizes,
  })
  const shapes = llamaShapes(config)
  requireRoom(shapes)
  requireBackend()
  // a stream apart from those of the searches
  const { normal } = random(seed, 0x6c6c616d)
  const weights = shapes.map(([name, shape]) => {
    const size = tf.util.sizeFromShape([...shape])
    const values =
      shape.length === 1 ? new Float32Array(size).fill(1) : Float32Array.from({ length: size }, () => std * normal())
    return [name, tf.tensor(values, [...shape], 'float32')] as const
  })
  return llama(config, Object.fromEntries(weights))
}
