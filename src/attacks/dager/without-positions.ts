import type { Candidate } from './first-inputs'

/**
 * The candidates of an input without positions at each of the positions that there may be. In the second block the inputs of one
 * sequence are as many as its tokens, but for repetitions of the first one.
 */
export const anywhere = ([list]: readonly (readonly Candidate[])[], positions: number): Candidate[][] =>
  Array.from({ length: positions }, (_, position) => list.map((candidate) => ({ ...candidate, position })))

/**
 * Sequences without those that repeat one token: without positions, a token that sees only itself is the same input at every
 * position, so that nothing ends its repetition. They stay where there is nothing else that begins so.
 */
export function withoutRepetition(found: readonly (readonly number[])[]): readonly (readonly number[])[] {
  const others = found.filter((sequence) => !repeatsOne(sequence))
  return found.filter((sequence) => !repeatsOne(sequence) || others.every(([token]) => token !== sequence[0]))
}

/** Most times that a sequence without positions may begin with the same token. */
export const REPEATS = 4

export const repeatsOne = (sequence: readonly number[]): boolean => sequence.every((token) => token === sequence[0])

/**
 * Whether a sentence reads one token alone, and reads and says it: `a a b` has the gradient of `a a` and `a b` together, for without
 * positions every `a` is the same input.
 */
export const isAmbiguous = (sentences: readonly (readonly number[])[]): boolean =>
  sentences.some((sentence) => sentence[0] === sentence[1] && repeatsOne(sentence.slice(0, -1)))
