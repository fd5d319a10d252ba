import * as tf from '@tensorflow/tfjs-core'
import { random } from '../numbers/random'
import { type BertConfig, checkConfig } from './bert-config'
import { encoderShapes, type Head, headShapes } from './bert-shapes'
import { bert, type TextModel } from './text-model'

/** Sizes, head and seed of a random encoder. */
export interface RandomBertOptions extends Partial<BertConfig> {
  readonly vocabularySize: number
  readonly head?: Head
  /** Number of classes of the classification heads. Default 2. */
  readonly classes?: number
  /** Standard deviation of the matrices. Default 0.02, as BERT begins its training. */
  readonly std?: number
  /** Default 1234. */
  readonly seed?: number
}

type Shapes = ReturnType<typeof headShapes>

/** Matrices N(0, std²), biases 0, layer norms 1 and 0: as BERT is initialised. The same seed gives the same weights. */
function initialise(shapes: Shapes, std: number, seed: number, stream: number): tf.NamedTensorMap {
  // streams apart from those of the searches
  const normal = random(seed, stream, 0x62657274).normal
  const values = (name: string, size: number): Float32Array =>
    name.endsWith('LayerNorm.weight')
      ? new Float32Array(size).fill(1)
      : name.endsWith('.bias')
        ? new Float32Array(size)
        : Float32Array.from({ length: size }, () => std * normal())
  return Object.fromEntries(
    shapes.map(([name, shape]) => [
      name,
      tf.tensor(values(name, tf.util.sizeFromShape([...shape])), [...shape], 'float32'),
    ]),
  )
}

/** Weights of a head alone, for an encoder that was loaded. */
export const randomHead = (
  config: BertConfig,
  head: Head,
  { classes = 2, std = 0.02, seed = 1234 }: Pick<RandomBertOptions, 'classes' | 'std' | 'seed'> = {},
): tf.NamedTensorMap => initialise(headShapes(config, head, classes), std, seed, 1)

/** A small encoder with random weights: two layers of width 64 unless told otherwise. */
export function randomBert(options: RandomBertOptions): TextModel {
  const { head = 'mean', classes, std = 0.02, seed = 1234, ...sizes } = options
  const config: BertConfig = checkConfig({
    hidden: 64,
    layers: 2,
    heads: 4,
    intermediate: 256,
    positions: 64,
    typeVocabulary: 2,
    epsilon: 1e-12,
    activation: 'gelu',
    ...sizes,
  })
  const encoder = initialise(encoderShapes(config), std, seed, 0)
  return bert(config, { ...encoder, ...randomHead(config, head, { classes, std, seed }) }, head)
}
