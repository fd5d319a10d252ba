import type { LayersModel } from '@tensorflow/tfjs-layers'
import { countOf } from '../errors/counted'
import { DlgError } from '../errors/dlg-error'
import type { Float32Tensor, LeftOut, NamedTensors } from '../io'
import { isList } from '../io/layouts/list-layers'

type Weights = LayersModel['weights']

/** The tensors of a file that belong to weights, by the names under which the attack knows them. */
export type TensorsByWeight = Readonly<Record<string, Float32Tensor>>

/** How names and order are treated. */
interface Matching {
  readonly ordered: boolean
  readonly partial: boolean
  /** Whether weights that are not trained are wanted too. */
  readonly frozen: boolean
  /** Tensors of the file that hold no floats. */
  readonly leftOut: readonly LeftOut[]
}

const KERAS_NAMES = 'np.savez(f, **{w.path: a for w, a in zip(model.weights, arrays)})'

/**
 * Gives each trained weight its tensor. Tensors of weights that are not trained are left out.
 *
 * Names count, as `model.json` has them, and after them as Keras has them: with `:0` behind, the model's name in front, or the name of
 * a cell in the middle; then as `gradientsOf` has them, with the number that tfjs puts behind a name it has seen before.
 * Where the file has no names, the order counts: that of the trained weights, that of all weights in tfjs, or layer by layer
 * as Keras's `get_weights()`, whichever is the first that fits all shapes.
 *
 * @throws DlgError `invalid-gradients` naming the file and the first tensor that does not fit
 */
export function byWeight(
  tensors: NamedTensors,
  model: LayersModel,
  path: string,
  { ordered, partial, frozen, leftOut }: Matching,
): TensorsByWeight {
  const trained = new Set(model.trainableWeights)
  const pairs =
    ordered || isList([...tensors.keys()]) ? inOrder(tensors, model, path) : named(tensors, model.weights, path)
  const fitting = pairs.filter(({ weight }) => frozen || trained.has(weight))
  for (const { name, tensor, weight } of pairs) requireShape(name, tensor, weight, path)
  const missing = model.trainableWeights.find((w) => !fitting.some(({ weight }) => weight === w))
  const whole = missing && leftOut.find(({ name }) => weightNamed(name, [missing]))
  if (whole)
    throw new DlgError(
      'invalid-gradients',
      `${path}: '${whole.name}' is ${whole.type}, and what a weight shares must be floats; save it with .astype(np.float32)`,
    )
  if (missing && !partial)
    throw new DlgError(
      'invalid-gradients',
      `${path}: has no '${missing.originalName}' [${missing.shape.join(', ')}], a trained weight; --partial leaves such weights out of the matching`,
    )
  return Object.fromEntries(fitting.map(({ tensor, weight }) => [weight.name, tensor]))
}

interface Pair {
  readonly name: string
  readonly tensor: Float32Tensor
  readonly weight: Weights[number]
}

function named(tensors: NamedTensors, weights: Weights, path: string): Pair[] {
  const taken = new Map<Weights[number], string>()
  return [...tensors].map(([name, tensor]) => {
    const weight = weightNamed(name, weights)
    if (!weight)
      throw new DlgError(
        'invalid-gradients',
        `${path}: '${name}' is no weight of the model, which has ${listed(weights.map((w) => w.originalName))}; PyTorch's names need --layout pytorch, an order that counts --by-order, and what is no weight --ignore '${name}'`,
      )
    const other = taken.get(weight)
    if (other !== undefined)
      throw new DlgError('invalid-gradients', `${path}: '${other}' and '${name}' are both '${weight.originalName}'`)
    taken.set(weight, name)
    return { name, tensor, weight }
  })
}

/**
 * The weight of a name: as it is, else without the `:0` of Keras, else without the names of models in front, else without the name
 * of a layer within a layer, such as the cell of an LSTM; else without the number that tfjs puts behind a name that its process has
 * seen before, such as that of a second copy of the model: `conv/kernel_1`.
 */
function weightNamed(name: string, weights: Weights): Weights[number] | undefined {
  const bare = name.replace(/:\d+$/, '')
  for (const candidate of [name, ...shorter(bare), ...shorter(bare.replace(/_\d+$/, ''))]) {
    const found = weights.find(({ originalName }) => originalName === candidate)
    if (found) return found
  }
  return undefined
}

/** A path without names in front, and without the one before the last. */
function shorter(name: string): string[] {
  const parts = name.split('/')
  const within = [...parts.slice(0, -2), ...parts.slice(-1)]
  return [parts, within].flatMap((list) => list.map((_, i) => list.slice(i).join('/')))
}

function inOrder(tensors: NamedTensors, model: LayersModel, path: string): Pair[] {
  const { weights, trainableWeights } = model
  const byLayer = model.layers.flatMap((layer) => layer.weights)
  const orders = [trainableWeights, weights, byLayer].filter((list) => list.length === tensors.size)
  if (orders.length === 0)
    throw new DlgError(
      'invalid-gradients',
      `${path}: ${countOf(tensors.size, 'tensor')} for ${countOf(trainableWeights.length, 'trained weight')}: ${listed(trainableWeights.map((w) => w.originalName))}; a list of another length must be saved with names: ${KERAS_NAMES}`,
    )
  const paired = orders.map((order) => [...tensors].map(([name, tensor], i) => ({ name, tensor, weight: order[i] })))
  return paired.find((pairs) => pairs.every(({ tensor, weight }) => fits(tensor, weight))) ?? misfit(paired[0], path)
}

function misfit(pairs: readonly Pair[], path: string): never {
  const { name, tensor, weight } = pairs.find((pair) => !fits(pair.tensor, pair.weight)) as Pair
  throw new DlgError(
    'invalid-gradients',
    `${path}: '${name}' has shape [${tensor.shape.join(', ')}]; weight '${weight.originalName}' in its place has [${weight.shape.join(', ')}], and layer by layer, as get_weights() of Keras lists them, they do not fit either; a list of PyTorch needs --layout pytorch, any other must be saved with names: ${KERAS_NAMES}`,
  )
}

const fits = ({ shape }: Float32Tensor, weight: Weights[number]): boolean => shape.join() === weight.shape.join()

function requireShape(
  name: string,
  { shape }: Float32Tensor,
  { originalName, shape: wanted }: Weights[number],
  path: string,
) {
  if (shape.join() === wanted.join()) return
  const what = name === originalName ? 'the weight' : `weight '${originalName}'`
  throw new DlgError(
    'invalid-gradients',
    `${path}: '${name}' has shape [${shape.join(', ')}]; ${what} has [${wanted.join(', ')}]`,
  )
}

const listed = (names: readonly string[]): string => `${names.slice(0, 12).join(', ')}${names.length > 12 ? ', …' : ''}`
