import { readFileSync } from 'node:fs'

interface Listed {
  readonly name: string
  readonly shape: number[]
  readonly values: number[]
}

interface Files {
  readonly files: (Listed & { readonly base64: string })[]
  readonly refused: Record<string, string>
  readonly archives: Record<string, string>
  /** What the archives hold. */
  readonly named: Listed[]
  readonly positional: string
  readonly 'mostly zero': string
  readonly pickles: Record<string, string>
}

/** Files as numpy and torch write them; test/fixtures/make_files.py made them. */
export const files: Files = JSON.parse(readFileSync(new URL('../../fixtures/files.json', import.meta.url), 'utf8'))

export const fromBase64 = (text: string): Uint8Array => Buffer.from(text, 'base64')

/** An array file with this header and these data, however wrong. */
export function npy(header: string, data: ArrayLike<number> = [], version = 1, length = header.length): Uint8Array {
  const prefix = Buffer.alloc(version === 1 ? 10 : 12)
  prefix.write('\x93NUMPY', 'latin1')
  prefix[6] = version
  if (version === 1) prefix.writeUInt16LE(length, 8)
  else prefix.writeUInt32LE(length, 8)
  return Buffer.concat([prefix, Buffer.from(header, 'latin1'), Uint8Array.from(data)])
}
