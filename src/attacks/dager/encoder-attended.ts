import { type Pause, paced } from '../contract/pause'
import { attentionAmong } from './attention'
import { type Context, contextSolver } from './encoder-contexts'
import { type Heard, sentenceThrough } from './encoder-members'
import type { BlockNumbers } from './transformer'

/** The first block in numbers, and what candidates make of it. */
export interface Attended {
  readonly block: BlockNumbers
  /** u of each candidate. */
  readonly inputs: readonly Float64Array[]
  /** Tokens of the batch in all: the rank of the second block. */
  readonly tokens: number
  /** Different ones among them: the rank of the first block. */
  readonly different: number
}

/** Contexts of which h lies at most this far outside are there. */
export const THERE = 1e-2

/** A solution that is this many times as far as the nearer half of them is not there. */
const SPREAD = 30

/** Candidates without a solution that are looked at again around a sentence, the nearest first. */
const AGAIN = 64

/** Times that a sentence is read, each time with one more token that was lost. */
const TIMES = 4

/**
 * Sequences of an encoder by what attention took for each of their tokens. First that is solved for every candidate by itself, which drops what the
 * first span alone cannot tell from the batch's tokens. Then a sentence is read off the attention of each candidate that no sentence found so far has.
 *
 * A token that several sentences share has a solution for each, and a search that begins between these may find none. It is looked for again
 * from what it would take in a sentence that lacks something.
 *
 * @param places candidates of every position
 * @param tokenOf the token of a candidate
 * @param found sequences found so far, to which `keep` adds
 * @param keep given each sequence, and the position of the candidate that it was read off; it says whether it is right
 * @returns candidates for which there is a solution; where a position has none, the nearest one. Undefined where there are too few equations
 * @throws CUT
 */
export async function attendedSequences(
  places: readonly (readonly number[])[],
  { block, inputs, tokens, different }: Attended,
  tokenOf: (candidate: number) => number,
  found: readonly (readonly number[])[],
  keep: (sequence: readonly number[], at: number) => Promise<boolean>,
  pause: Pause,
): Promise<(readonly number[])[] | undefined> {
  const attention = await paced(attentionAmong(block, inputs), pause)
  const solver = await paced(contextSolver(block, inputs[0].length, tokens), pause)
  if (!solver) return undefined
  const contexts = new Map<number, Context>()
  /** By candidate without a solution: how far from its span it stays. */
  const lost = new Map<number, number>()
  const solve = (candidate: number, shares: Float64Array): Promise<Context> =>
    paced(solver.solve(inputs[candidate], attention.context(candidate, shares)), pause)
  const even = new Float64Array(inputs.length)
  for (const all of places) for (const candidate of all) even[candidate] = 1 / all.length
  const solutions = new Map<number, Context>()
  for (const candidate of places.flat()) solutions.set(candidate, await solve(candidate, even))
  const bound = boundOf(solutions, different)
  const sort = (candidate: number, own: Context): boolean => {
    if (own.far <= bound) contexts.set(candidate, own)
    else lost.set(candidate, Math.min(own.far, lost.get(candidate) ?? Infinity))
    return own.far <= bound && lost.delete(candidate)
  }
  const look = async (candidate: number, shares: Float64Array): Promise<boolean> =>
    sort(candidate, await solve(candidate, shares))
  for (const [candidate, own] of solutions) sort(candidate, own)
  const now = (): Heard => {
    const there = places.map((all) => {
      const own = all.filter((candidate) => contexts.has(candidate))
      return own.length > 0 ? own : [all.reduce((a, b) => (lost.get(b)! < lost.get(a)! ? b : a))]
    })
    return { places: there, inputs, attention, solver, contexts, bound, end: firstEnd(there, tokenOf) }
  }
  let heard = now()
  /** Shares of the candidates that no sentence found so far has, and of all where there are none. */
  const open = (): Float64Array => {
    const shares = new Float64Array(inputs.length)
    for (const [p, all] of heard.places.entries()) {
      const left = all.filter((candidate) => !found.some((sequence) => sequence[p] === candidate))
      for (const candidate of left.length > 0 ? left : all) shares[candidate] = 1
    }
    return shares
  }
  /** Looks again for what was lost, around a sentence that lacks something. @returns whether something was found */
  const lookAgain = async (sequence: readonly number[]): Promise<boolean> => {
    const again = [...lost].sort((a, b) => a[1] - b[1]).slice(0, AGAIN)
    for (const [candidate] of again) {
      const p = places.findIndex((all) => all.includes(candidate))
      const own = new Float64Array(inputs.length)
      for (const other of sequence) own[other] = 1
      for (const shares of [own, open()]) {
        for (const other of places[p]) shares[other] = other === candidate ? 1 : 0
        if (!(await look(candidate, shares))) continue
        heard = now()
        return true
      }
    }
    return false
  }
  // positions with most candidates first: these are of one sentence each
  for (const at of [...places.keys()].sort((a, b) => heard.places[b].length - heard.places[a].length))
    for (const candidate of heard.places[at]) {
      if (!contexts.has(candidate) || found.some((sequence) => sequence[at] === candidate)) continue
      for (let time = 0; time < TIMES; time++) {
        const sequence = await paced(sentenceThrough(candidate, at, heard), pause)
        if ((await keep(sequence, at)) || !(await lookAgain(sequence))) break
      }
    }
  return [...heard.places]
}

/**
 * The distance up to which a solution is there. Noise moves all of them, but there are as many as the batch has different tokens; those beyond
 * that are far more than noise moves the nearest ones have none.
 */
function boundOf(solutions: ReadonlyMap<number, Context>, different: number): number {
  const far = [...solutions.values()].map((own) => own.far).sort((a, b) => a - b)
  const nth = (n: number): number => far[Math.min(n, far.length) - 1]
  return Math.max(THERE, Math.min(nth(different), SPREAD * nth(Math.ceil(different / 2))))
}

/** The first position at which a sentence may have ended: after a token that ends the longest, or where there is none, where fewer sentences go on. */
function firstEnd(places: readonly (readonly number[])[], tokenOf: (candidate: number) => number): number {
  const last = new Set(places[places.length - 1].map(tokenOf))
  const marked = places.findIndex((all, p) => p > 0 && all.some((candidate) => last.has(tokenOf(candidate)))) + 1
  if (marked < places.length) return marked
  const fewer = places.findIndex((all, p) => p > 1 && all.length < places[p - 1].length)
  return fewer < 0 ? places.length : fewer
}
