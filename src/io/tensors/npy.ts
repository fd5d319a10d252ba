import { requireObject } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { checkBytes, checkName } from '../bytes/untrusted'
import { rowMajorStrides, walk } from '../bytes/walk'
import { type Float32Tensor, toFloat32 } from './float32-tensor'
import { npyDtype } from './npy-dtype'
import { MAX_RANK, NPY_MAGIC, readNpyHeader } from './npy-header'
import type { StoredTensor } from './stored-tensor'
import { checkTensor, type TensorToWrite } from './tensor-to-write'

/**
 * Reads one array as `numpy.save` writes it: format versions 1 to 3, of either byte order, in C or Fortran order.
 *
 * f2 and f4 keep their values, f8 is rounded to float32; booleans and integers must fit float32 exactly. Object arrays
 * are pickles and never read.
 *
 * @param name what the error messages call it.
 * @returns the array in row-major order, a copy.
 * @throws DlgError `invalid-file` when the header lies, the element type is not read or a value is no float32;
 * `invalid-data` when `bytes` is not a Uint8Array.
 */
export function parseNpy(bytes: Uint8Array, name = 'npy'): Float32Tensor {
  checkBytes(bytes, name)
  return openNpy(bytes, name).read()
}

/**
 * Checks all of a file but its values: how many there are, and a function that reads them.
 *
 * @throws DlgError `invalid-file` when the header lies. An element type that is not read is no error before `read`.
 */
export function openNpy(bytes: Uint8Array, name: string): Omit<StoredTensor, 'name'> & { values: number } {
  const { descr, fortranOrder, shape, values, start } = readNpyHeader(bytes, name)
  const dtype = npyDtype(descr, name)
  if (dtype instanceof DlgError) return { type: descr, values: 0, refusal: dtype, read: () => fail(dtype) }
  const { size, whole, stored, read } = dtype
  if (values * size !== bytes.length - start) {
    throw new DlgError(
      'invalid-file',
      `${name}: ${descr} [${shape}] is ${values * size} bytes, but ${bytes.length - start} follow the header`,
    )
  }
  const strides = fortranOrder ? rowMajorStrides(shape.toReversed()).reverse() : rowMajorStrides(shape)
  const readAll = (): Float32Tensor => {
    const view = new DataView(bytes.buffer, bytes.byteOffset + start)
    const data = new Float32Array(values)
    let i = 0
    walk(shape, strides, (source) => {
      data[i] = toFloat32(read(view, source * size), whole, name, i)
      i++
    })
    return { shape, data, dtype: stored }
  }
  return { dtype: stored, type: descr, values, read: readAll }
}

function fail(error: DlgError): never {
  throw error
}

/** Elements start at a multiple of this many bytes, so that a file can be mapped into memory. */
const ALIGNMENT = 64

/**
 * Writes one array as `numpy.save` does: format version 1.0, dtype `<f4`, C order, the same bytes.
 *
 * Values are rounded to float32; those beyond its range become infinite.
 *
 * @throws DlgError `invalid-data` when the shape is malformed or does not fit the data.
 */
export function writeNpy(tensor: TensorToWrite, name = 'npy'): Uint8Array {
  checkName(name)
  requireObject(name, tensor, '{shape, data}')
  const { shape, data } = tensor
  checkTensor(name, shape, data)
  if (shape.length > MAX_RANK) {
    throw new DlgError('invalid-data', `${name}: has ${shape.length} axes, should have at most ${MAX_RANK}`)
  }
  const tuple = `(${shape.join(', ')}${shape.length === 1 ? ',' : ''})`
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': ${tuple}, }`
  // As numpy does, room for the first axis to grow to 21 digits, and at least one space before the line feed.
  const room = shape.length > 0 ? 21 - String(shape[0]).length : 0
  const start = (Math.floor((10 + header.length + room + 1) / ALIGNMENT) + 1) * ALIGNMENT
  const file = new Uint8Array(start + data.length * 4)
  file.set([...NPY_MAGIC, 1, 0])
  new DataView(file.buffer).setUint16(8, start - 10, true)
  file.set(new TextEncoder().encode(`${header.padEnd(start - 11)}\n`), 10)
  new Float32Array(file.buffer, start).set(data)
  return file
}
