import { storageNorm } from '../../client/shared/rounding'
import { normalOfMost } from '../../numbers/median'
import { singularVectors } from '../../numbers/singular-vectors'
import type { Steps } from '../../numbers/steps'
import type { StoredAs } from '../../numbers/stored-dtype'
import { squaredNorm, type Values } from '../../numbers/values'
import { inner, lengthOf, orthogonalPart } from '../../numbers/vectors'
import { type Candidate, type FirstInputs, firstInput } from './first-inputs'
import { linearInput } from './linear-input'
import { ROOM } from './ranks'
import type { Projection, Seen } from './seen'
import { outside } from './span'
import type { Placed } from './transformer'

/** Tokens at positions whose inputs make up what adapters show, the surest first. */
export interface Pursuit {
  readonly picks: readonly Placed[]
  /** Others that lie in the span of the picks: where a token recurs, they cannot be told from it. */
  readonly twins: readonly Placed[]
}

/** A token is no stranger where its log-odds lie so many standard deviations below those of its position, of this size at least. */
const [OUTLIER, SPREAD] = [5, 0.1]

/** A token that stands outside by more of its length than this is a stranger. */
const FAR = 0.9

/** Tokens of a position from which its mean and deviation are taken, at most. */
const SAMPLE = 200

/** Most numbers of tokens times positions, and most tokens that are picked. */
const MOST = { inputs: 4e6, picks: 128 }

/** Part of an input's length that picks may leave of it where it counts as one of their combinations: as a candidate, and as a twin. */
const [MADE_UP, TWIN] = [0.1, 0.01]

/** A direction of the picks that lies outside of what was seen by less than this is in it. */
const INSIDE = 1e-4

/** Singular values below this part of the largest are the rounding of float32. */
const ROUNDING = 3e-7

/**
 * The rows of ∂A = s Bᵀ Σ_t ∂y_t u_tᵀ lie in the span of the inputs u_t, but where there are more tokens than rows they do not fill it,
 * so that no u_t lies in theirs. Yet every u_t is known up to its token and position, and few of them must make up all rows at once: the
 * joint sparse approximation of several vectors, which has one solution for up to (hidden + rows) / 2 tokens (Chen and Huo 2006).
 *
 * It is looked for by orthogonal subspace matching pursuit (Lee, Bresler and Junge 2012). With V the span of the rows and the picks and C
 * that of the picks alone, the next pick is the u for which
 *
 * ‖u outside V‖ / ‖u outside C‖
 *
 * is least beside the other tokens of its position. It ends when no token stands out from the others of its position.
 *
 * @param rows orthonormal directions of the gradient's rows
 * @param tokens positions there are at most
 * @param allowed ids of the tokens that may stand there; default all of the table
 */
export function* pursued(
  inputs: FirstInputs,
  rows: readonly Float64Array[],
  tokens: number,
  allowed?: readonly number[],
): Steps<Pursuit> {
  const { width } = inputs.words
  const ids = allowed ?? Array.from({ length: inputs.words.data.length / width }, (_, v) => v)
  const places = inputs.positions ? Math.min(tokens, Math.max(1, Math.floor(MOST.inputs / ids.length))) : 1
  const { add } = yield* linearInput(inputs, ids, places)
  const [seen, own] = [new Float64Array(ids.length * places), new Float64Array(ids.length * places)]
  const [all, picked]: [Float64Array[], Float64Array[]] = [[...rows], []]
  for (const row of rows) yield* add(row, seen)
  const placed = (n: number): Placed => ({ token: ids[n % ids.length], position: Math.floor(n / ids.length) })
  const picks: number[] = []
  while (picks.length < MOST.picks && all.length < width - ROOM) {
    const next = yield* outlier(seen, own, ids.length, places)
    if (next === undefined) break
    picks.push(next)
    const { token, position } = placed(next)
    const u = firstInput(inputs, token, position)
    const size = lengthOf(u)
    for (const [directions, parts] of [
      [all, seen],
      [picked, own],
    ] as const) {
      const rest = orthogonalPart(u, directions)
      const length = lengthOf(rest)
      if (length <= INSIDE * size) continue
      const direction = rest.map((v) => v / length)
      directions.push(direction)
      yield* add(direction, parts)
    }
  }
  const twins: number[] = []
  for (let n = 0; n < own.length; n++) if (1 - own[n] < TWIN ** 2 && !picks.includes(n)) twins.push(n)
  return { picks: picks.map(placed), twins: twins.map(placed) }
}

/** The input that stands out most among those of its position; undefined where none does. */
function* outlier(seen: Float64Array, own: Float64Array, count: number, places: number): Steps<number | undefined> {
  const odds = (n: number): number => {
    const far = Math.sqrt(Math.max(0, 1 - seen[n]) / Math.max(1 - own[n], MADE_UP ** 2))
    return Math.log(Math.max(far, 1e-12) / Math.max(1 - far, 1e-3))
  }
  const stride = Math.max(1, Math.floor(count / SAMPLE))
  let best: { readonly n: number; readonly z: number } | undefined
  for (let p = 0; p < places; p++) {
    const [from, to] = [p * count, (p + 1) * count]
    let [nearest, least] = [-1, Number.POSITIVE_INFINITY]
    for (let n = from; n < to; n++) {
      const left = 1 - own[n]
      if (left < MADE_UP ** 2) continue
      const square = (1 - seen[n]) / left
      if (square < least) [nearest, least] = [n, square]
    }
    yield
    if (nearest < 0 || least > FAR ** 2) continue
    const sample: number[] = []
    for (let n = from; n < to; n += stride) sample.push(odds(n))
    const { centre, spread } = normalOfMost(sample)
    const z = (odds(nearest) - centre) / Math.max(spread, SPREAD)
    if (z < (best?.z ?? -OUTLIER)) best = { n: nearest, z }
  }
  return best?.n
}

/**
 * Candidates of every position up to the first one without a pick: with the twins, where there are any, and then without them.
 *
 * The directions that stand above the noise show more of a token than of a stranger, long before they show all of it.
 */
export function* pickedCandidates(
  inputs: FirstInputs,
  { ranks, spectrum, span }: Seen,
  tokens: number,
  allowed?: readonly number[],
): Steps<Candidate[][][]> {
  const [rank] = ranks.likely
  if (rank === undefined) return []
  const { picks, twins } = yield* pursued(inputs, spectrum.vectors.slice(0, rank), tokens, allowed)
  const near = span(rank)
  const positions = Array.from({ length: tokens }, (_, p) => p)
  const end = positions.findIndex((p) => picks.every(({ position }) => position !== p))
  const placed = (all: readonly Placed[]): Candidate[][] =>
    positions
      .slice(0, end < 0 ? tokens : end)
      .map((p) =>
        all
          .filter(({ position }) => position === p)
          .map(({ token }) => ({ token, position: p, ...outside(near, firstInput(inputs, token, p)) })),
      )
  return twins.length > 0 ? [placed([...picks, ...twins]), placed(picks)] : [placed(picks)]
}

/** How exactly adapters' gradients were shared, so far as it is known. */
export interface AdapterPrecision {
  readonly stored?: StoredAs
  /** Whether they are the difference of rounded weights: adapters of one layer are about as large, and so is their rounding. */
  readonly isUpdate: boolean
}

/** What the rows of adapters show: orthonormal directions, those that stand highest above the noise first, and how high. */
export function* rowDirections(
  projections: readonly Projection[],
  hidden: number,
  { stored, isUpdate }: AdapterPrecision,
): Steps<{ directions: readonly Float64Array[]; values: Float64Array }> {
  const rows: Float64Array[] = []
  for (const { values, through } of projections) {
    if (through) continue
    const norm = Math.sqrt(squaredNorm([values]) / values.length)
    if (!(norm > 0)) continue
    for (let r = 0; r < values.length / hidden; r++) {
      const row = Float64Array.from(values.subarray(r * hidden, (r + 1) * hidden))
      const lost = stored ? storageNorm(row, stored) / hidden : 0
      const noise = isUpdate ? 1 : Math.hypot(Math.sqrt(lost), ROUNDING * norm)
      rows.push(row.map((v) => v / noise))
    }
  }
  if (rows.length === 0) return { directions: [], values: new Float64Array(0) }
  const { values, right } = yield* singularVectors(rows)
  const count = values.filter((v) => v > ROUNDING * values[0]).length
  return { directions: right.slice(0, count), values: values.slice(0, count) }
}

/** By projection: ‖noise‖ / ‖projection‖ as it shows outside the span of the inputs. */
export function* noiseOutside(
  projections: readonly Projection[],
  inputs: FirstInputs,
  placed: readonly Placed[],
): Steps<number[]> {
  const span: Float64Array[] = []
  for (const { token, position } of placed) {
    const u = firstInput(inputs, token, position)
    const rest = orthogonalPart(u, span)
    const length = lengthOf(rest)
    if (length > INSIDE * lengthOf(u)) span.push(rest.map((v) => v / length))
    yield
  }
  const { width } = inputs.words
  const noise: number[] = []
  for (const { values, through } of projections) {
    if (through) {
      noise.push(0)
      continue
    }
    let [left, whole] = [0, 0]
    for (let at = 0; at < values.length; at += width) {
      const row = Float64Array.from(values.subarray(at, at + width) as Values as ArrayLike<number>)
      const rest = orthogonalPart(row, span)
      left += inner(rest, rest)
      whole += inner(row, row)
      yield
    }
    noise.push(whole > 0 ? Math.sqrt((left * width) / Math.max(1, width - span.length) / whole) : 0)
  }
  return noise
}
