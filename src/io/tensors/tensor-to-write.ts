import { numberList, requireObject, show } from '../../errors/checks'
import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import type { StoredAs } from '../../numbers/stored-dtype'
import { checkName } from '../bytes/untrusted'
import { valuesIn } from './stored-tensor'

/**
 * Values to store as float32: `data` is row-major and as long as `shape`'s product. How a file held them before is kept by
 * conversions, and not written.
 */
export interface TensorToWrite extends StoredAs {
  readonly shape: readonly number[]
  readonly data: ArrayLike<number>
}

/** @throws DlgError `invalid-data` unless these are tensors in a Map by name */
export function requireTensorMap(format: string, tensors: unknown): void {
  if (tensors instanceof Map) {
    for (const [name, tensor] of tensors) {
      checkName(name)
      requireObject(`${format}: tensor '${name}'`, tensor, '{shape, data}')
    }
    return
  }
  throw new DlgError(
    'invalid-data',
    `${format}: tensors must be a Map from name to {shape, data}; of tfjs tensors: new Map(Object.entries(tensors).map(([name, t]) => [name, { shape: t.shape, data: t.dataSync() }]))`,
  )
}

/**
 * @param subject what the error message calls the tensor.
 * @throws DlgError `invalid-data` when the shape is malformed or does not fit the data.
 */
export function checkTensor(subject: string, shape: readonly number[], data: ArrayLike<number>): void {
  checkName(subject)
  const values = Array.isArray(shape) ? valuesIn(shape) : undefined
  if (values === undefined) {
    throw new DlgError('invalid-data', `${subject} has shape ${show(shape)}; it must be a list of whole numbers`)
  }
  if (typeof data === 'object' && data !== null && typeof data.length === 'number') numberList(`${subject}: data`, data)
  if (values !== data?.length) {
    throw new DlgError(
      'invalid-data',
      `${subject} has shape [${shape}], ${countOf(values, 'value')}, but data has ${data?.length}`,
    )
  }
}
