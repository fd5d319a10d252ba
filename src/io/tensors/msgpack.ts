import { decode, ExtensionCodec } from '@msgpack/msgpack'
import { DlgError } from '../../errors/dlg-error'
import { checkBytes, quote } from '../bytes/untrusted'
import { type NamedTensors, readAll, type StoredTensor } from './stored-tensor'
import { MAX_TENSORS, openTree } from './tensor-tree'

/** The extension type of msgpack-lite for a Float32Array, which DISCO keeps. */
const FLOAT32_ARRAY = 0x17

const extensions = new ExtensionCodec()
extensions.register({ type: FLOAT32_ARRAY, encode: () => null, decode: (bytes) => bytes })

/**
 * Reads tensors from msgpack: a list, or a map by name, of `{shape, data}`, as DISCO sends weights.
 *
 * `data` is a list of numbers, rounded to float32, or little-endian float32 in binary: extension 0x17, or bin.
 *
 * @returns the tensors in the file's order, but that JavaScript puts names that are whole numbers first; those of a list
 * are named 0, 1, and so on.
 * @throws DlgError `invalid-file` when it is not such a value, or its lengths lie; `invalid-data` when `bytes` is not a
 * Uint8Array.
 */
export function parseMsgpack(bytes: Uint8Array, name = 'msgpack'): NamedTensors {
  checkBytes(bytes, name)
  return readAll(openMsgpack(bytes, name))
}

/** Its tensors, none of them read yet. @throws DlgError as {@link parseMsgpack} */
export function openMsgpack(bytes: Uint8Array, name: string): StoredTensor[] {
  if (isDiscoModel(bytes)) throw new DlgError('invalid-file', `${name}: is ${DISCO_MODEL.is}; ${DISCO_MODEL.way}`)
  checkMsgpack(bytes, name)
  let tree: unknown
  try {
    tree = decode(bytes, { extensionCodec: extensions })
  } catch (cause) {
    throw new DlgError('invalid-file', `${name}: is not msgpack: ${(cause as Error).message}`, { cause })
  }
  return openTree(tree, name)
}

/** Names of tfjs's ModelArtifacts, one of which is the first in a saved model. */
const ARTIFACTS = [
  'modelTopology',
  'format',
  'generatedBy',
  'convertedBy',
  'weightSpecs',
  'weightData',
  'trainingConfig',
]

/** Says what such a file is, and how to get a file that is read here. */
export const DISCO_MODEL = {
  is: 'a model as DISCO saves it, [kind, ModelArtifacts] in msgpack',
  way: 'in a program of DISCO, decode it, write its weights with serialization.weights.encode(model.weights), and its model.json with model.save of tfjs',
} as const

/** Whether these bytes are msgpack `[kind, ModelArtifacts]`, by their first bytes: a list of two, a small number, a map. */
export function isDiscoModel(bytes: Uint8Array): boolean {
  if (bytes.length < 16 || bytes[0] !== 0x92 || bytes[1] > 0x7f) return false
  const key = { 222: 5, 223: 7 }[bytes[2]] ?? ((bytes[2] & 0xf0) === 0x80 ? 3 : undefined)
  if (key === undefined) return false
  // The name behind the map's head: a string of up to 31 bytes.
  const text = new TextDecoder().decode(bytes.subarray(key + 1, key + 1 + (bytes[key] & 0x1f)))
  return (bytes[key] & 0xe0) === 0xa0 && ARTIFACTS.includes(text)
}

/** A list or map of tensors, each a map, of lists. */
const MAX_DEPTH = 3
/** For each tensor: its name, itself, two entries and two lists. */
const MAX_PARTS = 6 * MAX_TENSORS

/** What follows the first byte of a value: bytes of a length, bytes of content, or values in a container. */
interface ValueLayout {
  readonly kind: 'number' | 'string' | 'other' | 'list' | 'map'
  /** Content after the length, or values, where the first byte tells. */
  readonly size: number
  /** Where a length follows instead: its bytes. */
  readonly lengthBytes?: 1 | 2 | 4
}

interface Container {
  values: number
  readonly keys: Set<string> | undefined
}

/**
 * Walks over a msgpack value without decoding any of it, after which every length in it is true.
 *
 * The decoder would believe a header that claims 2^32 values, and make a list of that length for each level of nesting.
 *
 * @throws DlgError `invalid-file` when the value is truncated, followed by more, nested deeper than tensors are, or in
 * more parts; when a name is not a string or occurs twice in a map.
 */
export function checkMsgpack(bytes: Uint8Array, name: string): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const open: Container[] = [{ values: 1, keys: undefined }]
  let offset = 0
  let parts = 0
  while (open.length > 0) {
    const container = open[open.length - 1]
    if (container.values === 0) {
      open.pop()
      continue
    }
    if (offset >= bytes.length) throw truncated(name, bytes.length)
    const { kind, size, start } = readHead(view, offset, name)
    const isContainer = kind === 'list' || kind === 'map'
    // A value takes a byte at least, so more values than bytes are a lie, as are more bytes.
    if (size > bytes.length - start) throw truncated(name, bytes.length)
    if (container.keys && container.values % 2 === 0) {
      checkKey(container.keys, kind, bytes.subarray(start, start + size), name)
      parts++
    }
    container.values--
    offset = isContainer ? start : start + size
    if (isContainer) {
      open.push({ values: kind === 'map' ? size * 2 : size, keys: kind === 'map' ? new Set() : undefined })
      parts++
    }
    if (open.length > MAX_DEPTH + 1)
      throw invalid(name, `is nested deeper than ${MAX_DEPTH}, as no list of {shape, data} is`)
    if (parts > MAX_PARTS) throw invalid(name, `has more parts than ${MAX_TENSORS} tensors have`)
  }
  if (offset < bytes.length) throw invalid(name, `has ${bytes.length - offset} trailing bytes after its value`)
}

function checkKey(keys: Set<string>, kind: ValueLayout['kind'], text: Uint8Array, name: string): void {
  const key = new TextDecoder().decode(text)
  if (kind !== 'string') throw invalid(name, 'has a map with a name that is not a string')
  if (keys.has(key)) throw invalid(name, `has the name ${quote(key)} twice in one map`)
  keys.add(key)
}

function readHead(
  view: DataView,
  offset: number,
  name: string,
): { kind: ValueLayout['kind']; size: number; start: number } {
  const first = view.getUint8(offset)
  const { kind, size, lengthBytes } = layoutOf(first)
  if (first === 0xc1) throw invalid(name, `has the byte 0xc1 at ${offset}, which msgpack never uses`)
  if (!lengthBytes) return { kind, size, start: offset + 1 }
  const start = offset + 1 + lengthBytes
  if (start > view.byteLength) throw truncated(name, view.byteLength)
  const length =
    lengthBytes === 1
      ? view.getUint8(offset + 1)
      : lengthBytes === 2
        ? view.getUint16(offset + 1)
        : view.getUint32(offset + 1)
  return { kind, size: length + size, start }
}

/** The first bytes of the msgpack specification; the content of an extension is led by a byte for its type. */
function layoutOf(first: number): ValueLayout {
  if (first <= 0x7f || first >= 0xe0) return { kind: 'number', size: 0 }
  if (first <= 0x8f) return { kind: 'map', size: first & 0x0f }
  if (first <= 0x9f) return { kind: 'list', size: first & 0x0f }
  if (first <= 0xbf) return { kind: 'string', size: first & 0x1f }
  if (first <= 0xc3) return { kind: 'other', size: 0 }
  if (first <= 0xc6) return { kind: 'other', size: 0, lengthBytes: lengthAt(first - 0xc4) }
  if (first <= 0xc9) return { kind: 'other', size: 1, lengthBytes: lengthAt(first - 0xc7) }
  if (first <= 0xcb) return { kind: 'number', size: first === 0xca ? 4 : 8 }
  if (first <= 0xd3) return { kind: 'number', size: 2 ** ((first - 0xcc) % 4) }
  if (first <= 0xd8) return { kind: 'other', size: 1 + 2 ** (first - 0xd4) }
  if (first <= 0xdb) return { kind: 'string', size: 0, lengthBytes: lengthAt(first - 0xd9) }
  return { kind: first <= 0xdd ? 'list' : 'map', size: 0, lengthBytes: first % 2 === 0 ? 2 : 4 }
}

function lengthAt(step: number): 1 | 2 | 4 {
  return ([1, 2, 4] as const)[step]
}

function truncated(name: string, length: number): DlgError {
  return invalid(name, `truncated, a length in it reaches beyond its ${length} bytes`)
}

function invalid(name: string, message: string): DlgError {
  return new DlgError('invalid-file', `${name}: ${message}`)
}
