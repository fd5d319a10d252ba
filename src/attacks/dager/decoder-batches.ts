import type { Steps } from '../../numbers/steps'
import { type Pause, paced } from '../contract/pause'
import type { SecondInputs } from './second-inputs'

/** Sentences of all the batches that are followed at a time, and the most and the fewest batches. */
const FOLLOWED = { sentences: 128, most: 32, fewest: 2 }

const widthFor = (sentences: number): number =>
  Math.min(FOLLOWED.most, Math.max(FOLLOWED.fewest, Math.floor(FOLLOWED.sentences / sentences)))

/** The beginnings of all sentences of a batch. */
interface Batch {
  readonly open: readonly (readonly number[])[]
  readonly ended: readonly (readonly number[])[]
  /** Σ d² over all tokens, d how far the second input lies outside. */
  readonly score: number
}

/** Most sentences of a batch; how many numbers of sentences are tried, and batches of each that are given back. */
const MOST = { sentences: 64, counts: 4, batches: 3 }

/** Batches whose mean d² is at most this many times the least one have right tokens alone: a wrong token adds more. */
const AS_NEAR = 1.1

/**
 * Sequences of a decoder's batch, grown from the left all together: every candidate belongs to a sentence, so where noise leaves a
 * prefix two candidates, its neighbour's choice says which.
 *
 * There are as many sentences as a position has candidates; but a token that recurs brings strangers to each of its positions. So every number
 * of candidates is tried, and the largest one whose tokens lie as near as those of any other is the likeliest.
 *
 * @param places candidates of every position
 * @param keep told of the beginnings that were followed to each position
 * @returns batches, the likeliest first
 * @throws CUT
 */
export async function decoderBatches(
  places: readonly (readonly number[])[],
  { distances }: SecondInputs,
  keep: (found: readonly (readonly number[])[]) => void,
  pause: Pause,
): Promise<number[][][]> {
  const counts = [...new Set(places.map(({ length }) => length))]
    .filter((count) => count > 1 && count <= MOST.sentences)
    .sort((a, b) => b - a)
  const all: { readonly batches: readonly Batch[]; readonly mean: number }[] = []
  for (const count of counts.slice(-MOST.counts)) {
    const batches = await grownBatches(places, openAt(places, count), distances, keep, pause)
    all.push({ batches, mean: batches[0].score / lengthsOf(batches[0]).reduce((sum, length) => sum + length, 0) })
  }
  const near = AS_NEAR * Math.min(...all.map(({ mean }) => mean))
  const inside = all.filter(({ mean }) => mean <= near)
  const others = all.filter(({ mean }) => mean > near).sort((a, b) => a.mean - b.mean)
  return [...inside, ...others].flatMap(({ batches }) =>
    batches.slice(0, MOST.batches).map(({ open, ended }) => [...open, ...ended].map((sequence) => [...sequence])),
  )
}

const lengthsOf = ({ open, ended }: Batch): number[] => [...open, ...ended].map(({ length }) => length)

/** The likeliest batches with a number of sentences at each position. */
async function grownBatches(
  places: readonly (readonly number[])[],
  open: readonly number[],
  distances: SecondInputs['distances'],
  keep: (found: readonly (readonly number[])[]) => void,
  pause: Pause,
): Promise<readonly Batch[]> {
  const width = widthFor(open[0])
  let batches: readonly Batch[] = [{ open: new Array<number[]>(open[0]).fill([]), ended: [], score: 0 }]
  for (const [at, candidates] of places.entries()) {
    const prefixes = new Map(batches.flatMap((batch) => batch.open.map((prefix) => [String(prefix), prefix] as const)))
    const trials = [...prefixes.values()].flatMap((prefix) => candidates.map((candidate) => [...prefix, candidate]))
    const far = await distances(trials, at)
    const squares = new Map(trials.map((trial, i) => [String(trial), far[i] ** 2]))
    const next: Batch[] = []
    for (const batch of batches)
      next.push(...(await paced(continued(batch, candidates, open[at], squares, width), pause)))
    const once = new Map(next.map((batch) => [[...batch.open, ...batch.ended].map(String).sort().join('|'), batch]))
    batches = [...once.values()].sort((a, b) => a.score - b.score).slice(0, width)
    keep([...batches[0].open, ...batches[0].ended])
  }
  return batches
}

/**
 * How many sentences are open at each position, if there are `most` in all: as many as it or a later one has candidates. One that has more
 * says nothing of it: as many as at the position before. Where one has fewer than are open, sentences share a candidate.
 */
function openAt(places: readonly (readonly number[])[], most: number): number[] {
  const counts = places.map(({ length }) => length)
  const open: number[] = []
  for (const [p, count] of counts.entries()) {
    const later = Math.max(0, ...counts.slice(p).filter((n) => n <= most))
    open.push(count <= most ? later : Math.max(later, open[p - 1] ?? most))
  }
  return open
}

/** Some sentences with what they go on with. */
interface Way {
  /** By sentence: its candidate. */
  readonly chosen: ReadonlyMap<number, number>
  readonly score: number
}

/** The likeliest ways in which a batch goes on, with `count` sentences that share all candidates or have one each; the others have ended. */
function* continued(
  { open, ended, score }: Batch,
  candidates: readonly number[],
  count: number,
  squares: ReadonlyMap<string, number>,
  width: number,
): Steps<Batch[]> {
  let ways: readonly Way[] = [{ chosen: new Map(), score }]
  for (let k = 0; k < count; k++) {
    const next = ways.flatMap((way) =>
      pairsOf(way, open.length, candidates, count, k).map((pair) => ({
        ...{ way, pair },
        score: way.score + squares.get(String([...open[pair[0]], pair[1]]))!,
      })),
    )
    const best = next.sort((a, b) => a.score - b.score).slice(0, width)
    ways = best.map(({ way, pair, score: sum }) => ({ chosen: new Map([...way.chosen, pair]), score: sum }))
    yield
  }
  return ways.map((way) => ({
    open: [...way.chosen].map(([s, candidate]) => [...open[s], candidate]),
    ended: [...ended, ...open.filter((_, s) => !way.chosen.has(s))],
    score: way.score,
  }))
}

/** Pairs of a sentence and a candidate that a way may add as its k-th. */
function pairsOf(
  { chosen }: Way,
  sentences: number,
  candidates: readonly number[],
  count: number,
  k: number,
): (readonly [sentence: number, candidate: number])[] {
  const free = Array.from({ length: sentences }, (_, s) => s).filter((s) => !chosen.has(s))
  if (candidates.length <= count) {
    // first each candidate finds a sentence, then sentences share one
    const some = k < candidates.length ? [candidates[k]] : candidates
    return free.flatMap((s) => some.map((candidate) => [s, candidate] as const))
  }
  // strangers among them: sentences in their order, each with a candidate that no other has
  const taken = new Set(chosen.values())
  const after = Math.max(-1, ...chosen.keys())
  return free
    .filter((s) => s > after && sentences - s >= count - k)
    .flatMap((s) => candidates.filter((candidate) => !taken.has(candidate)).map((candidate) => [s, candidate] as const))
}
