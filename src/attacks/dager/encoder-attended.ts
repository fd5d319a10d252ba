import { type Pause, paced } from '../contract/pause'
import { attentionAmong } from './attention'
import { type Context, contextSolver } from './encoder-contexts'
import { type Heard, sentenceThrough, THERE } from './encoder-members'
import type { BlockNumbers } from './transformer'

/** The first block in numbers, and what candidates make of it. */
export interface Attended {
  readonly block: BlockNumbers
  /** u of each candidate. */
  readonly inputs: readonly Float64Array[]
  /** Tokens of the batch in all: the rank of the second block. */
  readonly tokens: number
}

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
 * @param keep given each sequence; it says whether it is right
 * @returns candidates for which there is a solution; where a position has none, the nearest one. Undefined where there are too few equations
 * @throws CUT
 */
export async function attendedSequences(
  places: readonly (readonly number[])[],
  { block, inputs, tokens }: Attended,
  tokenOf: (candidate: number) => number,
  found: readonly (readonly number[])[],
  keep: (sequence: readonly number[]) => Promise<boolean>,
  pause: Pause,
): Promise<(readonly number[])[] | undefined> {
  const attention = await paced(attentionAmong(block, inputs), pause)
  const solver = await paced(contextSolver(block, inputs[0].length, tokens), pause)
  if (!solver) return undefined
  const contexts = new Map<number, Context>()
  /** By candidate without a solution: how far from its span it stays. */
  const lost = new Map<number, number>()
  const look = async (candidate: number, shares: Float64Array): Promise<boolean> => {
    const own = await paced(solver.solve(inputs[candidate], attention.context(candidate, shares)), pause)
    if (own.far <= THERE) contexts.set(candidate, own)
    else lost.set(candidate, Math.min(own.far, lost.get(candidate) ?? Infinity))
    return own.far <= THERE && lost.delete(candidate)
  }
  const even = new Float64Array(inputs.length)
  for (const all of places) for (const candidate of all) even[candidate] = 1 / all.length
  for (const candidate of places.flat()) await look(candidate, even)
  const now = (): Heard => {
    const there = places.map((all) => {
      const own = all.filter((candidate) => contexts.has(candidate))
      return own.length > 0 ? own : [all.reduce((a, b) => (lost.get(b)! < lost.get(a)! ? b : a))]
    })
    return { places: there, inputs, attention, solver, contexts, end: firstEnd(there, tokenOf) }
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
    const nearest = [...lost].sort((a, b) => a[1] - b[1]).slice(0, AGAIN)
    for (const [candidate] of nearest) {
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
        if ((await keep(sequence)) || !(await lookAgain(sequence))) break
      }
    }
  return [...heard.places]
}

/** The first position at which a sentence may have ended: after a token that ends the longest, or where there is none, where fewer sentences go on. */
function firstEnd(places: readonly (readonly number[])[], tokenOf: (candidate: number) => number): number {
  const last = new Set(places[places.length - 1].map(tokenOf))
  const marked = places.findIndex((all, p) => p > 0 && all.some((candidate) => last.has(tokenOf(candidate)))) + 1
  if (marked < places.length) return marked
  const fewer = places.findIndex((all, p) => p > 1 && all.length < places[p - 1].length)
  return fewer < 0 ? places.length : fewer
}
