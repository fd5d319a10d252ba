import { DlgError } from '../../errors/dlg-error'
import { checkSize, maximumBytes, type ReadOptions } from '../bytes/limits'
import { quote, startsWith } from '../bytes/untrusted'
import {
  addressAt,
  expectSignature,
  HDF5_MAGIC,
  type Hdf5,
  littleEndian,
  type Message,
  messagesOf,
  offsetAt,
  openFile,
  rootObject,
} from './hdf5-object'
import { type NpyDtype, npyDtype } from './npy-dtype'
import { type Float32Tensor, type StoredTensor, toFloat32, valuesIn } from './stored-tensor'

/** Groups within groups, at most. */
const DEEPEST = 32
const MAX_RANK = 32

/** Types of messages in object headers (HDF5 File Format Specification 3.0, IV.A.2). */
const DATASPACE = 0x01
const LINK_INFO = 0x02
const DATATYPE = 0x03
const LINK = 0x06
const LAYOUT = 0x08
const FILTERS = 0x0b
const SYMBOL_TABLE = 0x11

/** What to do about what is not read. */
const WAY = "in Python: np.savez('OUT.npz', **{'a name': dataset[()] …})"

/**
 * The datasets of an HDF5 file, by their paths without a leading slash, none of them read yet.
 *
 * It reads what h5py writes by default, and Keras with it: groups and datasets of numbers in one piece. Chunks and compression,
 * links to elsewhere, attributes and other element types are not read.
 *
 * @throws DlgError `invalid-file` for a file that is damaged, or has what is not read
 */
export function openHdf5(bytes: Uint8Array, options: ReadOptions, name: string): StoredTensor[] {
  const maximum = maximumBytes(bytes.length, options)
  if (!startsWith(bytes, HDF5_MAGIC))
    throw new DlgError('invalid-file', `${name}: must begin with \\x89HDF; it is no HDF5`)
  const file = openFile(bytes, name)
  const tensors: StoredTensor[] = []
  let total = 0
  try {
    visit(file, rootObject(file), '', 0, ({ tensor, values }) => {
      total += values * Float32Array.BYTES_PER_ELEMENT
      checkSize(total, maximum, `${name}: as float32 holds`)
      tensors.push(tensor)
    })
  } catch (cause) {
    // a DataView throws RangeError beyond its end
    if (!(cause instanceof RangeError)) throw cause
    throw new DlgError('invalid-file', `${name}: truncated or corrupt HDF5, it leads beyond its end`, { cause })
  }
  return tensors
}

/** A dataset, and how many values it has where they are read. */
interface Dataset {
  readonly tensor: StoredTensor
  readonly values: number
}

type Found = (dataset: Dataset) => void

function visit(file: Hdf5, address: number, path: string, depth: number, found: Found): void {
  if (depth > DEEPEST) throw file.wrong(`has groups nested deeper than ${DEEPEST}`)
  const messages = messagesOf(file, address)
  const of = (type: number): Message | undefined => messages.find((message) => message.type === type)
  const space = of(DATASPACE)
  if (space) {
    found(dataset(file, path, space, of))
    return
  }
  const members = new Map<string, number>()
  const add = (member: string, at: number): void => {
    if (member === '' || member.includes('/') || members.has(member))
      throw file.wrong(`corrupt HDF5, ${quote(path)} has a member named ${quote(member)}, empty, twice or with a slash`)
    members.set(member, at)
  }
  const table = of(SYMBOL_TABLE)
  if (table) oldMembers(file, table, add)
  const info = of(LINK_INFO)
  const heap = info && info.at + 2 + (file.view.getUint8(info.at + 1) & 1 ? 8 : 0)
  if (heap !== undefined && addressAt(file, heap) !== undefined)
    throw file.wrong(`group ${quote(path)} has many members in HDF5's new format; write it with libver='earliest'`)
  for (const message of messages) if (message.type === LINK) link(file, message, path, add)
  for (const [member, at] of members) visit(file, at, path === '' ? member : `${path}/${member}`, depth + 1, found)
}

/** Members of a group in the format of HDF5 1.0: a B-tree of tables, with the names in a heap. */
function oldMembers(file: Hdf5, { at }: Message, add: (member: string, at: number) => void): void {
  const heap = offsetAt(file, at + 8)
  file.once(heap)
  expectSignature(file, heap, 'HEAP')
  const names = offsetAt(file, heap + 24)
  const bytes = offsetAt(file, heap + 8)
  if (names + bytes > file.view.byteLength) throw file.wrong('truncated HDF5, the names of a group end outside it')
  const text = new Uint8Array(file.view.buffer, file.view.byteOffset + names, bytes)
  for (const table of tablesBelow(file, offsetAt(file, at))) {
    file.once(table)
    expectSignature(file, table, 'SNOD')
    const count = file.view.getUint16(table + 6, true)
    for (let entry = table + 8; entry < table + 8 + count * 40; entry += 40) {
      const from = offsetAt(file, entry)
      const end = text.indexOf(0, from)
      if (end < 0) throw file.wrong('corrupt HDF5, a name of a group has no end')
      const member = new TextDecoder().decode(text.subarray(from, end))
      if (file.view.getUint32(entry + 16, true) === 2) throw linked(file, member)
      add(member, offsetAt(file, entry + 8))
    }
  }
}

/** Tables at the leaves of a B-tree of version 1. The level of a node is one less than that of the node above. */
function tablesBelow(file: Hdf5, root: number): number[] {
  let nodes = [root]
  for (let level = file.view.getUint8(root + 5); level >= 0; level--)
    nodes = nodes.flatMap((node) => childrenOf(file, node, level))
  return nodes
}

function childrenOf(file: Hdf5, node: number, level: number): number[] {
  const { view } = file
  file.once(node)
  expectSignature(file, node, 'TREE')
  if (view.getUint8(node + 4) !== 0 || view.getUint8(node + 5) !== level)
    throw file.wrong(`corrupt HDF5, the node at byte ${node} is none of a group at level ${level}`)
  return Array.from({ length: view.getUint16(node + 6, true) }, (_, i) => offsetAt(file, node + 32 + 16 * i))
}

/** A member of a group in the format of HDF5 1.8, in the header itself. */
function link(file: Hdf5, message: Message, path: string, add: (member: string, at: number) => void): void {
  const { view } = file
  const flags = view.getUint8(message.at + 1)
  let at = message.at + 2
  const type = flags & 8 ? view.getUint8(at++) : 0
  if (flags & 4) at += 8
  if (flags & 16) at += 1
  const bytes = 1 << (flags & 3)
  const length = bytes === 8 ? offsetAt(file, at) : littleEndian(view, at, bytes)
  at += bytes
  if (at + length > message.at + message.size) throw file.wrong('corrupt HDF5, a name ends outside its link')
  const member = new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + at, length))
  if (type !== 0) throw linked(file, `${path}/${member}`)
  add(member, offsetAt(file, at + length))
}

const linked = (file: Hdf5, member: string): DlgError =>
  file.wrong(`${quote(member)} is a link; it must be a group or a dataset of this file`)

function dataset(file: Hdf5, path: string, space: Message, of: (type: number) => Message | undefined): Dataset {
  const subject = `${file.name}: dataset ${quote(path)}`
  const refuse = (why: string): Dataset => {
    const refusal = new DlgError('invalid-file', `${subject} ${why}`)
    return { tensor: { name: path, type: 'HDF5', refusal, read: () => fail(refusal) }, values: 0 }
  }
  const [layout, type] = [of(LAYOUT), of(DATATYPE)]
  if (!layout || !type) throw new DlgError('invalid-file', `${subject} has no layout or no element type`)
  if (space.shared || layout.shared || type.shared) return refuse(`shares its type with others; save it ${WAY}`)
  const shape = shapeOf(file, space, subject)
  const values = valuesIn(shape)
  if (values === undefined || shape.length > MAX_RANK)
    throw new DlgError('invalid-file', `${subject} has shape ${quote(shape)}; its product must be below 2^53`)
  const descr = descrOf(file.view, type.at)
  if (descr === undefined) return refuse(`has elements that are no numbers; save it ${WAY}`)
  if (of(FILTERS)) return refuse(`is compressed; save it without, or ${WAY}`)
  const dtype = npyDtype(descr, subject)
  if (dtype instanceof DlgError) return refuse(`has elements ${descr}, which are not read; save it ${WAY}`)
  const start = contents(file, layout, values * dtype.size, subject)
  if (typeof start === 'string') return refuse(start)
  const read = () => {
    if (descr !== '<f4') return decode(file, start, shape, values, dtype, subject)
    // typed arrays read in the host's byte order, as for safetensors
    const { buffer, byteOffset } = file.view
    const from = byteOffset + start
    return { shape, data: new Float32Array(buffer.slice(from, from + 4 * values)), dtype: dtype.stored }
  }
  return { tensor: { name: path, dtype: dtype.stored, type: descr, read }, values }
}

function fail(error: DlgError): never {
  throw error
}

function shapeOf({ view, wrong }: Hdf5, { at }: Message, subject: string): number[] {
  const version = view.getUint8(at)
  if (version !== 1 && version !== 2) throw wrong(`a dataspace is of version ${version}; it must be 1 or 2`)
  if (version === 2 && view.getUint8(at + 3) === 2) return [0]
  const first = at + (version === 1 ? 8 : 4)
  return Array.from({ length: view.getUint8(at + 1) }, (_, axis) => {
    const length = Number(view.getBigUint64(first + 8 * axis, true))
    if (Number.isSafeInteger(length)) return length
    throw new DlgError('invalid-file', `${subject} has an axis of length ${length}; it must be below 2^53`)
  })
}

/** The element type in numpy's words; undefined for what is no number of IEEE or of two's complement. */
function descrOf(view: DataView, at: number): string | undefined {
  const kind = view.getUint8(at) & 15
  const bits = view.getUint8(at + 1)
  const size = view.getUint32(at + 4, true)
  const order = bits & 1 ? '>' : '<'
  const whole = view.getUint16(at + 8, true) === 0 && view.getUint16(at + 10, true) === 8 * size
  if (kind === 0 && whole) return `${order}${bits & 8 ? 'i' : 'u'}${size}`
  // where the exponent begins and how long it is
  const exponent = { 2: [10, 5], 4: [23, 8], 8: [52, 11] }[size]
  const ieee = exponent?.[0] === view.getUint8(at + 12) && exponent[1] === view.getUint8(at + 13)
  return kind === 1 && whole && ieee && !(bits & 64) ? `${order}f${size}` : undefined
}

/** Where the values begin, or why they cannot be read. */
function contents(file: Hdf5, { at, size }: Message, bytes: number, subject: string): number | string {
  const { view } = file
  const version = view.getUint8(at)
  const kind = view.getUint8(at + 1)
  if (version < 3 || kind > 1) return `is stored in chunks; save it in one piece, or ${WAY}`
  const start = kind === 0 ? at + 4 : addressAt(file, at + 2)
  const stored = kind === 0 ? view.getUint16(at + 2, true) : offsetAt(file, at + 10)
  if (start === undefined && bytes === 0) return 0
  if (start === undefined) return 'was never written'
  const end = kind === 0 ? at + size : view.byteLength
  if (bytes === stored && start + bytes <= end) return start
  throw new DlgError('invalid-file', `${subject} has ${stored} bytes at byte ${start}; its shape needs ${bytes}`)
}

function decode(
  { view }: Hdf5,
  start: number,
  shape: number[],
  values: number,
  { size, whole, stored, read }: NpyDtype,
  subject: string,
): Float32Tensor {
  const data = new Float32Array(values)
  for (let i = 0; i < values; i++) data[i] = toFloat32(read(view, start + i * size), whole, subject, i)
  return { shape, data, dtype: stored }
}
