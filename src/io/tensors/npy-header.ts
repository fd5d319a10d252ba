import { DlgError } from '../../errors/dlg-error'
import { quote, startsWith } from '../bytes/untrusted'
import { valuesIn } from './float32-tensor'

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
      `${name}: fortran_order is ${quote(entries.fortran_order)}, should be True or False`,
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
      `${name}: shape is ${quote(entries.shape)}, should be at most ${MAX_RANK} whole numbers with a product below 2^53`,
    )
  }
  return { descr, fortranOrder: entries.fortran_order === 'True', shape, values, start }
}

function headerText(bytes: Uint8Array, name: string): { text: string; start: number } {
  if (bytes.length < 10 || !startsWith(bytes, NPY_MAGIC)) {
    throw new DlgError(
      'invalid-file',
      `${name}: should start with \\x93NUMPY and a version, ${bytes.length} bytes in all`,
    )
  }
  const version = bytes[6]
  if (version < 1 || version > 3) {
    throw new DlgError('invalid-file', `${name}: is of format version ${version}, should be 1, 2 or 3`)
  }
  const lengthBytes = version === 1 ? 2 : 4
  const begin = 8 + lengthBytes
  if (bytes.length < begin) throw new DlgError('invalid-file', `${name}: truncated, ends inside the header length`)
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true)
  if (length > MAX_HEADER_BYTES) {
    throw new DlgError('invalid-file', `${name}: the header has ${length} bytes, should be at most ${MAX_HEADER_BYTES}`)
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
    `${name}: the header is ${quote(text.trim())}, should be {'descr': …, 'fortran_order': …, 'shape': (…)}`,
  )
}
