import type { TextTokenizer } from '../text'
import { type Terminal, visible } from './terminal'

const UNKNOWN = '[UNK]'

/** How many tokens stand for something that the vocabulary lacks: it cannot come back. */
export const unknownIn = (tokens: readonly number[], tokenizer: TextTokenizer): number =>
  tokens.filter((id) => tokenizer.token(id) === UNKNOWN).length

/** Says on stderr where words are not in the vocabulary. */
export function noteUnknown(
  sentences: readonly (readonly number[])[],
  tokenizer: TextTokenizer,
  terminal: Terminal,
): void {
  const count = sentences.reduce((sum, tokens) => sum + unknownIn(tokens, tokenizer), 0)
  if (count === 0) return
  const words = count === 1 ? '1 word has characters' : `${count} words have characters`
  terminal.stderr.write(
    visible(`${words} that the vocabulary lacks; the model sees ${UNKNOWN}, and no more can come back\n`),
  )
}
