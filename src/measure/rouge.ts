import { idList } from '../errors/checks'

/** How much two sequences of tokens have in common, each from 0 to 1. */
export interface Rouge {
  /** F1 of single tokens. */
  readonly rouge1: number
  /** F1 of pairs of neighbours. */
  readonly rouge2: number
  /** F1 of the longest common subsequence. */
  readonly rougeL: number
}

/**
 * ROUGE-1, ROUGE-2 and ROUGE-L of token ids (Lin 2004): the harmonic mean of precision and recall, each n-gram counted as often as
 * it occurs in both. 0 where either sequence is too short to have one.
 *
 * @throws DlgError `invalid-data` for what are no token ids
 */
export function rouge(found: readonly number[], truth: readonly number[]): Rouge {
  idList('found', found)
  idList('truth', truth)
  return {
    rouge1: overlap(grams(found, 1), grams(truth, 1)),
    rouge2: overlap(grams(found, 2), grams(truth, 2)),
    rougeL: f1(commonSubsequence(found, truth), found.length, truth.length),
  }
}

const grams = (tokens: readonly number[], n: number): string[] =>
  Array.from({ length: Math.max(0, tokens.length - n + 1) }, (_, i) => tokens.slice(i, i + n).join(' '))

const f1 = (common: number, found: number, truth: number): number => (common === 0 ? 0 : (2 * common) / (found + truth))

function overlap(found: readonly string[], truth: readonly string[]): number {
  const left = new Map<string, number>()
  for (const gram of truth) left.set(gram, (left.get(gram) ?? 0) + 1)
  let common = 0
  for (const gram of found) {
    const count = left.get(gram) ?? 0
    if (count > 0) common++
    left.set(gram, count - 1)
  }
  return f1(common, found.length, truth.length)
}

/** Length of the longest sequence that is in both, gaps allowed. */
function commonSubsequence(a: readonly number[], b: readonly number[]): number {
  let row = new Array<number>(b.length + 1).fill(0)
  for (const token of a) {
    const next = [0]
    for (let j = 0; j < b.length; j++) next.push(b[j] === token ? row[j] + 1 : Math.max(row[j + 1], next[j]))
    row = next
  }
  return row[b.length]
}
