import { type Random, random } from '../../numbers/random'
import { likelySequences } from './encoder-starts'
import { type SecondInputs, unlike } from './second-inputs'
import { length } from './span'

/** Descents that are tried from one candidate; fewer where noise makes each of them look at all places. */
const ATTEMPTS = { clean: 12, noisy: 3 }

/** Where noise moves the second input this many times as far as an exchanged token does, descents lead nowhere. */
const HIDDEN = 1

/** The candidates that a descent chooses from, and how it judges a sequence. */
interface Search {
  /** Candidates of every position. */
  readonly places: readonly (readonly number[])[]
  readonly second: SecondInputs
  /** Whether noise hides at one place what one wrong token changes. */
  readonly noisy: boolean
  readonly from: Random
  readonly found: number[][]
  /** Sequences that a position shows at least, where no token recurs. */
  readonly size: number
}

/**
 * Sequences of an encoder, where every position sees every other: the second input of a place lies in the span only when
 * the whole sequence is right.
 *
 * From a candidate that no found sequence explains, tokens are exchanged one by one, each time where the second input
 * comes closest to the span. Attention mixes positions by sums, so the distance falls with every right token.
 *
 * @param places candidates of every position
 * @param expected sequences there are said to be: a hint where to begin, no more
 * @param keep told of every sequence that is found
 * @param enough asked, when the likely sequences are found, whether they explain everything
 */
export async function encoderSequences(
  places: readonly (readonly number[])[],
  second: SecondInputs,
  expected: number | undefined,
  keep: (found: readonly (readonly number[])[]) => void,
  enough: (found: readonly (readonly number[])[]) => Promise<boolean>,
): Promise<number[][]> {
  if (places.some((candidates) => candidates.length === 0)) return []
  const size = typical(places.map((candidates) => candidates.length))
  const noisy = await second.isNoisy([places.map(([candidate]) => candidate)], 0)
  const search: Search = { places, second, noisy, from: random(0, 0x656e63), found: [], size }
  if (noisy && (await isHidden(places, second))) return []
  const tried = async (start: readonly number[], at: number): Promise<boolean> => {
    const right = await tryFrom(start, at, search)
    if (right) keep(search.found)
    return right
  }
  for (const likely of new Set([size, expected ?? size]))
    for (const start of await likelySequences(places, second, likely)) await tried(start, 0)
  const failed = new Set<number>()
  let asked = 0
  while (true) {
    const anchor = mostOpen(search, failed)
    if (!anchor) break
    // candidates that are left may be strangers: what is found may be all there is
    if (search.found.length >= size && search.found.length > asked) {
      if (await enough(noisy ? await likeliest(search) : search.found)) break
      asked = search.found.length
    }
    if (!(await throughCandidate(anchor.at, anchor.candidate, search, tried))) failed.add(anchor.candidate)
  }
  return noisy ? likeliest(search) : search.found
}

/** Whether noise hides which tokens belong together: it moves the second input further than an exchanged token does. */
async function isHidden(places: readonly (readonly number[])[], { offsets }: SecondInputs): Promise<boolean> {
  const first = places.map(([candidate]) => candidate)
  const exchanged = places.flatMap((candidates, p) =>
    candidates.slice(1, 3).map((candidate) => first.with(p, candidate)),
  )
  if (exchanged.length === 0) return false
  const at = places.map((candidates) => candidates.length).reduce((best, n, p, all) => (n < all[best] ? p : best), 0)
  const [base, ...others] = await offsets([first, ...exchanged], at)
  const moves = others.map((vector) => length(vector.map((v, j) => v - base[j]))).sort((a, b) => a - b)
  return length(base) > HIDDEN * moves[moves.length >> 1]
}

/** Of the sequences found, the closest to the span that have little in common. */
async function likeliest({ places, second, found }: Search): Promise<number[][]> {
  const scores = found.length > 0 ? await atAllPlaces(found, second) : []
  return unlike(found, scores, places)
}

/** The most frequent number; the larger where two are equally frequent. */
function typical(counts: readonly number[]): number {
  const times = (n: number): number => counts.filter((count) => count === n).length
  return counts.reduce((best, n) => (times(n) > times(best) || (times(n) === times(best) && n > best) ? n : best))
}

/** Candidates of a position that no found sequence has there. */
const open = ({ places, found }: Search, at: number): number[] =>
  places[at].filter((candidate) => !found.some((sequence) => sequence[at] === candidate))

/**
 * A candidate to begin with, at a position that tells most sequences apart. One with more candidates than sequences has
 * strangers among them: tokens that recur elsewhere put them in the first span.
 */
function mostOpen(search: Search, failed: ReadonlySet<number>) {
  const left = search.places.map((_, at) => open(search, at).filter((candidate) => !failed.has(candidate)))
  const worth = left.map((list, at) => (search.places[at].length > search.size ? list.length / 1e3 : list.length))
  const at = worth.indexOf(Math.max(...worth))
  return worth[at] > 0 ? { at, candidate: left[at][0] } : undefined
}

/** Descents from random sequences through a candidate, until one finds a sequence. */
async function throughCandidate(
  at: number,
  candidate: number,
  search: Search,
  tried: (start: readonly number[], at: number) => Promise<boolean>,
): Promise<boolean> {
  for (let attempt = 0; attempt < (search.noisy ? ATTEMPTS.noisy : ATTEMPTS.clean); attempt++) {
    const start = search.places.map((all, p) => {
      // what else is open likely belongs to the same sequence
      const likely = open(search, p).length > 0 ? open(search, p) : all
      return p === at ? candidate : likely[Math.floor(search.from.uniform() * likely.length)]
    })
    if (await tried(start, at)) return true
  }
  return false
}

/** Keeps the sequence that a descent ends in, when it is new and lies in the span at every place. */
async function tryFrom(start: readonly number[], at: number, search: Search): Promise<boolean> {
  const { second, found } = search
  const sequence = await descend(start, at, search)
  if (found.some((other) => other.join() === sequence.join())) return false
  for (const place of sequence.keys()) if ((await second.distances([sequence], place))[0] > 1) return false
  found.push(sequence)
  return true
}

/** Σ d² over all places: what noise hides at one place, many places show. */
async function atAllPlaces(trials: readonly number[][], { distances }: SecondInputs): Promise<number[]> {
  const sums = trials.map(() => 0)
  for (const place of trials[0].keys())
    for (const [i, d] of (await distances(trials, place)).entries()) sums[i] += d * d
  return sums
}

/**
 * Exchanges tokens as long as the second input at a place comes closer to the span: at every position the one that
 * brings it closest alone, all at once where that is closer still, else the best of them.
 */
async function descend(start: readonly number[], at: number, { places, second, noisy }: Search): Promise<number[]> {
  const distance = (trials: readonly number[][]): Promise<number[]> =>
    noisy ? atAllPlaces(trials, second) : second.distances(trials, at)
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
