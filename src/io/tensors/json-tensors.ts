import { DlgError } from '../../errors/dlg-error'
import { checkBytes, quote } from '../bytes/untrusted'
import type { NamedTensors } from './float32-tensor'
import { duplicateKey } from './json-keys'
import { tensorsFromTree } from './tensor-tree'

/**
 * Reads tensors from JSON: a list, or an object by name, of `{shape, data}` or of numbers in nested lists.
 *
 * Numbers are rounded to float32. JSON has neither NaN nor infinity.
 *
 * @returns the tensors in the file's order, but that JavaScript puts names that are whole numbers first; those of a list
 * are named 0, 1, and so on.
 * @throws DlgError `invalid-file` when it is not such JSON, or a value exceeds float32; `invalid-data` when `bytes` is
 * not a Uint8Array.
 */
export function parseTensorsJson(bytes: Uint8Array, name = 'json'): NamedTensors {
  checkBytes(bytes, name)
  return tensorsFromTree(parseJson(bytes, name), name)
}

/** @throws DlgError `invalid-file` when it is not UTF-8, not JSON, or has one name twice in an object. */
export function parseJson(bytes: Uint8Array, name: string): unknown {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new DlgError('invalid-file', `${name}: is not UTF-8`, { cause })
  }
  let tree: unknown
  try {
    tree = JSON.parse(text)
  } catch (cause) {
    throw new DlgError('invalid-file', `${name}: is not JSON: ${(cause as Error).message}`, { cause })
  }
  const repeated = duplicateKey(text)
  if (repeated === undefined) return tree
  throw new DlgError('invalid-file', `${name}: has the name ${quote(repeated)} twice in one object`)
}
