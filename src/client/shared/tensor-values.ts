import { Tensor } from '@tensorflow/tfjs-core'
import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import { type Shape, sameShape, sizeOf } from '../../graph'
import { isWhole, type StoredAs, storedAs } from '../../numbers/stored-dtype'
import { squaredNorm } from '../../numbers/values'
import type { Values } from '../../runtime/runtime'

/**
 * A tensor as plain data: numbers in row-major order.
 *
 * `dtype` says how exactly the numbers were shared, where that is known and `data` does not tell: a file of float16 is read
 * to a Float32Array, and has `dtype: 'float16'`. The readers of files set it.
 */
export interface PlainTensor extends StoredAs {
  readonly shape: readonly number[]
  readonly data: ArrayLike<number>
}

/**
 * How exactly a tensor was shared: as it says itself, or else by the type of its data. Nothing is known of lists of numbers.
 */
export function precisionOf(tensor: Tensor | PlainTensor): StoredAs {
  if (tensor instanceof Tensor) return tensor.dtype === 'float32' ? { dtype: 'float32' } : {}
  if (tensor.dtype !== undefined) return storedAs(tensor)
  if (tensor.data instanceof Float32Array) return { dtype: 'float32' }
  return tensor.data instanceof Float64Array ? { dtype: 'float64' } : {}
}

/** Precision numbers are kept in. */
export interface Precision<T> {
  new (values: ArrayLike<number>): T
  from(values: ArrayLike<number>, turn: (v: number) => number): T
}

const describe = (shape: Shape): string => `[${shape.join(', ')}]`
const invalid = (message: string): DlgError => new DlgError('invalid-gradients', message)

/**
 * The numbers of a shared tensor. Nothing of the caller's is changed or kept.
 *
 * @param name in error messages, such as `gradient of 'dense/kernel'`
 * @param shape of the weight it belongs to, where there is one
 * @throws DlgError `invalid-gradients` for what is no tensor, disposed, not finite, of another type or size than it should be
 */
export async function tensorValues<T extends Values>(
  tensor: Tensor | PlainTensor,
  name: string,
  precision: Precision<T>,
  shape?: Shape,
): Promise<T> {
  if (typeof tensor !== 'object' || tensor === null || !Array.isArray(tensor.shape))
    throw invalid(`${name} must be a tensor or {shape, data}`)
  if (shape && !sameShape(tensor.shape, shape))
    throw invalid(`${name} has shape ${describe(tensor.shape)}; the weight has ${describe(shape)}`)
  const values = tensor instanceof Tensor ? await readTfjs(tensor, name, precision) : readPlain(tensor, name, precision)
  if (values.length !== sizeOf(tensor.shape))
    throw invalid(
      `${name} has ${countOf(values.length, 'number')}; shape ${describe(tensor.shape)} needs ${sizeOf(tensor.shape)}`,
    )
  const bad = firstNotFinite(values)
  const given = bad >= 0 && !(tensor instanceof Tensor) ? tensor.data[bad] : undefined
  if (typeof given === 'number' && Number.isFinite(given))
    throw invalid(`${name} is ${given} at position ${bad}, more than float32 holds: at most 3.4e38`)
  if (bad >= 0) throw invalid(`${name} is ${values[bad]} at position ${bad}; every number must be finite`)
  return values
}

async function readTfjs<T extends Values>(tensor: Tensor, name: string, precision: Precision<T>): Promise<T> {
  if (tensor.isDisposed) throw invalid(`${name} is a disposed tensor`)
  if (tensor.dtype !== 'float32') throw invalid(`${name} has dtype ${tensor.dtype}; float32 is needed`)
  return new precision(await tensor.data<'float32'>())
}

function readPlain<T extends Values>(tensor: PlainTensor, name: string, precision: Precision<T>): T {
  const { data } = tensor
  const integers = ArrayBuffer.isView(data) && !(data instanceof Float32Array || data instanceof Float64Array)
  if (integers)
    throw invalid(`${name} has data of ${data.constructor.name}; Float32Array, Float64Array or number[] is needed`)
  if (isWhole(tensor))
    throw invalid(`${name} was stored as ${tensor.dtype}; floats are needed: save it with .astype(np.float32)`)
  if (typeof data?.length !== 'number') throw invalid(`${name} has no data; it must be a tensor or {shape, data}`)
  // to turn every number takes two hundred times as long as to copy them, and an array of floats has numbers alone
  if (ArrayBuffer.isView(data)) return new precision(data as ArrayLike<number>)
  return precision.from(data as ArrayLike<number>, (v) => (typeof v === 'number' ? v : Number.NaN))
}

/** Position of the first NaN or infinity, −1 if there is none. Models have millions of weights: their sum of squares is finite if all are. */
export function firstNotFinite(values: Values): number {
  if (Number.isFinite(squaredNorm([values]))) return -1
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return i
  return -1
}
