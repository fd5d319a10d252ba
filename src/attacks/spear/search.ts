import { type Random, random } from '../../numbers/random'
import type { Candidate, Layer, Pool } from './candidates'
import { newPool } from './candidates'
import { type Choice, exchanged, independent, judge } from './choice'
import { descended, smallest, whitened } from './descent'
import {
  leastDirection,
  type Refined,
  refined,
  sharpened,
  type Units,
  unitsOf,
  ZERO,
  zerosNeeded,
  zerosOf,
} from './directions'
import { drawing } from './draw'
import type { Factors } from './factors'
import type { Pause } from './pause'
import { peeled } from './peel'
import { restOf } from './rest'

/** How far the search is. */
export interface SpearProgress {
  readonly draws: number
  /** Samples that the singular values show. */
  readonly rank: number
  /** Independent directions so far; `rank` of them are needed. */
  readonly directions: number
  /** The best agreement of masks so far, from 0 to 1. */
  readonly agreement: number
  readonly milliseconds: number
}

/** What a search may use. */
export interface SearchSettings {
  readonly seed: number
  readonly draws: number
  readonly onProgress: ((progress: SpearProgress) => void) | undefined
}

/** Draws that take about as long as one descent. */
const DESCENT = 200

/** More dimensions than this are hopeless for draws: one in 2^(rank − 1) hits. */
const DRAWABLE = 15

/** Agreement from which exchanging single directions is worth its time. */
const NEAR = 0.8

/** One in so many directions must be known for what they leave of the rows to be worth a look. */
const KNOWN = 4

/** Part of a mask that an input must explain for its direction to be peeled off. */
const TRUSTED = 0.97

/** What a search ends with. */
export interface Found {
  readonly choice: Choice | undefined
  /** Independent directions. */
  readonly directions: number
  readonly draws: number
}

export async function searched(
  factors: Factors,
  layer: Layer,
  settings: SearchSettings,
  pause: Pause,
  clock: () => number,
): Promise<Found> {
  const { rank } = factors
  const units = unitsOf(factors)
  const pool = newPool(units, layer)
  const from = random(settings.seed, 0x737065)
  let [draws, best, chosen] = [0, undefined as Choice | undefined, [] as ReturnType<typeof independent>]
  const improve = (trial: Choice | undefined): void => {
    if (trial && (!best || trial.agreement > best.agreement || (trial.consistent && !best.consistent))) best = trial
  }
  const tell = (): void =>
    settings.onProgress?.({
      ...{ draws, rank, directions: chosen.length, agreement: best?.agreement ?? 0, milliseconds: clock() },
    })
  let [added, reviewed] = [0, 0]
  let exchangeAt = 2 * rank
  const add = (found: Refined | undefined): void => {
    if (found && pool.add(found.direction, found.zeros)) added++
  }
  const search: Search = { whole: units, layer, pool, from, pause, add }
  while (draws < settings.draws && !best?.consistent) {
    draws += await searchOnce(search, settings.draws - draws)
    if (added > reviewed) {
      reviewed = added
      chosen = independent(pool.candidates, rank)
      if (chosen.length === rank) improve(judge(chosen, layer, factors))
      if (best && !best.consistent && best.agreement > NEAR && added >= exchangeAt) {
        exchangeAt = 2 * added
        improve(await exchanged(best, pool.candidates, layer, factors, pause))
      }
    }
    tell()
    if (await pause()) break
  }
  if (best && !best.consistent) improve(await exchanged(best, pool.candidates, layer, factors, pause))
  return { choice: best, directions: chosen.length, draws }
}

/** Independent directions that are most likely right, in random order. */
function trusted(pool: Pool, rank: number, from: Random): Candidate[] {
  const found = independent(
    pool.candidates.filter(({ explained }) => explained >= TRUSTED),
    rank,
  )
  for (let i = found.length - 1; i > 0; i--) {
    const other = Math.floor(from.uniform() * (i + 1))
    ;[found[i], found[other]] = [found[other], found[i]]
  }
  return found
}

/** How many known directions may be peeled off: each halves the units, of which enough must be left. */
function peelable(known: number, { rows, rank }: Units): number {
  let most = 0
  while (most < Math.min(known, rank - 1) && rows.length / 2 ** (most + 1) > 2.5 * (rank - most - 1)) most++
  return most
}

/** What a search goes on with. */
interface Search {
  readonly whole: Units
  readonly layer: Layer
  readonly pool: Pool
  readonly from: Random
  readonly pause: Pause
  /** Keeps a direction of the whole problem that was refined. */
  add(found: Refined | undefined): void
}

/** Looks for directions for a while. @returns draws made */
async function searchOnce(search: Search, most: number): Promise<number> {
  const { whole, pool, from, pause } = search
  if (whole.rank === 1) {
    const direction = Float64Array.of(1)
    search.add({ direction, zeros: zerosOf(whole, direction) })
    return 1
  }
  const known = trusted(pool, whole.rank, from)
  const enough = KNOWN * known.length >= whole.rank && known.length < whole.rank
  const draws = enough ? await searchRest(search, known, most) : 0
  if (draws >= most || (await pause())) return draws
  const off = known.slice(0, Math.floor(from.uniform() * (peelable(known.length, whole) + 1)))
  return draws + (await searchPart(search, off, most - draws))
}

/** Descents in what the known samples leave of all rows, which gives directions roughly; then sharper, in the whole problem. */
async function searchRest({ whole, layer, from, pause, add }: Search, known: readonly Candidate[], most: number) {
  const rest = await restOf(whole, known, layer, pause)
  const white = rest && whitened(rest)
  let draws = 0
  for (let i = 0; white && i < 2 && draws < most; i++) {
    const start = smallest(rest.rows, descended(white, from), whole.rank)
    draws += DESCENT
    if (await pause()) return draws
    const near = leastDirection(
      start.map((j) => whole.unitRows[j]),
      whole.rank,
    )
    const found = await sharpened(whole, near, pause)
    add(refined(whole, smallest(whole.unitRows, found, whole.rank), zerosNeeded(whole)))
    if (await pause()) return draws
  }
  return draws
}

/** Descents and draws among the units that known samples left off; among all units where there are none. */
async function searchPart({ whole, from, pause, add }: Search, off: readonly Candidate[], most: number) {
  const directions = off.map(({ direction }) => direction)
  const part = off.length > 0 ? peeled(whole, directions) : undefined
  const units = part?.units ?? whole
  const [needed, neededWhole] = [zerosNeeded(units), zerosNeeded(whole)]
  const keep = (found: Refined): void => {
    const direction = part?.lift(found.direction)
    if (!part) add(found)
    else if (direction) add(refined(whole, zerosOf(whole, direction, 3 * ZERO), neededWhole))
  }
  if (part && units.rank === 1) {
    keep({ direction: Float64Array.of(1), zeros: [] })
    return 1
  }
  const seen = new Set<string>()
  const take = (zeros: readonly number[] | undefined): void => {
    const key = zeros?.join()
    if (!zeros || key === undefined || seen.has(key)) return
    seen.add(key)
    const found = refined(units, zeros, needed)
    if (found) keep(found)
  }
  let draws = 0
  const white = whitened(units)
  for (let i = 0; white && i < 2 && draws < most; i++) {
    const zeros = smallest(units.unitRows, descended(white, from), units.rank)
    draws += DESCENT
    if (await pause()) return draws
    take(zeros)
    if (await pause()) return draws
  }
  if (units.rank > DRAWABLE) return Math.max(draws, 1)
  const draw = drawing(units, from)
  for (let i = 0; i < 2 * DESCENT && draws < most; i++) {
    const zeros = draw()
    draws++
    take(zeros)
    if ((zeros || i % 20 === 0) && (await pause())) return draws
  }
  return draws
}
