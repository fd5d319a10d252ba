import { Tensor } from '@tensorflow/tfjs-core'
import { DlgError } from '../errors'
import { sameShape, sizeOf } from '../graph'
import type { Weight } from '../model/model'
import type { Values } from '../runtime/runtime'

/** A tensor as plain data: numbers in row-major order. */
export interface PlainTensor {
  readonly shape: readonly number[]
  readonly data: ArrayLike<number>
}

/** What was shared: one tensor per trained weight, as a list in the model's order or as a map by the weights' names. */
export type SharedGradients = readonly (Tensor | PlainTensor)[] | { readonly [name: string]: Tensor | PlainTensor }

/** What kind of tensors are read, for error messages: a gradient, a delta. */
type Noun = string

/** Precision they are kept in. */
type Precision<T> = { from(values: ArrayLike<number>, turn?: (v: number) => number): T }

const describe = (shape: readonly number[]): string => `[${shape.join(', ')}]`
const invalid = (message: string): DlgError => new DlgError('invalid-gradients', message)

/**
 * The shared tensors' numbers in the order of the weights. Nothing of the caller's is changed or kept.
 *
 * @throws DlgError `invalid-gradients`, naming the first tensor that does not fit and what would.
 */
export const readGradients = (shared: SharedGradients, trained: readonly Weight[]): Promise<Float32Array[]> =>
  readTensors(shared, trained, 'gradient', Float32Array)

/** The same of whatever comes one tensor a weight. */
export async function readTensors<T extends Values>(
  shared: SharedGradients,
  trained: readonly Weight[],
  noun: Noun,
  precision: Precision<T>,
): Promise<T[]> {
  const tensors = inOrder(shared, trained, noun)
  return Promise.all(tensors.map((tensor, i) => readTensor(tensor, trained[i], noun, precision)))
}

function inOrder(shared: SharedGradients, trained: readonly Weight[], noun: Noun): (Tensor | PlainTensor)[] {
  if (typeof shared !== 'object' || shared === null || shared instanceof Tensor)
    throw invalid(
      `${noun}s must be a list or a map of tensors, got ${shared instanceof Tensor ? 'one tensor' : shared === null ? 'null' : typeof shared}`,
    )
  if (Array.isArray(shared)) {
    if (shared.length === trained.length) return shared
    const next = trained[shared.length]
    throw invalid(
      `${shared.length} ${noun}s for ${trained.length} trained weights${next ? `; the first without one is '${next.name}' ${describe(next.shape)}. If some were not shared, name them: missing: ['${next.name}', …]` : ''}`,
    )
  }
  const map = shared as { readonly [name: string]: Tensor | PlainTensor }
  const names = new Set(trained.map((w) => w.name))
  const stranger = Object.keys(map).find((name) => !names.has(name))
  const missing = trained.find((w) => !Object.hasOwn(map, w.name))
  if (missing)
    throw invalid(
      `no ${noun} for weight '${missing.name}' ${describe(missing.shape)}${stranger ? `; there is one named '${stranger}', which the model does not have` : ''}. If it was not shared, say missing: ['${missing.name}'], or missing: 'allowed'`,
    )
  if (stranger)
    throw invalid(`${noun} '${stranger}' belongs to no trained weight; the model has ${[...names].join(', ')}`)
  return trained.map((w) => map[w.name])
}

async function readTensor<T extends Values>(
  tensor: Tensor | PlainTensor,
  weight: Weight,
  noun: Noun,
  precision: Precision<T>,
): Promise<T> {
  const name = `${noun} of '${weight.name}'`
  if (typeof tensor !== 'object' || tensor === null || !Array.isArray(tensor.shape))
    throw invalid(`${name} must be a tensor or {shape, data}`)
  const { shape } = tensor
  if (!sameShape(shape, weight.shape))
    throw invalid(`${name} has shape ${describe(shape)}; the weight has ${describe(weight.shape)}`)
  const values = tensor instanceof Tensor ? await readTfjs(tensor, name, precision) : readPlain(tensor, name, precision)
  if (values.length !== sizeOf(shape))
    throw invalid(`${name} has ${values.length} numbers; shape ${describe(shape)} needs ${sizeOf(shape)}`)
  const bad = firstNotFinite(values)
  if (bad >= 0) throw invalid(`${name} is ${values[bad]} at position ${bad}; every number must be finite`)
  return values
}

async function readTfjs<T extends Values>(tensor: Tensor, name: string, precision: Precision<T>): Promise<T> {
  if (tensor.isDisposed) throw invalid(`${name} is a disposed tensor`)
  if (tensor.dtype !== 'float32') throw invalid(`${name} has dtype ${tensor.dtype}; float32 is needed`)
  return precision.from(await tensor.data<'float32'>())
}

function readPlain<T extends Values>({ data }: PlainTensor, name: string, precision: Precision<T>): T {
  const integers = ArrayBuffer.isView(data) && !(data instanceof Float32Array || data instanceof Float64Array)
  if (integers)
    throw invalid(`${name} has data of ${data.constructor.name}; Float32Array, Float64Array or number[] is needed`)
  if (typeof data?.length !== 'number') throw invalid(`${name} has no data`)
  return precision.from(data as ArrayLike<number>, (v) => (typeof v === 'number' ? v : Number.NaN))
}

/** The caller's weights as numbers, by parameter name. */
export async function readWeights(
  weights: readonly Weight[],
  nameOf: (w: Weight) => string,
): Promise<Map<string, Values>> {
  const entries = weights.map(async (weight) => {
    const values = (await weight.tensor().data()) as Float32Array
    const bad = firstNotFinite(values)
    if (bad >= 0)
      throw new DlgError(
        'invalid-model',
        `weight '${weight.name}' is ${values[bad]} at position ${bad}; every number must be finite`,
      )
    return [nameOf(weight), Float32Array.from(values)] as const
  })
  return new Map<string, Values>(await Promise.all(entries))
}

/** Position of the first NaN or infinity, −1 if there is none. A plain loop: models have millions of weights. */
function firstNotFinite(values: Values): number {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return i
  return -1
}
