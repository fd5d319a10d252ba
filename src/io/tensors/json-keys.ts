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
