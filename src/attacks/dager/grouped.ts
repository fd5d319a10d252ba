import { type Pause, paced } from '../contract/pause'
import { type Grouping, groupings, type Move, type Places, transpositions } from './encoder-groups'
import type { Slot } from './missing'
import type { Heard } from './signals'

/** Groupings that are held against the gradient, and how many other choices in the best of them may fail in a row. */
const MOST = { groupings: 3, misses: 12 }

/** Without noise other ways are sure, and only a grouping whose centres are this clear is worth a proof. */
const CLEAR = 0.5

/** Whether sequences are proven, and what their gradient leaves of the shared one. */
export interface Judged {
  readonly proven: boolean
  readonly residual: number
}

type Judge = (sequences: readonly (readonly number[])[], once: boolean) => Promise<Judged | undefined>

/** A residual up to which nearly all tokens are right, and the order within sentences may be all that is not. */
const CLOSE = 0.1

/** Rounds in which tokens that are missing are looked for: the first ones found make the others clearer. */
const ROUNDS = 2

/** What the gradient of the first block says of candidates. */
export interface FirstGradient {
  /** What the loss sends back to each candidate. */
  heard(): Promise<readonly Heard[]>
  /** New candidates for positions at which sentences have none, by position. */
  missing(heard: readonly Heard[], slots: readonly Slot[]): Promise<ReadonlyMap<number, readonly number[]>>
}

/**
 * Puts sentences together by what the loss sends back to their tokens, and holds them against the gradient. Where nearly all is right,
 * other choices, one by one, bring the gradient closer.
 *
 * @param given candidates of every position
 * @param counts how many different sentences there may be
 * @param noisy whether noise may have put tokens out of the span
 * @param judge holds sequences against the gradient; `once` says that each of them occurs once
 * @returns whether a proof ended the search
 */
export async function grouped(
  given: Places,
  gradient: FirstGradient,
  counts: readonly number[],
  noisy: boolean,
  judge: Judge,
  pause: Pause,
): Promise<boolean> {
  const groups: { places: Places; grouping: Grouping }[] = []
  for (const count of new Set(counts)) {
    if (count < 2) continue
    const { places, found } = await groupingsOf(given, gradient, count, noisy, pause)
    groups.push(...found.map((grouping) => ({ places, grouping })))
  }
  const worth = groups.filter(({ grouping: { spread } }) => Number.isFinite(spread) && (noisy || spread < CLEAR))
  let best: Improvement | undefined
  const clearest = worth.toSorted((a, b) => a.grouping.spread - b.grouping.spread).slice(0, MOST.groupings)
  for (const [i, { places, grouping }] of clearest.entries()) {
    const { sequences, doubts } = grouping
    let judged = await judge(sequences, true)
    // a sentence that occurs twice, or another factor, leaves much more
    if (i === 0 && judged && !judged.proven && judged.residual > CLOSE) judged = await judge(sequences, false)
    if (!judged) continue
    if (judged.proven) return true
    // without noise the second block tells what is wrong, and no gradient is needed
    if (!noisy) continue
    const next = new Improvement(places, doubts, judge, sequences, judged.residual)
    if (judged.residual <= CLOSE && (await next.transposed())) return true
    if (!(best && best.residual <= next.residual)) best = next
  }
  return best !== undefined && best.changed()
}

/** Sentences that are changed, one choice after the other, as long as their gradient comes closer to the shared one. */
class Improvement {
  constructor(
    private readonly places: Places,
    private readonly doubts: readonly Move[],
    private readonly judge: Judge,
    private sequences: readonly (readonly number[])[],
    public residual: number,
  ) {}

  private async tried(move: Move): Promise<'proven' | 'closer' | 'no closer'> {
    const next = move.reduce((all, { s, p, candidate }) => all.with(s, all[s].with(p, candidate)), this.sequences)
    const judged = await this.judge(next, true)
    if (judged?.proven) return 'proven'
    if (!judged || judged.residual >= this.residual) return 'no closer'
    this.sequences = next
    this.residual = judged.residual
    return 'closer'
  }

  /** Tokens that changed places within a sentence, until a whole round brings nothing. @returns whether a proof ended it */
  async transposed(): Promise<boolean> {
    let since = 0
    for (let i = 0; ; i++) {
      const moves = transpositions(this.places, this.sequences)
      if (since >= moves.length) return false
      const result = await this.tried(moves[i % moves.length])
      if (result === 'proven') return true
      since = result === 'closer' ? 0 : since + 1
    }
  }

  /** Tokens that no sentence has, then exchanges between sentences, then within them. @returns whether a proof ended it */
  async changed(): Promise<boolean> {
    for (const size of [1, 2]) {
      let misses = 0
      for (const move of this.doubts.filter(({ length }) => length === size)) {
        const result = await this.tried(move)
        if (result === 'proven') return true
        misses = result === 'closer' ? 0 : misses + 1
        if (misses === MOST.misses) break
      }
    }
    return this.transposed()
  }
}

/** Groupings, with tokens that noise had hidden. */
async function groupingsOf(
  given: Places,
  gradient: FirstGradient,
  count: number,
  noisy: boolean,
  pause: Pause,
): Promise<{ places: Places; found: readonly Grouping[] }> {
  let places = given
  for (let round = 0; ; round++) {
    const heard = await gradient.heard()
    const signals = heard.map((all) => all.signals)
    const found = await paced(groupings(places, signals, count), pause)
    const [first] = found
    if (!noisy || round === ROUNDS || !first || first.open.length === 0) return { places, found }
    const isOpen = (s: number, p: number): boolean => first.open.some((slot) => slot.s === s && slot.p === p)
    const slots = first.open.map(({ s, p }) => ({
      sentence: s,
      own: first.sequences[s].filter((_, q) => !isOpen(s, q)),
      position: p,
    }))
    const added = await gradient.missing(
      heard,
      slots.filter(({ own }) => own.length > 0),
    )
    if (added.size === 0) return { places, found }
    places = { ...places, places: places.places.map((all, p) => [...all, ...(added.get(p) ?? [])]) }
  }
}
