/** What a search came closest with. Its sequences are made of tokens of the first span, and lie outside of the second one. */
export interface Guess {
  /** The closest first. */
  readonly sequences: readonly (readonly number[])[]
  /** How many sequences the batch is taken to have. */
  readonly count: number
}

/** A guess that shares at least this part of its tokens with a sequence that is there is that sequence. */
const SAME = 0.5

/**
 * What fills a batch up: the closest guesses that are like none of its sequences, and like no other guess.
 *
 * @param known sequences that were found
 */
export function filledUp(known: readonly (readonly number[])[], { sequences, count }: Guess): number[][] {
  const filled: (readonly number[])[] = []
  // what all have at a position, such as the first token, tells nothing apart
  const telling = (p: number): boolean => sequences.some((sequence) => sequence[p] !== sequences[0][p])
  for (const own of sequences) {
    if (known.length + filled.length >= count) break
    const places = [...own.keys()].filter(telling)
    const isSame = (other: readonly number[]): boolean =>
      places.filter((p) => own[p] === other[p]).length >= SAME * places.length
    if (![...known, ...filled].some(isSame)) filled.push(own)
  }
  return filled.map((sequence) => [...sequence])
}
