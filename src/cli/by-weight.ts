import type { LayersModel } from '@tensorflow/tfjs-layers'
import { DlgError } from '../errors/dlg-error'
import type { Float32Tensor, NamedTensors } from '../io'

type Weights = LayersModel['weights']

/** The tensors of a file that belong to weights, by the names under which the attack knows them. */
export type TensorsByWeight = Readonly<
  Record<string, { readonly shape: readonly number[]; readonly data: Float32Array }>
>

/** How names and order are treated. */
interface Matching {
  readonly ordered: boolean
  readonly partial: boolean
  /** Whether weights that are not trained are wanted too. */
  readonly frozen: boolean
}

/** How archives and lists call tensors that nobody named. */
const UNNAMED = /^(arr_)?\d+$/

/**
 * Gives each trained weight its tensor: by the weights' names as `model.json` has them, or in their order where the file has
 * no names. Tensors of weights that are not trained are left out.
 *
 * @throws DlgError `invalid-gradients` naming the file and the first tensor that does not fit
 */
export function byWeight(
  tensors: NamedTensors,
  model: LayersModel,
  path: string,
  { ordered, partial, frozen }: Matching,
): TensorsByWeight {
  const names = [...tensors.keys()]
  const trained = new Set(model.trainableWeights)
  const pairs =
    ordered || names.every((name) => UNNAMED.test(name))
      ? inOrder(tensors, model, path)
      : named(tensors, model.weights, path)
  const fitting = pairs.filter(({ weight }) => frozen || trained.has(weight))
  for (const { name, tensor, weight } of pairs) requireShape(name, tensor, weight, path)
  const missing = model.trainableWeights.find((w) => !fitting.some(({ weight }) => weight === w))
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
  const byName = new Map(weights.map((w) => [w.originalName, w]))
  return [...tensors].map(([name, tensor]) => {
    const weight = byName.get(name)
    if (weight) return { name, tensor, weight }
    throw new DlgError(
      'invalid-gradients',
      `${path}: '${name}' is no weight of the model, which has ${listed([...byName.keys()])}; PyTorch's names need --layout pytorch, an order that counts --by-order`,
    )
  })
}

function inOrder(tensors: NamedTensors, { weights, trainableWeights }: LayersModel, path: string): Pair[] {
  const order = [trainableWeights, weights].find((list) => list.length === tensors.size)
  if (!order)
    throw new DlgError(
      'invalid-gradients',
      `${path}: ${tensors.size} tensors for ${trainableWeights.length} trained weights: ${listed(trainableWeights.map((w) => w.originalName))}`,
    )
  return [...tensors].map(([name, tensor], i) => ({ name, tensor, weight: order[i] }))
}

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
