import { choice, requireObject } from '../../errors/checks'
import { coarser as coarserOf, isWhole as isWholeOf, type StoredAs, type StoredDtype } from '../../numbers/stored-dtype'

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
