import { type Random, random } from '../../numbers/random'
import { nothingIfCut, type Pause, paced, restBy } from '../contract/pause'
import type { Candidate, Layer, Pool } from './candidates'
import { newPool } from './candidates'
import { type Choice, exchanged, independent, judge } from './choice'
import { descended, smallest, type Whitened, whitened } from './descent'
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
import { peeled } from './peel'
import { deviationsOf, polished } from './polished'
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
export interface SpearSettings {
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
  settings: SpearSettings,
  pause: Pause,
  clock: () => number,
): Promise<Found> {
  const { rank } = factors
  const units = unitsOf(factors)
  const pool = newPool(units, layer)
  const from = random(settings.seed, 0x737065)
  let [best, chosen] = [undefined as Choice | undefined, [] as ReturnType<typeof independent>]
  const improve = (trial: Choice | undefined): void => {
    if (trial && (!best || trial.agreement > best.agreement || (trial.consistent && !best.consistent))) best = trial
  }
  /** Most directions are right, and may have been found through a part of their units. */
  const polish = async (): Promise<void> => {
    if (best && best.agreement > NEAR)
      improve(await paced(polished(best, units, layer, factors), pause).catch(nothingIfCut))
  }
  const tell = (): void =>
    settings.onProgress?.({
      ...{ draws: search.draws, rank, directions: chosen.length, agreement: best?.agreement ?? 0 },
      milliseconds: clock(),
    })
  let [added, reviewed] = [0, 0]
  let exchangeAt = 2 * rank
  const add = async (found: Refined | undefined): Promise<void> => {
    if (found && (await paced(pool.add(found.direction, found.zeros), pause))) added++
  }
  const search: Search = { whole: units, layer, pool, from, pause, add, draws: 0, most: settings.draws }
  while (search.draws < search.most && !best?.consistent) {
    const cut = await searchOnce(search).then(() => false, isCut)
    if (added > reviewed) {
      reviewed = added
      chosen = independent(pool.candidates, rank)
      const before = best
      if (chosen.length === rank) improve(judge(chosen, layer, factors))
      if (best && best !== before) await polish()
      if (best && !best.consistent && best.agreement > NEAR && added >= exchangeAt) {
        exchangeAt = 2 * added
        improve(await exchanged(best, pool.candidates, layer, factors, pause))
        await polish()
      }
    }
    tell()
    if (cut || (await pause())) break
  }
  if (best && !best.consistent) improve(await exchanged(best, pool.candidates, layer, factors, pause))
  if (!best) return { choice: undefined, directions: chosen.length, draws: search.draws }
  await polish()
  const deviations = await paced(deviationsOf(best, units, factors), pause).catch(nothingIfCut)
  return { choice: deviations ? { ...best, deviations } : best, directions: chosen.length, draws: search.draws }
}

/** For work that was cut short; other errors are thrown again. */
function isCut(error: unknown): boolean {
  nothingIfCut(error)
  return true
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
  add(found: Refined | undefined): Promise<void>
  /** Draws so far. */
  draws: number
  readonly most: number
  /** What the samples that were last known leave of all rows. */
  left?: {
    readonly known: ReadonlySet<Candidate>
    readonly rows: readonly Float64Array[]
    readonly white: Whitened | undefined
  }
}

/** Looks for directions for a while. @throws CUT */
async function searchOnce(search: Search): Promise<void> {
  const { whole, pool, from } = search
  if (whole.rank === 1) {
    const direction = Float64Array.of(1)
    await search.add({ direction, zeros: zerosOf(whole, direction) })
    search.draws++
    return
  }
  const known = trusted(pool, whole.rank, from)
  const enough = KNOWN * known.length >= whole.rank && known.length < whole.rank
  if (enough) await searchRest(search, known)
  if (search.draws >= search.most) return
  const off = known.slice(0, Math.floor(from.uniform() * (peelable(known.length, whole) + 1)))
  await searchPart(search, off)
}

/** Descents in what the known samples leave of all rows, which gives directions roughly; then sharper, in the whole problem. */
async function searchRest(search: Search, known: readonly Candidate[]): Promise<void> {
  const { whole, layer, from, pause } = search
  // it takes longer than the descents in it, and stays as it is until another sample is known
  if (known.length !== search.left?.known.size || !known.every((one) => search.left!.known.has(one))) {
    const rest = await paced(restOf(whole, known, layer), pause)
    const white = rest && (await paced(whitened(rest), pause))
    search.left = { known: new Set(known), rows: rest?.rows ?? [], white }
  }
  const { rows: left, white } = search.left
  for (let i = 0; white && i < 2 && search.draws < search.most; i++) {
    const start = smallest(left, await paced(descended(white, from), pause), whole.rank)
    search.draws += DESCENT
    const rows = start.map((j) => whole.unitRows[j])
    const near = await paced(leastDirection(rows, whole.rank), pause)
    const found = await paced(sharpened(whole, near), pause)
    const zeros = smallest(whole.unitRows, found, whole.rank)
    await search.add(await paced(refined(whole, zeros, zerosNeeded(whole)), pause))
  }
}

/** Descents and draws among the units that known samples left off; among all units where there are none. */
async function searchPart(search: Search, off: readonly Candidate[]): Promise<void> {
  const { whole, from, pause, add } = search
  const directions = off.map(({ direction }) => direction)
  const part = off.length > 0 ? peeled(whole, directions) : undefined
  const units = part?.units ?? whole
  const [needed, neededWhole] = [zerosNeeded(units), zerosNeeded(whole)]
  const keep = async (found: Refined): Promise<void> => {
    const direction = part?.lift(found.direction)
    if (!part) await add(found)
    else if (direction) await add(await paced(refined(whole, zerosOf(whole, direction, 3 * ZERO), neededWhole), pause))
  }
  if (part && units.rank === 1) {
    await keep({ direction: Float64Array.of(1), zeros: [] })
    search.draws++
    return
  }
  const seen = new Set<string>()
  const take = async (zeros: readonly number[] | undefined): Promise<void> => {
    const key = zeros?.join()
    if (!zeros || key === undefined || seen.has(key)) return
    seen.add(key)
    const found = await paced(refined(units, zeros, needed), pause)
    if (found) await keep(found)
  }
  const before = search.draws
  const white = await paced(whitened(units), pause)
  for (let i = 0; white && i < 2 && search.draws < search.most; i++) {
    const zeros = smallest(units.unitRows, await paced(descended(white, from), pause), units.rank)
    search.draws += DESCENT
    await take(zeros)
    await rest()
  }
  if (units.rank > DRAWABLE) {
    if (search.draws === before) search.draws++
    return
  }
  const draw = drawing(units, from)
  for (let i = 0; i < 2 * DESCENT && search.draws < search.most; i++) {
    const zeros = draw()
    search.draws++
    await take(zeros)
    if (zeros || i % 20 === 0) await rest()
  }

  async function rest(): Promise<void> {
    await restBy(pause)()
  }
}
