import { choice, requireObject } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { coarser as coarserOf, isWhole as isWholeOf, type StoredAs, type StoredDtype } from '../../numbers/stored-dtype'

/**
 * A tensor as plain data, the form in which shared gradients are handed to the attack.
 *
 * `dtype` and `quantization` say how exactly the file held the values: `data` is float32 whatever they are.
 */
export interface Float32Tensor extends StoredAs {
  readonly shape: readonly number[]
  /** Row-major, `shape`'s product long. */
  readonly data: Float32Array
}

/** Tensors by name, in the order of the file. As gradients: the Map itself, or `[...tensors.values()]`. */
export type NamedTensors = Map<string, Float32Tensor>

/** Up to here every whole number is a float32. */
const LARGEST_WHOLE = 2 ** 24

/**
 * A stored value as float32, rounded to the nearest.
 *
 * Whole numbers must be exact: a rounded label or index would be another one.
 *
 * @param subject what the error message calls the tensor.
 * @param position of the value in it.
 * @throws DlgError `invalid-file` when float32 cannot hold it. NaN and infinities pass.
 */
export function toFloat32(value: number | bigint, whole: boolean, subject: string, position: number): number {
  const number = Number(value)
  const rounded = Math.fround(number)
  if (whole) {
    if (Math.abs(number) <= LARGEST_WHOLE || (Number.isSafeInteger(number) && rounded === number)) return rounded
    throw new DlgError(
      'invalid-file',
      `${subject} holds ${value} at ${position}, which float32 would round; whole numbers must be within ±2^24, or be saved as floats`,
    )
  }
  if (Number.isFinite(rounded) || !Number.isFinite(number)) return rounded
  throw new DlgError('invalid-file', `${subject} holds ${value} at ${position}; it must be within float32's ±3.4e38`)
}

/**
 * The number of values in a shape; undefined when a length is no whole number from 0, or the product exceeds 2^53.
 *
 * Checked at each step, so that a product beyond 2^53 cannot round to the right number or come back to 0.
 */
export function valuesIn(shape: readonly unknown[]): number | undefined {
  let product = 1
  for (const length of shape) {
    if (!Number.isSafeInteger(length) || (length as number) < 0) return undefined
    product *= length as number
    if (!Number.isSafeInteger(product)) return undefined
  }
  return product
}

/** A tensor of a file that is open: what it is, before its values are read. */
export interface StoredTensor extends StoredAs {
  readonly name: string
  /** The element type as the file calls it, for messages. */
  readonly type: string
  /** Why this element type is not read, where it is not: what `read` throws. */
  readonly refusal?: DlgError
  /** @throws DlgError `invalid-file` when a value is no float32, or the element type is not read */
  readonly read: () => Float32Tensor
}

/** @throws DlgError `invalid-file` for the first tensor that cannot be read */
export function readAll(stored: Iterable<StoredTensor>): NamedTensors {
  const tensors: NamedTensors = new Map()
  for (const { name, read } of stored) tensors.set(name, read())
  return tensors
}

/**
 * Whether a tensor holds whole numbers or booleans, so that it can be no gradient and no trained weight.
 *
 * @throws DlgError `invalid-data` for what is no tensor of a file
 */
export function isWhole(tensor: StoredAs): boolean {
  requireStored('the tensor', tensor)
  return isWholeOf(tensor)
}

/**
 * The precision of a tensor that was computed from two: that of the coarser one.
 *
 * Nothing is claimed unless both are floats of a known type.
 *
 * @throws DlgError `invalid-data` for what is no tensor of a file
 */
export function coarser(a: StoredAs, b: StoredAs): StoredAs {
  requireStored('the first tensor', a)
  requireStored('the second tensor', b)
  return coarserOf(a, b)
}

const DTYPES: readonly StoredDtype[] = [
  ...(['float64', 'float32', 'float16', 'bfloat16', 'int64', 'int32', 'int16', 'int8'] as const),
  ...(['uint64', 'uint32', 'uint16', 'uint8', 'bool'] as const),
]

function requireStored(name: string, tensor: StoredAs): void {
  requireObject(name, tensor, 'an object with any of dtype, quantization')
  if (tensor.dtype !== undefined) choice(`dtype of ${name}`, tensor.dtype, DTYPES)
}
