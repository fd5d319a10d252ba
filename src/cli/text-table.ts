import { inside } from '../models/tokenizer'
import { bagAccuracy, type TextTokenizer, tokenAccuracy } from '../text'

/** How much of a sentence was found: token for token in its place, and wherever it was put. What stands around every sentence is not counted. */
export const accuracies = (found: readonly number[], truth: readonly number[], tokenizer: TextTokenizer) => ({
  tokenAccuracy: tokenAccuracy(inside(found, tokenizer), inside(truth, tokenizer)),
  bagAccuracy: bagAccuracy(inside(found, tokenizer), inside(truth, tokenizer)),
})

/** The sentence as it read at a step. */
export interface Reading {
  readonly step: number
  readonly tokens: readonly number[]
}

interface Sentence {
  readonly text: string
  readonly tokens: readonly number[]
  /** The sentence as the model saw it, with some tokens hidden. */
  readonly seen?: readonly number[]
}

/** The sentence at each step, at the end, and as it was. */
export function table(
  readings: readonly Reading[],
  end: readonly number[],
  { text, tokens, seen }: Sentence,
  tokenizer: TextTokenizer,
): string {
  const row = (name: string, token: string, bag: string, sentence: string) =>
    `${name.padStart(8)}  ${token.padStart(5)}  ${bag.padStart(5)}  ${sentence}`
  const measured = (name: string, found: readonly number[]) => {
    const { tokenAccuracy, bagAccuracy } = accuracies(found, tokens, tokenizer)
    return row(name, percent(tokenAccuracy), percent(bagAccuracy), tokenizer.decode(found))
  }
  return [
    row('step', 'token', 'bag', 'sentence'),
    ...(seen ? [row('input', '', '', tokenizer.decode(seen))] : []),
    ...readings.map((reading) => measured(String(reading.step), reading.tokens)),
    measured('end', end),
    row('original', '', '', text.trim().replace(/\s+/g, ' ')),
  ].join('\n')
}

export const percent = (fraction: number): string => `${Math.floor(100 * fraction)} %`
