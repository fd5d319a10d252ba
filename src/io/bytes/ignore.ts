import { DlgError } from '../../errors/dlg-error'

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
