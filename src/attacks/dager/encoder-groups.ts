import { median } from '../../numbers/median'
import { nonNegative } from '../../numbers/non-negative'
import type { Steps } from '../../numbers/steps'
import { flat } from '../../numbers/values'
import { inner, lengthOf, meanOf, squaredDistance } from '../../numbers/vectors'
import type { Signals } from './signals'

/** Sentences that were put together by their signals. */
export interface Grouping {
  /** Candidates, by sentence and position. */
  readonly sequences: number[][]
  /** Mean distance of a signal to the centre of its sentence, beside the distance of the two nearest centres. */
  readonly spread: number
  /** Where a sentence has no candidate whose signal is its own. */
  readonly open: readonly { readonly s: number; readonly p: number }[]
  /** Other choices, the likeliest first: tokens that no sentence has, then exchanges between two sentences. */
  readonly doubts: readonly Move[]
}

/** Sentences that get other candidates. */
export type Move = readonly { readonly s: number; readonly p: number; readonly candidate: number }[]

/** Candidates of every position, and the token of each. */
export interface Places {
  readonly places: readonly (readonly number[])[]
  tokenOf(candidate: number): number
}

/**
 * Sentences of an encoder by what the loss sends back to their tokens.
 *
 * A value is read by every position of its sentence: ∂v_t = Σ_s A_st ∂o_s, with A_st the attention of position s to t. A query meets the
 * keys and values of its sentence. So far as attention is spread, ∂y_t hardly depends on t, and the signals of a sentence lie around one centre.
 * A token that several sentences have at one position has the sum of theirs.
 *
 * @param places candidates of every position
 * @param all signals by projection; each of them is tried, and then all together that have centres
 * @param count sentences that are different
 * @returns different groupings, the one with the clearest centres first
 */
export function* groupings({ places, tokenOf }: Places, all: readonly Signals[], count: number): Steps<Grouping[]> {
  const found = new Map<string, Grouping>()
  const telling: Signals[] = []
  const tried = function* (own: Signals, twins: Twins): Steps<void> {
    const signals = summed(own, twins)
    const lengths = places.flat().map((candidate) => lengthOf(signals[candidate]))
    const usual = UNUSUAL * median(lengths)
    let best: Settled | undefined
    for (const candidates of places) {
      if (candidates.length !== count || candidates.some((c) => lengthOf(signals[c]) > usual)) continue
      const grouping = yield* settledFrom(
        places,
        signals,
        candidates.map((c) => signals[c]),
        usual,
        twins,
      )
      if (!best || grouping.spread < best.spread) best = grouping
      yield
    }
    if (!best) return
    if (twins.size === 0 && best.spread < TELLING) telling.push(signals)
    const { sequences, open, centres } = best
    const spread = best.spread * (twins.size > 0 ? UNSEEN : 1)
    const key = sequences.map(String).sort().join('|')
    if (spread >= (found.get(key)?.spread ?? Infinity)) return
    found.set(key, { sequences, spread, open, doubts: yield* doubtsIn(places, sequences, signals, centres) })
  }
  for (const signals of all) yield* tried(signals, NONE)
  const whole = telling.length > 1 ? [together(telling)] : []
  for (const signals of whole) yield* tried(signals, NONE)
  // where there is little noise, least squares tell twins apart by the layer norm; else their sum alone is certain
  const twins = twinsIn(places, count, tokenOf)
  if (twins.size > 0) for (const signals of [...all, ...whole]) yield* tried(signals, twins)
  return [...found.values()].sort((a, b) => a.spread - b.spread)
}

/** A spread without twins counts as this many times as large: what they would add to it is not known. */
const UNSEEN = 1.3

/** A projection whose signals lie this near to their centres, beside the distance of two centres, has centres. */
const TELLING = 0.8

/** A signal that is this many times as long as most tells nothing of its sentence: a head that reads one position favours it. */
const UNUSUAL = 3

/** Rounds in which centres and sentences settle. */
const ROUNDS = 6

/** The part of a centre from which on a signal has it. */
const HAS = 0.5

/** A grouping with the centres around which it settled. */
interface Settled extends Omit<Grouping, 'doubts'> {
  readonly centres: readonly Float64Array[]
}

/** Sentences and their centres, in turn. */
function* settledFrom(
  places: readonly (readonly number[])[],
  signals: Signals,
  start: readonly Float64Array[],
  usual: number,
  twins: Twins,
): Steps<Settled> {
  let centres = start
  let sequences: number[][] = []
  let open: Grouping['open'] = []
  for (let round = 0; round < ROUNDS; round++) {
    const next = yield* sentencesAround(places, signals, centres, twins)
    open = next.open
    if (String(next.sequences) === String(sequences)) break
    sequences = next.sequences
    const alone = sequences.map((sequence, s) =>
      sequence.filter(
        (candidate, p) =>
          lengthOf(signals[candidate]) <= usual &&
          !twins.has(candidate) &&
          sequences.every((other, t) => t === s || other[p] !== candidate),
      ),
    )
    centres = alone.map((list, s) => (list.length > 0 ? meanOf(list.map((c) => signals[c])) : centres[s]))
  }
  let [sum, number] = [0, 0]
  for (const [s, sequence] of sequences.entries())
    for (const [p, candidate] of sequence.entries()) {
      const owners = sequences.filter((other) => other[p] === candidate).length
      if (owners > 1 || twins.has(candidate) || lengthOf(signals[candidate]) > usual) continue
      sum += apart(signals[candidate], centres[s])
      number++
    }
  const between = centres.flatMap((a, s) => centres.slice(0, s).map((b) => apart(a, b)))
  const ended = sequences.some(({ length }) => length === 0)
  return {
    sequences,
    open,
    spread: ended || number === 0 ? Infinity : sum / number / Math.min(...between),
    centres,
  }
}

function* doubtsIn(
  places: readonly (readonly number[])[],
  sequences: readonly number[][],
  signals: Signals,
  centres: readonly Float64Array[],
): Steps<Move[]> {
  const far = (candidate: number, s: number): number => apart(signals[candidate], centres[s])
  const added = (move: Move): number =>
    move.reduce((sum, { s, p, candidate }) => sum + far(candidate, s) - far(sequences[s][p], s), 0)
  const sorted = (moves: readonly Move[]): Move[] =>
    moves
      .map((move) => ({ move, more: added(move) }))
      .sort((a, b) => a.more - b.more)
      .map(({ move }) => move)
  const replaced: Move[] = []
  const exchanged: Move[] = []
  for (const [p, candidates] of places.entries()) {
    yield
    const there = [...sequences.keys()].filter((s) => p < sequences[s].length)
    const left = candidates.filter((candidate) => there.every((s) => sequences[s][p] !== candidate))
    for (const candidate of left) for (const s of there) replaced.push([{ s, p, candidate }])
    for (const [k, s] of there.entries())
      for (const t of there.slice(0, k)) {
        const [own, other] = [sequences[s][p], sequences[t][p]]
        if (own !== other) exchanged.push([{ s, p, candidate: other }, { s: t, p, candidate: own }]) // biome-ignore format: one line
      }
  }
  return [...sorted(replaced), ...sorted(exchanged)]
}

/**
 * Tokens of a sentence that may have changed places: both are candidates at both positions. Their gradients are close, as
 * u(v, p) − u(v, q) hardly depends on v.
 */
export function transpositions({ places, tokenOf }: Places, sequences: readonly (readonly number[])[]): Move[] {
  const at = places.map((candidates) => new Map(candidates.map((candidate) => [tokenOf(candidate), candidate])))
  return sequences.flatMap((sequence, s) =>
    sequence.flatMap((candidate, p) =>
      sequence.slice(0, p).flatMap((other, q): Move[] => {
        const [here, there] = [at[p].get(tokenOf(other)), at[q].get(tokenOf(candidate))]
        if (here === undefined || there === undefined || here === candidate) return []
        return [[{ s, p, candidate: here }, { s, p: q, candidate: there }]] // biome-ignore format: one line
      }),
    ),
  )
}

/** Candidates of one token at several positions that have strangers. */
type Twins = ReadonlyMap<number, readonly number[]>

const NONE: Twins = new Map()

/**
 * A token x at two positions puts every other token of one of them into the span at the other: u(v, p) − u(v, q) ≈ u(x, p) − u(x, q).
 * Least squares then spreads what the loss sends to one token over its twins, and only the sum is certain.
 */
function twinsIn(places: readonly (readonly number[])[], count: number, tokenOf: Places['tokenOf']): Twins {
  const byToken = new Map<number, number[]>()
  for (const candidates of places)
    if (candidates.length > count)
      for (const candidate of candidates) {
        const token = tokenOf(candidate)
        byToken.set(token, [...(byToken.get(token) ?? []), candidate])
      }
  const several = [...byToken.values()].filter((twins) => twins.length > 1)
  return new Map(several.flatMap((twins) => twins.map((candidate) => [candidate, twins] as const)))
}

const summed = (signals: Signals, twins: Twins): Signals =>
  signals.map((signal, candidate) => {
    const all = twins.get(candidate)
    return all ? Float64Array.from(signal, (_, j) => all.reduce((sum, c) => sum + signals[c][j], 0)) : signal
  })

/**
 * For each centre the candidates whose signals have most of it, up to the last position where one has enough. What a sentence took of
 * the twins of a candidate is not there any more.
 */
function* sentencesAround(
  places: readonly (readonly number[])[],
  signals: Signals,
  centres: readonly Float64Array[],
  twins: Twins,
): Steps<Pick<Settled, 'sequences' | 'open'>> {
  const gram = centres.map((a) => centres.map((b) => inner(a, b)))
  const sequences: number[][] = centres.map(() => [])
  const ends = centres.map(() => 0)
  const open: { s: number; p: number }[] = []
  for (const [p, candidates] of places.entries()) {
    const parts: number[][] = []
    for (const candidate of candidates) {
      const whole = nonNegative(
        gram,
        centres.map((centre) => inner(centre, signals[candidate])),
      )
      const own = twins.get(candidate) ?? []
      parts.push([...whole].map((part, s) => part - own.filter((twin) => sequences[s].includes(twin)).length))
      yield
    }
    const pairs = parts.flatMap((list, k) => list.map((part, s) => ({ part, k, s }))).sort((a, b) => b.part - a.part)
    const taken = new Set<number>()
    // as many candidates as sentences, or more: each has its own
    const own = candidates.length >= centres.length
    const chosen = new Map<number, number>()
    for (const { part, k, s } of pairs) {
      if (chosen.has(s) || (own && taken.has(k))) continue
      if (part >= HAS) ends[s] = p + 1
      // what another sentence has more of may stand in for what is missing: inputs of one position are alike
      if (part < HAS || taken.has(k)) open.push({ s, p })
      chosen.set(s, candidates[k])
      taken.add(k)
    }
    for (const [s, sequence] of sequences.entries()) sequence.push(chosen.get(s)!)
  }
  return { sequences: sequences.map((sequence, s) => sequence.slice(0, ends[s])), open }
}

/** The signals of all projections in one vector, each projection divided by the usual length of its signals. */
function together(all: readonly Signals[]): Signals {
  const units = all.map((signals) => median(signals.map(lengthOf)) || 1)
  return all[0].map((_, i) => flat(all.map((signals, k) => signals[i].map((v) => v / units[k]))))
}

const apart = (a: Float64Array, b: Float64Array): number => Math.sqrt(squaredDistance(a, b))
