import { DlgError } from '../../errors/dlg-error'
import { startsWith } from '../bytes/untrusted'
import { HDF5_MAGIC } from './hdf5-object'
import { NPY_MAGIC } from './npy'
import { MAX_HEADER_BYTES } from './safetensors'

/** A format that `readTensors` reads. */
export type TensorFormat = 'safetensors' | 'npy' | 'npz' | 'json' | 'msgpack' | 'hdf5'

const ZIP_LOCAL = [0x50, 0x4b, 0x03, 0x04]
/** An archive without members is its end record alone. */
const ZIP_EMPTY = [0x50, 0x4b, 0x05, 0x06]
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf]
const EXTENSION = /\.(safetensors|npy|npz|json|msgpack|h5|hdf5)$/i

/** The format by the first bytes, else by the extension of a name; undefined when neither tells. */
export function detectFormat(bytes: Uint8Array, name: string): TensorFormat | undefined {
  const extension = EXTENSION.exec(name)?.[1].toLowerCase()
  return byContent(bytes) ?? ((extension === 'h5' ? 'hdf5' : extension) as TensorFormat | undefined)
}

function byContent(bytes: Uint8Array): TensorFormat | undefined {
  if (isSafetensors(bytes)) return 'safetensors'
  if (startsWith(bytes, NPY_MAGIC)) return 'npy'
  if (isZip(bytes)) return 'npz'
  if (startsWith(bytes, HDF5_MAGIC)) return 'hdf5'
  if (isJson(bytes)) return 'json'
  return isMsgpack(bytes[0]) ? 'msgpack' : undefined
}

export const isZip = (bytes: Uint8Array): boolean => startsWith(bytes, ZIP_LOCAL) || startsWith(bytes, ZIP_EMPTY)

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

// tensors of one storage, such as tied weights, are only written when each has its own
const TO_SAFETENSORS = `import torch
from safetensors.torch import save_file
save_file({k: v.contiguous().clone() for k, v in torch.load('IN', map_location='cpu', weights_only=True).items()}, 'OUT.safetensors')`

const PICKLE = `a Python pickle, which can run code when it is read, so it never is; if you trust it, convert it in Python:\n${TO_SAFETENSORS}`

const OF_KERAS =
  'a .keras archive, which is a model; to read its weights as tensors, unzip it and give model.weights.h5'

/** A format that is known and not read. */
export type RefusedFormat = 'pickle' | 'GGUF' | 'gzip'

interface Refused {
  readonly format: RefusedFormat
  readonly signature: readonly number[]
  readonly is: string
}

const ascii = (text: string): number[] => [...text].map((character) => character.charCodeAt(0))

/** Formats that are known but not read, by their first bytes, with the way to one that is. */
const BY_SIGNATURE: readonly Refused[] = [
  ...[2, 3, 4, 5].map((protocol) => ({ format: 'pickle' as const, signature: [0x80, protocol], is: PICKLE })),
  {
    format: 'GGUF',
    signature: ascii('GGUF'),
    is: `GGUF; convert it in Python, of which only float tensors keep their values:\nimport numpy as np\nfrom gguf import GGUFReader\nnp.savez('OUT.npz', **{t.name: t.data for t in GGUFReader('IN').tensors})`,
  },
  { format: 'gzip', signature: [0x1f, 0x8b], is: 'compressed with gzip; gunzip it first' },
]

const PICKLE_EXTENSION = /\.(pt|pth|ckpt|pkl|pickle|bin)$/i

const refusedBy = (bytes: Uint8Array): Refused | undefined =>
  BY_SIGNATURE.find(({ signature }) => startsWith(bytes, signature))

/** The format by the first bytes. Ask for the structure of safetensors before: its first bytes can be any of these. */
export const signatureOf = (bytes: Uint8Array): RefusedFormat | undefined => refusedBy(bytes)?.format

/** @throws DlgError `invalid-file` naming the format and how to convert it, when the bytes are of one that is not read. */
export function refuseBySignature(bytes: Uint8Array, name: string): void {
  const refused = refusedBy(bytes)
  if (refused) throw new DlgError('invalid-file', `${name}: is ${refused.is}`)
}

/** Like {@link refuseBySignature}, for an archive, by its members: PyTorch and Keras keep theirs in zip too. */
export function refuseByMembers(members: readonly string[], name: string): void {
  if (members.some((member) => /(^|\/)data\.pkl$/.test(member))) {
    throw new DlgError('invalid-file', `${name}: is a PyTorch file, ${PICKLE}`)
  }
  if (members.some((member) => member.endsWith('.h5'))) {
    throw new DlgError('invalid-file', `${name}: is ${OF_KERAS}`)
  }
}

/** Like {@link refuseBySignature}, by a file's name, where its content does not tell. */
export function refuseByExtension(path: string): void {
  if (PICKLE_EXTENSION.test(path)) throw new DlgError('invalid-file', `${path}: by its name is ${PICKLE}`)
}
