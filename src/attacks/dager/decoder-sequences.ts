import { length } from './span'

/** For each trial: the part of block 2's input at position `at` that lies outside block 2's span. */
export type Offsets = (trials: readonly (readonly number[])[], at: number) => Promise<Float64Array[]>

/** Prefixes that are followed at a time, for each sequence of the batch. */
const BEAM = 16

/**
 * Sequences of a decoder, grown from the left: a position sees only what is before it, so the second input of a right
 * prefix's last token lies in the span whatever follows.
 *
 * @param places candidates of every position
 * @returns sequences, longest first; a prefix that nothing continues has ended
 */
export async function decoderSequences(
  places: readonly (readonly number[])[],
  offsets: Offsets,
  batchSize: number,
  tolerance: number,
): Promise<number[][]> {
  const ended: number[][] = []
  let prefixes: number[][] = [[]]
  for (const [at, candidates] of places.entries()) {
    const trials = prefixes.flatMap((prefix) => candidates.map((candidate) => [...prefix, candidate]))
    const distances = trials.length > 0 ? (await offsets(trials, at)).map(length) : []
    const kept = trials
      .map((trial, i) => ({ trial, far: distances[i] }))
      .filter(({ far }) => far <= tolerance)
      .sort((a, b) => a.far - b.far)
      .slice(0, BEAM * batchSize)
    const continued = new Set(kept.map(({ trial }) => trial.slice(0, at).join()))
    ended.push(...prefixes.filter((prefix) => at > 0 && !continued.has(prefix.join())))
    prefixes = kept.map(({ trial }) => trial)
  }
  return [...prefixes, ...ended.reverse()]
}
