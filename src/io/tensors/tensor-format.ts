import { startsWith } from '../bytes/untrusted'
import { NPY_MAGIC } from './npy-header'
import { MAX_HEADER_BYTES } from './safetensors'

/** A format that `readTensors` reads. */
export type TensorFormat = 'safetensors' | 'npy' | 'npz' | 'json' | 'msgpack'

const ZIP_LOCAL = [0x50, 0x4b, 0x03, 0x04]
/** An archive without members is its end record alone. */
const ZIP_EMPTY = [0x50, 0x4b, 0x05, 0x06]
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf]
const EXTENSION = /\.(safetensors|npy|npz|json|msgpack)$/i

/** The format by the first bytes, else by the extension of a name; undefined when neither tells. */
export function detectFormat(bytes: Uint8Array, name: string): TensorFormat | undefined {
  return byContent(bytes) ?? (EXTENSION.exec(name)?.[1].toLowerCase() as TensorFormat | undefined)
}

function byContent(bytes: Uint8Array): TensorFormat | undefined {
  if (isSafetensors(bytes)) return 'safetensors'
  if (startsWith(bytes, NPY_MAGIC)) return 'npy'
  if (startsWith(bytes, ZIP_LOCAL) || startsWith(bytes, ZIP_EMPTY)) return 'npz'
  if (isJson(bytes)) return 'json'
  return isMsgpack(bytes[0]) ? 'msgpack' : undefined
}

/**
 * Whether a file has the structure of safetensors: a header length that the format allows, and then a JSON object.
 *
 * No other format has eight such bytes and a brace behind them. Whether the header fits the file is for the parser to say,
 * so that a truncated file is called truncated.
 */
export function isSafetensors(bytes: Uint8Array): boolean {
  if (bytes.length < 10 || bytes[8] !== 0x7b) return false
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true)
  return length >= 2n && length <= MAX_HEADER_BYTES
}

/** Whether the first character could begin a list or an object. */
export function isJson(bytes: Uint8Array): boolean {
  let at = startsWith(bytes, BYTE_ORDER_MARK) ? BYTE_ORDER_MARK.length : 0
  while ([0x20, 0x09, 0x0a, 0x0d].includes(bytes[at])) at++
  return bytes[at] === 0x7b || bytes[at] === 0x5b
}

/** A list or a map, short or with a length of 16 or 32 bits. */
function isMsgpack(first: number): boolean {
  return (first >= 0x80 && first <= 0x9f) || (first >= 0xdc && first <= 0xdf)
}
