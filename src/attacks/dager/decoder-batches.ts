import type { SecondInputs } from './second-inputs'

/** Batches that are followed at a time. */
const WIDTH = 32

/** The beginnings of all sentences of a batch. */
interface Batch {
  readonly open: readonly (readonly number[])[]
  readonly ended: readonly (readonly number[])[]
  /** Σ d² over all tokens, d how far the second input lies outside. */
  readonly score: number
}

/**
 * Sequences of a decoder's batch, grown from the left all together: every candidate belongs to a sentence, so where noise leaves a
 * prefix two candidates, its neighbour's choice says which.
 *
 * As many sentences are open at a position as the most candidates that it or a later one has; where it has fewer itself, sentences share one.
 *
 * @param places candidates of every position
 * @param keep told of the beginnings that were followed to each position
 * @returns batches, the likeliest first
 */
export async function decoderBatches(
  places: readonly (readonly number[])[],
  { distances }: SecondInputs,
  keep: (found: readonly (readonly number[])[]) => void,
): Promise<number[][][]> {
  const open = places.map((_, p) => Math.max(...places.slice(p).map(({ length }) => length)))
  let batches: readonly Batch[] = [{ open: new Array<number[]>(open[0]).fill([]), ended: [], score: 0 }]
  for (const [at, candidates] of places.entries()) {
    const prefixes = new Map(batches.flatMap((batch) => batch.open.map((prefix) => [String(prefix), prefix] as const)))
    const trials = [...prefixes.values()].flatMap((prefix) => candidates.map((candidate) => [...prefix, candidate]))
    const far = await distances(trials, at)
    const squares = new Map(trials.map((trial, i) => [String(trial), far[i] ** 2]))
    const next = batches.flatMap((batch) => continued(batch, candidates, open[at], squares))
    const once = new Map(next.map((batch) => [[...batch.open, ...batch.ended].map(String).sort().join('|'), batch]))
    batches = [...once.values()].sort((a, b) => a.score - b.score).slice(0, WIDTH)
    keep([...batches[0].open, ...batches[0].ended])
  }
  return batches.map(({ open: last, ended }) => [...last, ...ended].map((sequence) => [...sequence]))
}

/** The likeliest ways in which a batch goes on, with `count` sentences that have all candidates; the others have ended. */
function continued(
  { open, ended, score }: Batch,
  candidates: readonly number[],
  count: number,
  squares: ReadonlyMap<string, number>,
): Batch[] {
  interface Way {
    /** By sentence: its candidate. */
    readonly chosen: ReadonlyMap<number, number>
    readonly score: number
  }
  let ways: readonly Way[] = [{ chosen: new Map(), score }]
  for (let k = 0; k < count; k++) {
    // first each candidate finds a sentence, then sentences share one
    const some = k < candidates.length ? [candidates[k]] : candidates
    ways = ways
      .flatMap((way) =>
        [...open.keys()]
          .filter((s) => !way.chosen.has(s))
          .flatMap((s) =>
            some.map((candidate) => ({
              chosen: new Map([...way.chosen, [s, candidate]]),
              score: way.score + squares.get(String([...open[s], candidate]))!,
            })),
          ),
      )
      .sort((a, b) => a.score - b.score)
      .slice(0, WIDTH)
  }
  return ways.map((way) => ({
    open: [...way.chosen].map(([s, candidate]) => [...open[s], candidate]),
    ended: [...ended, ...open.filter((_, s) => !way.chosen.has(s))],
    score: way.score,
  }))
}
