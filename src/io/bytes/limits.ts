import { knownNames, show } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'

/** How much memory a reader of files may use. */
export interface ReadLimits {
  /**
   * The most bytes that a file's parts may have once inflated, in all, and the most that its tensors may have as
   * float32. Default four times the file's size, which bounds what a hostile file can make the reader allocate.
   * Gradients that are mostly zero shrink further, down to a thousandth: raise it for those.
   */
  readonly maximumBytes?: number
}

/** Which tensors of a file are read, and how much memory they may take. */
export interface ReadOptions extends ReadLimits {
  /** Tensors that are left out: they are not unpacked, and nothing in them can refuse the file. */
  readonly ignore?: Ignore
}

/** The largest growth from an element in a file to float32, that of a byte. */
const DEFAULT_GROWTH = 4

/** @throws DlgError `invalid-option` */
export function maximumBytes(fileBytes: number, limits: ReadLimits): number {
  knownNames('options', limits, ['maximumBytes', 'ignore'])
  const { maximumBytes } = limits
  if (maximumBytes === undefined) return fileBytes * DEFAULT_GROWTH
  if (Number.isSafeInteger(maximumBytes) && maximumBytes > 0) return maximumBytes
  throw new DlgError('invalid-option', `maximumBytes is ${show(maximumBytes)}; it must be a positive whole number`)
}

/**
 * @param claim what the error message says of the bytes.
 * @throws DlgError `invalid-file`
 */
export function checkSize(bytes: number, maximum: number, claim: string): void {
  if (bytes <= maximum) return
  throw new DlgError(
    'invalid-file',
    `${claim} ${bytes} bytes; it must be at most ${maximum}, by default four times the file's size; if you trust the file, pass maximumBytes: ${bytes}`,
  )
}

/**
 * Tensors to leave out, by name: a name, a name in which `*` stands for any characters (`*.attn.bias`), a RegExp, or a
 * list of these.
 */
export type Ignore = string | RegExp | readonly (string | RegExp)[]

/**
 * Whether a name is to be left out.
 *
 * @throws DlgError `invalid-option` when `ignore` is something else.
 */
export function ignores(ignore: Ignore | undefined): (name: string) => boolean {
  if (ignore === undefined) return () => false
  const patterns = typeof ignore === 'string' || ignore instanceof RegExp ? [ignore] : ignore
  const sound = Array.isArray(patterns) && patterns.every((p) => typeof p === 'string' || p instanceof RegExp)
  if (!sound)
    throw new DlgError('invalid-option', 'ignore must be a name, a pattern such as "*.mask", a RegExp, or a list')
  const tests = patterns.map((pattern) =>
    typeof pattern === 'string' ? wildcard(pattern) : (name: string) => name.search(pattern) >= 0,
  )
  return (name) => tests.some((test) => test(name))
}

/** Each part is taken where it first occurs, so a match costs one pass over the name, however many stars there are. */
function wildcard(pattern: string): (name: string) => boolean {
  const [head, ...parts] = pattern.split('*')
  const tail = parts.pop()
  if (tail === undefined) return (name) => name === head
  return (name) => {
    if (name.length < head.length + tail.length || !name.startsWith(head) || !name.endsWith(tail)) return false
    let at = head.length
    for (const part of parts) {
      const found = name.indexOf(part, at)
      if (found < 0) return false
      at = found + part.length
    }
    return at <= name.length - tail.length
  }
}
