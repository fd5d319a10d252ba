import * as tf from '@tensorflow/tfjs-core'
import { MATCHING } from '../attacks/matching/options'
import type { OutputTargets } from '../client/target-values'
import { countOf } from '../errors/counted'
import { DlgError } from '../errors/dlg-error'
import { random } from '../numbers/random'
import { withChannelsLast } from './channels'
import { OWN_DEFAULTS } from './flags'
import { type FileModel, inputsOf, outputsOf, tensorsOf } from './read-files'
import type { Checked } from './training'

/** A batch for each input, and targets for each output. */
export interface Batch {
  readonly x: readonly tf.Tensor[]
  readonly y: readonly OutputTargets[]
  /** Those of the targets that are tensors. */
  readonly drawn: readonly tf.Tensor[]
}

interface Source {
  readonly data: string | undefined
  readonly labels: readonly number[] | undefined
  readonly given: Checked
}

/**
 * A batch out of a file, or a random one that the model takes; targets are random where no labels are given.
 *
 * @throws DlgError `invalid-file` when the file has other inputs
 */
export function exampleBatch(model: FileModel, { data, labels, given: options }: Source): Batch {
  const { seed = OWN_DEFAULTS.seed, criterion = MATCHING.criterion.default } = options
  const draw = random(seed)
  const given = data === undefined ? undefined : inputsInFile(model, data)
  const batchSize = given?.[0].shape[0] ?? options.batchSize ?? MATCHING.batchSize.default
  const [low, high] = options.dataRange ?? MATCHING.dataRange.default
  const x = inputsOf(model).map(({ name, shape }, i) => {
    if (given) {
      const own = withChannelsLast(given[i], shape.slice(1))
      return tf.tensor(own.data, [...own.shape])
    }
    const tokens = tableSize(model, name)
    const value = () => (tokens ? Math.floor(draw.uniform() * tokens) : low + (high - low) * draw.uniform())
    const whole = batchOf(batchSize, shape)
    return tf.tensor(Float32Array.from({ length: tf.util.sizeFromShape(whole) }, value), whole)
  })
  const y = outputsOf(model).map(({ shape }, i) =>
    i === 0 && labels ? labels : targets(batchOf(batchSize, shape), criterion, draw.uniform),
  )
  return { x, y, drawn: y.filter((t) => t instanceof tf.Tensor) }
}

/** An open axis of a shape gets size 1. The check itself refuses such inputs. */
const batchOf = (batchSize: number, [, ...sample]: readonly (number | null)[]): number[] => [
  batchSize,
  ...sample.map((n) => n ?? 1),
]

function inputsInFile(model: FileModel, path: string) {
  const inputNames = inputsOf(model).map(({ name }) => name)
  const tensors = tensorsOf(path)
  if (inputNames.every((name) => tensors.has(name))) return inputNames.map((name) => tensors.get(name)!)
  if (tensors.size === inputNames.length) return [...tensors.values()]
  // a batch as np.savez(f, x=x, y=y) saves it; the labels come with --labels
  const x = tensors.get('x')
  if (x && tensors.size === 2 && tensors.has('y') && inputNames.length === 1) return [x]
  throw new DlgError(
    'invalid-file',
    `${path}: ${countOf(tensors.size, 'tensor')} for ${countOf(inputNames.length, 'input')}: ${inputNames.join(', ')}`,
  )
}

/** Random classes, or random numbers where the loss compares numbers. */
function targets(shape: number[], criterion: unknown, uniform: () => number): tf.Tensor {
  const classes = shape[shape.length - 1]
  const values = new Float32Array(tf.util.sizeFromShape(shape))
  if (criterion !== 'crossEntropy') return tf.tensor(values.map(uniform), shape)
  for (let row = 0; row < values.length; row += classes) values[row + Math.floor(uniform() * classes)] = 1
  return tf.tensor(values, shape)
}

/** How many rows the embedding has that reads an input, if one does. */
function tableSize(model: FileModel, input: string): number | undefined {
  if (!('layers' in model)) return undefined
  const reader = model.layers.find(
    (layer) => layer.getClassName() === 'Embedding' && [layer.input].flat().some(({ name }) => name === input),
  )
  return reader && Number(reader.getConfig().inputDim)
}
