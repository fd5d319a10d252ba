import { type Random, random } from '../../numbers/random'
import type { Pause } from '../contract/pause'
import { type Attended, attendedSequences } from './encoder-attended'
import { atAllPlaces, type Descent, descend } from './encoder-descent'
import { jointSequence } from './encoder-joint'
import { likelySequences } from './encoder-starts'
import { type FirstGradient, grouped, type Judged } from './grouped'
import { type SecondInputs, unlike } from './second-inputs'
import { length } from './span'
import { withoutStrangers } from './strangers'

/** Descents that are tried from one candidate; fewer where noise makes each of them look at all places. */
const ATTEMPTS = { clean: 12, noisy: 3 }

/** Where noise moves the second input this many times as far as an exchanged token does, descents lead nowhere. */
const HIDDEN = 1

/** A search among candidates, with what it found. */
interface Search extends Descent {
  readonly from: Random
  readonly found: number[][]
  /** Sequences that a position shows at least, where no token recurs. */
  readonly size: number
  /** The closest of what does not lie in the span at every place. */
  readonly near: Near[]
  readonly pause: Pause
}

/** A sequence outside of the span, and Σ d² over its places, divided by their number. */
interface Near {
  readonly sequence: readonly number[]
  readonly far: number
}

/** More candidates than this many times the batch's different tokens have many strangers among them. */
const CROWDED = 1.25

/** Sequences outside of the span that are kept. */
const NEAR = 200

/**
 * Sequences of an encoder, where every position sees every other: the second input of a place lies in the span only when
 * the whole sequence is right.
 *
 * What attention took for each candidate shows its sentence. Where it does not, the sentence of each candidate that no found one explains
 * is solved for by least squares. Where that does not explain everything, tokens are exchanged one by one, each time where the second input comes closest to the span. Attention mixes positions by sums, so
 * the distance falls with every right token.
 *
 * @param places candidates of every position
 * @param expected sequences there are said to be: a hint where to begin, no more
 * @param tokenOf the token of a candidate
 * @param keep told of every sequence that is found, and of those that come closest, the closest first
 * @param enough asked, when the likely sequences are found, whether they explain everything; `once` says that each occurs once
 * @param gradient what the gradient of the first block says of candidates
 * @param attended the first block in numbers, where that is known
 */
export async function encoderSequences(
  places: readonly (readonly number[])[],
  second: SecondInputs,
  expected: number | undefined,
  tokenOf: (candidate: number) => number,
  keep: (found: readonly (readonly number[])[], near: readonly (readonly number[])[]) => void,
  enough: (found: readonly (readonly number[])[], once?: boolean) => Promise<Judged | undefined>,
  gradient: FirstGradient,
  attended: Attended | undefined,
  pause: Pause,
): Promise<number[][]> {
  if (places.some((candidates) => candidates.length === 0)) return []
  const found: number[][] = []
  const near: Near[] = []
  const told = () =>
    keep(
      found,
      near.map(({ sequence }) => sequence),
    )
  const from = random(0, 0x656e63)
  let asked = 0
  let proven = false
  /** Asks for a proof where something was found since the last one. */
  const isProven = async (noisy: boolean): Promise<boolean> => {
    if (proven || found.length === asked) return proven
    asked = found.length
    proven = (await enough(noisy ? await likeliest(places, second, found) : found))?.proven ?? false
    return proven
  }
  const first = places.map(([candidate]) => candidate)
  // one candidate everywhere leaves one sentence: a proof needs nothing of the second block, which noise may hide
  if (places.every((candidates) => candidates.length === 1) && (await enough([first]))?.proven) {
    keep([first], [])
    return [first]
  }
  const noisy = await second.isNoisy([first], 0)
  const whole: Search = { places, second, noisy, from, found, near, size: 0, pause }
  const byGroups = (own: readonly (readonly number[])[]): Promise<boolean> =>
    grouped({ places: own, tokenOf }, gradient, [...sizesOf(own), expected ?? 1], noisy, enough, pause)
  const keepAttended = async (sequence: readonly number[], at: number): Promise<boolean> => {
    const search = { ...whole, places: places.slice(0, sequence.length) }
    if (found.some((other) => other.join() === sequence.join())) return false
    const isRight = (await tryWhole(sequence, search)) || (await tryFrom(sequence, at, search))
    told()
    return isRight
  }
  const isCrowded = attended && places.flat().length > CROWDED * attended.different
  // before strangers are dropped: what noise does to the second inputs hides who they are
  const early = noisy && !isCrowded
  if (early && (await byGroups(places))) return found
  const isAttended = attended && places.some((all) => all.length > 1)
  const there = isAttended && (await attendedSequences(places, attended, tokenOf, found, keepAttended, pause))
  if (there && (await isProven(noisy))) return found
  if (!there && !early && (await byGroups(places))) return found
  const hidden = noisy && (await isHidden(places, second))
  const likely = there || (await withoutStrangers(places, second, from))
  const same = likely.every((candidates, p) => candidates.length === places[p].length)
  const sets = (same ? [places] : [likely, places]).map((own) =>
    lengthsOf(own, tokenOf).map((part): Search => ({ ...whole, places: part, size: sizeOf(part) })),
  )
  if ((there || !same) && (!early || !same) && (await byGroups(likely))) return found
  // a descent costs far more, and is for what no linear map explains
  for (const step of hidden ? [solveEach] : [solveEach, descendEach])
    for (const searches of sets) if (await step(searches, expected, told, () => isProven(noisy))) return found
  return noisy ? likeliest(places, second, found) : found
}

/** A step of the way, over the sentences of every length. @returns whether a proof ended it */
type Step = (
  searches: readonly Search[],
  expected: number | undefined,
  told: () => void,
  isProven: () => Promise<boolean>,
) => Promise<boolean>

/**
 * Solves for the sentence of every candidate that is open. A shorter sentence shows in a longer one: attention reads other keys then, and
 * which tokens belong together stays as it is.
 */
const solveEach: Step = async (searches, expected, told, isProven) => {
  // within noise every mixture of sentences lies in the span: only what is solved for is near the right ones
  for (const search of searches.filter(({ noisy }) => !noisy)) {
    told()
    for (const size of new Set([search.size, expected ?? search.size]))
      for (const start of await likelySequences(search.places, search.second, size, search.pause))
        await tryWhole(start, search)
  }
  if (searches[0].found.length > 0 && (await isProven())) return true
  for (const search of searches) {
    const { places, second, noisy, found, pause } = search
    const asked = new Set<number>()
    // the last position first: it belongs to sentences of this length alone
    for (const at of [...places.keys()].reverse())
      for (const candidate of open(search, at)) {
        if (asked.has(candidate) || !open(search, at).includes(candidate)) continue
        asked.add(candidate)
        const start = places.map((all, p) => (p === at ? candidate : (open(search, p)[0] ?? all[0])))
        const solved = await jointSequence(places, second, start, at, noisy, pause)
        const whole = noisy ? await descend(solved, at, search) : solved
        const before = found.length
        for (const { places: own } of searches) {
          const [count, end] = [own.length, whole[own.length - 1]]
          if (count > at && count <= places.length && own[count - 1].includes(end))
            await tryWhole(whole.slice(0, count), search)
        }
        told()
        if (found.length > before && (found.length >= search.size || searches.length > 1) && (await isProven()))
          return true
      }
  }
  return false
}

/** Descends from each candidate that is open, from several starts. */
const descendEach: Step = async (searches, _, told, isProven) => {
  const { found } = searches[0]
  const tried = async (start: readonly number[], at: number, search: Search): Promise<boolean> => {
    const right = await tryFrom(start, at, search)
    told()
    return right
  }
  // first what ends a sentence of each length, which belongs to that length alone
  if (searches.length > 1)
    for (const search of searches) {
      const last = search.places.length - 1
      for (const candidate of search.places[last]) while (await throughCandidate(last, candidate, search, tried));
    }
  for (const search of searches) {
    const failed = new Set<number>()
    while (true) {
      const anchor = mostOpen(search, failed)
      if (!anchor) break
      // candidates that are left may be strangers: what is found may be all there is
      if ((found.length >= search.size || searches.length > 1) && (await isProven())) return true
      if (!(await throughCandidate(anchor.at, anchor.candidate, search, tried))) failed.add(anchor.candidate)
    }
  }
  return false
}

/**
 * Candidates of sentences of every length that may occur: the whole length, and those after which a token stands that ends the
 * longest; where there is no such token, those after which fewer sentences go on.
 */
function lengthsOf(
  places: readonly (readonly number[])[],
  tokenOf: (candidate: number) => number,
): (readonly (readonly number[])[])[] {
  const whole = places.length - 1
  const last = new Set(places[whole].map(tokenOf))
  const inner = [...places.keys()].slice(1, whole).reverse()
  const ends = inner.map((at) => ({ at, candidates: places[at].filter((candidate) => last.has(tokenOf(candidate))) }))
  const marked = ends.filter(({ candidates }) => candidates.length > 0)
  if (marked.length > 0) return [places, ...marked.map(({ at, candidates }) => [...places.slice(0, at), candidates])]
  const shorter = inner.filter((at) => places[at + 1].length < places[at].length)
  return [places, ...shorter.map((at) => places.slice(0, at + 1))]
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

/** Chooses among the sequences found those that are closest to the span and have little in common. */
async function likeliest(
  places: readonly (readonly number[])[],
  second: SecondInputs,
  found: readonly number[][],
): Promise<number[][]> {
  const scores: number[] = []
  for (const sequence of found) scores.push((await atAllPlaces([sequence], second))[0] / sequence.length)
  return unlike(found, scores, places)
}

/** How many candidates positions have: the most frequent number; the larger where two are equally frequent. */
const sizeOf = (places: readonly (readonly number[])[]): number => sizesOf(places)[0]

/** The most frequent number of candidates, and those nearly as frequent: tokens that recur bring strangers to each of their positions. */
function sizesOf(places: readonly (readonly number[])[]): number[] {
  const counts = places.map(({ length }) => length)
  const times = (n: number): number => counts.filter((count) => count === n).length
  const sizes = [...new Set(counts)].sort((a, b) => times(b) - times(a) || b - a)
  return sizes.slice(0, 2).filter((size) => 2 * times(size) >= times(sizes[0]))
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
  tried: (start: readonly number[], at: number, search: Search) => Promise<boolean>,
): Promise<boolean> {
  for (let attempt = 0; attempt < (search.noisy ? ATTEMPTS.noisy : ATTEMPTS.clean); attempt++) {
    const start = search.places.map((all, p) => {
      // what else is open likely belongs to the same sequence
      const likely = open(search, p).length > 0 ? open(search, p) : all
      return p === at ? candidate : likely[Math.floor(search.from.uniform() * likely.length)]
    })
    if (await tried(start, at, search)) return true
  }
  return false
}

/** Keeps the sequence that a descent ends in, when it is new and lies in the span at every place. */
const tryFrom = async (start: readonly number[], at: number, search: Search): Promise<boolean> =>
  tryWhole(await descend(start, at, search), search)

/** Keeps a sequence, when it is new and lies in the span at every place. */
async function tryWhole(sequence: readonly number[], { second, noisy, found, near }: Search): Promise<boolean> {
  if ([...found, ...near.map((own) => own.sequence)].some((other) => other.join() === sequence.join())) return false
  const far: number[] = []
  for (const place of sequence.keys()) {
    far.push((await second.distances([sequence], place))[0])
    // noise has no nearest sequences: mixtures of right ones lie as near as they do
    if (noisy && far[far.length - 1] > 1) return false
  }
  if (far.every((d) => d <= 1)) {
    found.push([...sequence])
    return true
  }
  near.push({ sequence: [...sequence], far: far.reduce((sum, d) => sum + d * d, 0) / far.length })
  near.sort((a, b) => a.far - b.far).splice(NEAR)
  return false
}
