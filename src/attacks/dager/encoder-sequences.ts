import { type Random, random } from '../../numbers/random'
import type { Offsets } from './decoder-sequences'
import { likelySequences } from './encoder-starts'
import { length } from './span'

/** Descents that are tried from one candidate. */
const ATTEMPTS = 12

/** The candidates that a descent chooses from, and how it judges a sequence. */
interface Search {
  /** Candidates of every position. */
  readonly places: readonly (readonly number[])[]
  readonly offsets: Offsets
  readonly tolerance: number
  readonly from: Random
  readonly found: number[][]
}

/**
 * Sequences of an encoder, where every position sees every other: the second input of a place lies in the span only when
 * the whole sequence is right.
 *
 * From a candidate that no found sequence explains, tokens are exchanged one by one, each time where the second input
 * comes closest to the span. Attention mixes positions by sums, so the distance falls with every right token.
 *
 * @param places candidates of every position
 * @returns at most `batchSize` sequences
 */
export async function encoderSequences(
  places: readonly (readonly number[])[],
  offsets: Offsets,
  batchSize: number,
  tolerance: number,
): Promise<number[][]> {
  if (places.some((candidates) => candidates.length === 0)) return []
  const search: Search = { places, offsets, tolerance, from: random(0, 0x656e63), found: [] }
  for (const start of await likelySequences(places, offsets, batchSize)) await tryFrom(start, 0, search)
  const failed = new Set<number>()
  while (search.found.length < batchSize) {
    const anchor = mostOpen(search, failed, batchSize)
    if (!anchor) break
    if (!(await throughCandidate(anchor.at, anchor.candidate, search))) failed.add(anchor.candidate)
  }
  return search.found.slice(0, batchSize)
}

/** Candidates of a position that no found sequence has there. */
const open = ({ places, found }: Search, at: number): number[] =>
  places[at].filter((candidate) => !found.some((sequence) => sequence[at] === candidate))

/**
 * A candidate to begin with, at a position that tells most sequences apart. One with more candidates than sequences has
 * strangers among them: tokens that recur elsewhere put them in the first span.
 */
function mostOpen(search: Search, failed: ReadonlySet<number>, batchSize: number) {
  const left = search.places.map((_, at) => open(search, at).filter((candidate) => !failed.has(candidate)))
  const worth = left.map((list, at) => (search.places[at].length > batchSize ? list.length / 1e3 : list.length))
  const at = worth.indexOf(Math.max(...worth))
  return worth[at] > 0 ? { at, candidate: left[at][0] } : undefined
}

/** Descents from random sequences through a candidate, until one finds a sequence. */
async function throughCandidate(at: number, candidate: number, search: Search): Promise<boolean> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const start = search.places.map((all, p) => {
      // what else is open likely belongs to the same sequence
      const likely = open(search, p).length > 0 ? open(search, p) : all
      return p === at ? candidate : likely[Math.floor(search.from.uniform() * likely.length)]
    })
    if (await tryFrom(start, at, search)) return true
  }
  return false
}

/** Keeps the sequence that a descent ends in, when it is new and lies in the span at every place. */
async function tryFrom(start: readonly number[], at: number, search: Search): Promise<boolean> {
  const { offsets, tolerance, found } = search
  const sequence = await descend(start, at, search)
  if (found.some((other) => other.join() === sequence.join())) return false
  for (const place of sequence.keys()) if (length((await offsets([sequence], place))[0]) > tolerance) return false
  found.push(sequence)
  return true
}

/**
 * Exchanges tokens as long as the second input at a place comes closer to the span: at every position the one that
 * brings it closest alone, all at once where that is closer still, else the best of them.
 */
async function descend(start: readonly number[], at: number, { places, offsets }: Search): Promise<number[]> {
  const distance = async (trials: readonly number[][]): Promise<number[]> => (await offsets(trials, at)).map(length)
  let current = [...start]
  let [far] = await distance([current])
  for (;;) {
    const changes = places.flatMap((all, p) =>
      all.filter((c) => c !== current[p]).map((candidate) => ({ p, candidate })),
    )
    if (changes.length === 0) return current
    const alone = changes.map(({ p, candidate }) => current.with(p, candidate))
    const tried = await distance(alone)
    const least = tried.reduce((a, d, i) => (d < tried[a] ? i : a), 0)
    const together = current.map((token, p) => {
      const better = changes.map((_, i) => i).filter((i) => changes[i].p === p && tried[i] < far)
      return better.length > 0 ? changes[better.reduce((a, i) => (tried[i] < tried[a] ? i : a))].candidate : token
    })
    const [all] = await distance([together])
    const next = all < tried[least] ? { sequence: together, far: all } : { sequence: alone[least], far: tried[least] }
    if (!(next.far < far)) return current
    current = next.sequence
    far = next.far
  }
}
