import { show } from '../errors/checks'
import { DlgError } from '../errors/dlg-error'
import type { TextTokenizer } from './tokenizer'

const SPECIAL = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] as const
/** Longest piece inside a word that the vocabulary may have. */
const LONGEST_ENDING = 6

/** As BERT's uncased tokenizers: lower case, no accents, words apart from punctuation marks. */
export function words(text: string): string[] {
  const plain = text
    .toLowerCase()
    .normalize('NFD')
    .replace(/\p{Mn}/gu, '')
  return plain.match(/[\p{P}\p{S}]|[^\p{P}\p{S}\p{Z}\p{C}]+/gu) ?? []
}

/**
 * A WordPiece vocabulary from text: every character alone and as a continuation, so that any word of these characters
 * can be written; then whole words and endings, the most frequent first, ties in alphabetical order.
 *
 * @param size most tokens, the five special ones included
 * @throws DlgError `invalid-data` for text without words, `invalid-option`
 */
export function wordPieceVocabulary(text: string, size = 3000): string[] {
  if (typeof text !== 'string') throw new DlgError('invalid-data', `text is ${show(text)}; it must be a string`)
  const found = words(text)
  const characters = [...new Set(found.flatMap((word) => [...word]))].sort()
  const least = SPECIAL.length + 2 * characters.length
  if (found.length === 0) throw new DlgError('invalid-data', 'the vocabulary needs text; it has no words')
  if (!(Number.isInteger(size) && size >= least))
    throw new DlgError(
      'invalid-option',
      `size is ${show(size)}; it must be a whole number of at least ${least} for this text`,
    )
  const counts = new Map<string, number>()
  const count = (piece: string): void => void counts.set(piece, (counts.get(piece) ?? 0) + 1)
  for (const word of found) {
    const letters = [...word]
    if (letters.length > 1) count(word)
    for (let n = 2; n <= LONGEST_ENDING && n < letters.length; n++) count(`##${letters.slice(-n).join('')}`)
  }
  const frequent = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([piece]) => piece)
  return [...SPECIAL, ...characters, ...characters.map((c) => `##${c}`), ...frequent].slice(0, size)
}

/**
 * A tokenizer over a WordPiece vocabulary: each word is the longest pieces from the left (Wu et al. 2016).
 *
 * @throws DlgError `invalid-data` for a vocabulary that is no list of strings, or lacks one of the five special tokens
 */
export function wordPiece(vocabulary: readonly string[]): Required<TextTokenizer> {
  if (!Array.isArray(vocabulary) || !vocabulary.every((token) => typeof token === 'string'))
    throw new DlgError('invalid-data', `the vocabulary is ${show(vocabulary)}; it must be a list of strings`)
  const ids = new Map(vocabulary.map((token, id) => [token, id]))
  const missing = SPECIAL.find((token) => !ids.has(token))
  if (missing) throw new DlgError('invalid-data', `the vocabulary has no ${missing}`)
  const [pad, unknown, first, last, mask] = SPECIAL.map((token) => ids.get(token)!)
  const around = new Set([pad, first, last])

  function pieces(word: string): number[] {
    const letters = [...word]
    const out: number[] = []
    for (let at = 0; at < letters.length; ) {
      let end = letters.length
      const piece = (): string => (at > 0 ? '##' : '') + letters.slice(at, end).join('')
      while (end > at && !ids.has(piece())) end--
      if (end === at) return [unknown]
      out.push(ids.get(piece())!)
      at = end
    }
    return out
  }

  return {
    size: vocabulary.length,
    first,
    last,
    mask,
    encode: (text) => [first, ...words(text).flatMap(pieces), last],
    decode: (list) =>
      list
        .filter((id) => !around.has(id))
        .map((id) => vocabulary[id] ?? SPECIAL[1])
        .join(' ')
        .replaceAll(' ##', '')
        .replace(/ ([.,!?;:)])/g, '$1'),
    token: (id) => vocabulary[id] ?? SPECIAL[1],
  }
}
