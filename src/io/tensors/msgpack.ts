import { decode, ExtensionCodec } from '@msgpack/msgpack'
import { DlgError } from '../../errors/dlg-error'
import { checkBytes } from '../bytes/untrusted'
import { DISCO_MODEL, isDiscoModel } from './disco-model'
import type { NamedTensors } from './float32-tensor'
import { checkMsgpack } from './msgpack-scan'
import { readAll, type StoredTensor } from './stored-tensor'
import { openTree } from './tensor-tree'

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
