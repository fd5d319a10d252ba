import { DlgError } from '../../errors/dlg-error'
import { checkBytes, quote } from '../bytes/untrusted'
import type { NamedTensors } from './stored-tensor'
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

/**
 * The first name that occurs twice in one object of a JSON text, at any depth; undefined when all differ.
 *
 * `JSON.parse` keeps the last of two equal names without a word, so a file could show one tensor to one reader and
 * another to the next.
 *
 * @param text valid JSON: one that `JSON.parse` has accepted.
 */
export function duplicateKey(text: string): string | undefined {
  const seen: (Set<string> | undefined)[] = []
  let keyNext = false
  for (let i = 0; i < text.length; i++) {
    switch (text[i]) {
      case '{':
        seen.push(new Set())
        keyNext = true
        break
      case '[':
        seen.push(undefined)
        keyNext = false
        break
      case '}':
      case ']':
        seen.pop()
        keyNext = false
        break
      case ',':
        keyNext = seen.at(-1) !== undefined
        break
      case '"': {
        const end = closingQuote(text, i)
        const keys = seen.at(-1)
        if (keyNext && keys) {
          // Parsed, not compared as written: "\u0061" and "a" are one name.
          const key = JSON.parse(text.slice(i, end + 1)) as string
          if (keys.has(key)) return key
          keys.add(key)
          keyNext = false
        }
        i = end
      }
    }
  }
  return undefined
}

function closingQuote(text: string, open: number): number {
  let i = open + 1
  while (text[i] !== '"') i += text[i] === '\\' ? 2 : 1
  return i
}
