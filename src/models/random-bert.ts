import * as tf from '@tensorflow/tfjs-core'
import { knownNames, number, requireObject } from '../errors/checks'
import { countOf } from '../errors/counted'
import { DlgError } from '../errors/dlg-error'
import { random } from '../numbers/random'
import { type BertConfig, checkConfig, MOST } from './bert-config'
import { checkHead, encoderShapes, type Head, headShapes } from './bert-shapes'
import { requireBackend } from './require-backend'
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

/** Most numbers of a model with random weights: 1 GB. */
const MOST_WEIGHTS = 2 ** 28

/** Refuses sizes before anything of them is allocated. @throws DlgError `invalid-model` */
export function requireRoom(shapes: Shapes): void {
  const weights = shapes.reduce((sum, [, shape]) => sum + shape.reduce((a, b) => a * b, 1), 0)
  if (weights > MOST_WEIGHTS)
    throw new DlgError(
      'invalid-model',
      `a model of these sizes has ${countOf(weights, 'weight')}; it must have at most ${MOST_WEIGHTS}`,
    )
}

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

/** Weights of a head alone, for an encoder that was loaded. @throws DlgError `invalid-model`, `invalid-option` */
export function randomHead(
  config: BertConfig,
  head: Head,
  options: Pick<RandomBertOptions, 'classes' | 'std' | 'seed'> = {},
): tf.NamedTensorMap {
  checkConfig(config)
  checkHead(head)
  knownNames('options', options, ['classes', 'std', 'seed'])
  const { classes = 2, std = 0.02, seed = 1234 } = options
  number('classes', classes, (n) => Number.isInteger(n) && n >= 1 && n <= MOST, `a whole number from 1 to ${MOST}`)
  checkRandom(std, seed)
  return initialise(headShapes(config, head, classes), std, seed, 1)
}

/** @throws DlgError `invalid-option` */
export function checkRandom(std: number, seed: number): void {
  number('std', std, (v) => v >= 0 && v < Infinity, 'a number of at least 0')
  number('seed', seed, Number.isSafeInteger, 'a whole number')
}

/**
 * A small encoder with random weights: two layers of width 64 unless told otherwise.
 *
 * @throws DlgError `invalid-option`; `invalid-model` for a size that is no whole number, or more than 2²⁸ weights; `runtime` where tfjs has no
 * backend
 */
export function randomBert(options: RandomBertOptions): TextModel {
  requireObject('options', options, 'an object with a vocabularySize', 'invalid-option')
  const { head = 'mean', classes, std = 0.02, seed = 1234, ...sizes } = options
  checkHead(head)
  checkRandom(std, seed)
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
  requireRoom([...encoderShapes(config), ...headShapes(config, head, classes ?? 2)])
  requireBackend()
  const encoder = initialise(encoderShapes(config), std, seed, 0)
  return bert(config, { ...encoder, ...randomHead(config, head, { classes, std, seed }) }, head)
}
