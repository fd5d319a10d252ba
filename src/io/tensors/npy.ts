import { requireObject } from '../../errors/checks'
import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import { checkBytes, checkName, quote, startsWith } from '../bytes/untrusted'
import { rowMajorStrides, walk } from '../bytes/walk'
import { npyDtype } from './npy-dtype'
import { type Float32Tensor, type StoredTensor, toFloat32, valuesIn } from './stored-tensor'
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
    throw new DlgError(
      'invalid-data',
      `${name}: has ${countOf(shape.length, 'axis', 'axes')}; it must have at most ${MAX_RANK}`,
    )
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

export const NPY_MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]
/** numpy's own limits, `max_header_size` and `NPY_MAXDIMS`. */
const MAX_HEADER_BYTES = 10_000
export const MAX_RANK = 64

export interface NpyHeader {
  /** numpy's name of the element type, such as `<f4`, or the list of a structured one. */
  readonly descr: string
  readonly fortranOrder: boolean
  readonly shape: number[]
  /** `shape`'s product. */
  readonly values: number
  /** Where the elements start. */
  readonly start: number
}

/**
 * Reads `magic | version | header length | header`, the header being the literal of a Python dictionary.
 *
 * @throws DlgError `invalid-file`
 */
export function readNpyHeader(bytes: Uint8Array, name: string): NpyHeader {
  const { text, start } = headerText(bytes, name)
  const entries = readEntries(text, name)
  // The list of a structured type is kept as it is, a string without its quotes.
  const descr = entries.descr.startsWith('[') ? entries.descr : entries.descr.slice(1, -1)
  if (entries.fortran_order !== 'True' && entries.fortran_order !== 'False') {
    throw new DlgError(
      'invalid-file',
      `${name}: fortran_order is ${quote(entries.fortran_order)}; it must be True or False`,
    )
  }
  const lengths = entries.shape.slice(1, -1).split(',')
  // A trailing comma is what makes a Python tuple of one; Python 2 wrote long integers with an L.
  if (lengths.at(-1)?.trim() === '') lengths.pop()
  const shape = lengths.map((length) => (/^\s*\d+L?\s*$/.test(length) ? Number.parseInt(length, 10) : Number.NaN))
  const values = valuesIn(shape)
  if (values === undefined || shape.length > MAX_RANK) {
    throw new DlgError(
      'invalid-file',
      `${name}: shape is ${quote(entries.shape)}; it must be at most ${MAX_RANK} whole numbers with a product below 2^53`,
    )
  }
  return { descr, fortranOrder: entries.fortran_order === 'True', shape, values, start }
}

function headerText(bytes: Uint8Array, name: string): { text: string; start: number } {
  if (bytes.length < 10 || !startsWith(bytes, NPY_MAGIC)) {
    throw new DlgError(
      'invalid-file',
      `${name}: must start with \\x93NUMPY and a version, ${bytes.length} bytes in all`,
    )
  }
  const version = bytes[6]
  if (version < 1 || version > 3) {
    throw new DlgError('invalid-file', `${name}: is of format version ${version}; it must be 1, 2 or 3`)
  }
  const lengthBytes = version === 1 ? 2 : 4
  const begin = 8 + lengthBytes
  if (bytes.length < begin) throw new DlgError('invalid-file', `${name}: truncated, ends inside the header length`)
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true)
  if (length > MAX_HEADER_BYTES) {
    throw new DlgError(
      'invalid-file',
      `${name}: the header has ${length} bytes; it must be at most ${MAX_HEADER_BYTES}`,
    )
  }
  if (begin + length > bytes.length) {
    throw new DlgError(
      'invalid-file',
      `${name}: truncated, the header has ${length} bytes and ${bytes.length - begin} follow`,
    )
  }
  // Only names of fields, which are refused, may be beyond ASCII.
  const text = new TextDecoder(version === 3 ? 'utf-8' : 'latin1').decode(bytes.subarray(begin, begin + length))
  return { text, start: begin + length }
}

const STRING = `'[^'\\\\]*'|"[^"\\\\]*"`
/** A key, then a string, a tuple, True or False, or the list of a structured dtype. */
const ENTRY = new RegExp(`\\s*(${STRING})\\s*:\\s*(${STRING}|\\([^()]*\\)|True|False|\\[.*\\])\\s*(,|(?=\\}))`, 'sy')

function readEntries(text: string, name: string): Record<'descr' | 'fortran_order' | 'shape', string> {
  const entries = new Map<string, string>()
  const open = /^\s*\{/.exec(text)
  ENTRY.lastIndex = open?.[0].length ?? 0
  let end = ENTRY.lastIndex
  let count = 0
  for (let entry = open && ENTRY.exec(text); entry; entry = ENTRY.exec(text)) {
    entries.set(entry[1].slice(1, -1), entry[2])
    count++
    end = ENTRY.lastIndex
  }
  const [descr, order, shape] = ['descr', 'fortran_order', 'shape'].map((key) => entries.get(key))
  const sound = count === 3 && entries.size === 3 && /^\s*\}\s*$/.test(text.slice(end)) && shape?.startsWith('(')
  if (sound && descr && order && shape) return { descr, fortran_order: order, shape }
  throw new DlgError(
    'invalid-file',
    `${name}: the header is ${quote(text.trim())}; it must be {'descr': …, 'fortran_order': …, 'shape': (…)}`,
  )
}
