import { solvePositive } from '../../numbers/positive-definite'
import type { Steps } from '../../numbers/steps'
import { inner } from '../../numbers/vectors'
import { type Pause, paced } from '../contract/pause'
import type { SecondInputs } from './second-inputs'

/** Times that the second block is taken for a linear map, each time around a better sequence; once where every place is heard. */
const ROUNDS = { clean: 3, noisy: 1 }

/** Added to the diagonal of the normal equations, beside its mean. Without noise: against rounding. */
const RIDGE = { clean: 1e-9, noisy: 1e-3 }

/** Σ_k (f + R x)² over the equations of some places, as xᵀ N x + 2 hᵀ x, x the unknowns of {@link Unknowns}. */
interface Equations {
  readonly normal: Float64Array[]
  readonly right: Float64Array
}

/** An unknown for each candidate at its position: 1 where the sentence has it, else 0. */
type Unknowns = readonly { readonly p: number; readonly candidate: number }[]

/**
 * The sentence that a candidate belongs to, by least squares.
 *
 * Attention adds up what it takes from each position. So to first order the second input of a place lies f + Σ_i x_i r_i outside the span,
 * with x_i = 1 where the sentence has candidate i, r_i what moves when i takes the place of a reference, and f what the reference leaves. Of
 * the right sentence this is 0: as many equations as the span leaves directions, which are more than the candidates. The surest position is
 * settled first, and the others are solved anew; where several sentences have the candidate, one of them is followed.
 *
 * Where noise moves f, the place of every position that is settled adds its equations.
 *
 * @param at position of the candidate
 * @param start reference, which has the candidate
 */
export async function jointSequence(
  places: readonly (readonly number[])[],
  second: SecondInputs,
  start: readonly number[],
  at: number,
  noisy: boolean,
  pause: Pause,
): Promise<number[]> {
  const unknowns = places.flatMap((all, p) => all.map((candidate) => ({ p, candidate })))
  let current = [...start]
  for (let round = 0; round < (noisy ? ROUNDS.noisy : ROUNDS.clean); round++) {
    const next = await solved(places, unknowns, second, current, at, noisy, pause)
    if (next.join() === current.join()) break
    current = next
  }
  return current
}

async function solved(
  places: readonly (readonly number[])[],
  unknowns: Unknowns,
  second: SecondInputs,
  reference: readonly number[],
  at: number,
  noisy: boolean,
  pause: Pause,
): Promise<number[]> {
  const equations: Equations = {
    normal: unknowns.map(() => new Float64Array(unknowns.length)),
    right: new Float64Array(unknowns.length),
  }
  const settled = new Map([[at, reference[at]]])
  let current = [...reference]
  await addPlace(equations, unknowns, second, current, at, pause)
  const whole = places.filter((all) => all.length > 1).length
  while (settled.size < places.length) {
    const x = await paced(leastSquares(equations, unknowns, settled, noisy ? RIDGE.noisy : RIDGE.clean), pause)
    let surest: { p: number; candidate: number; lead: number } | undefined
    current = places.map((all, p) => {
      if (settled.has(p)) return settled.get(p)!
      const [best, other] = all.map((candidate) => ({ candidate, x: x(candidate) })).sort((a, b) => b.x - a.x)
      const lead = other ? best.x - other.x : Infinity
      if (!surest || lead > surest.lead) surest = { p, candidate: best.candidate, lead }
      return best.candidate
    })
    if (!surest) break
    settled.set(surest.p, surest.candidate)
    if (noisy && places[surest.p].length > 1 && settled.size < whole)
      await addPlace(equations, unknowns, second, current, surest.p, pause)
  }
  return current
}

/** Adds the equations of a place, around a sequence. */
async function addPlace(
  { normal, right }: Equations,
  unknowns: Unknowns,
  { offsets }: SecondInputs,
  sequence: readonly number[],
  at: number,
  pause: Pause,
): Promise<void> {
  const moving = [...unknowns.keys()].filter((i) => {
    const { p, candidate } = unknowns[i]
    return p !== at && candidate !== sequence[p]
  })
  const [base, ...moved] = await offsets(
    [sequence, ...moving.map((i) => sequence.with(unknowns[i].p, unknowns[i].candidate))],
    at,
  )
  const rows = moved.map((vector) => vector.map((v, j) => v - base[j]))
  await paced(addRows({ normal, right }, moving, rows, base), pause)
}

/** Adds (f + R x)², f the `base`, the columns of R by unknown. */
function* addRows(
  { normal, right }: Equations,
  moving: readonly number[],
  rows: readonly Float64Array[],
  base: Float64Array,
): Steps<void> {
  for (const [a, i] of moving.entries()) {
    right[i] += inner(rows[a], base)
    for (let b = 0; b <= a; b++) {
      const j = moving[b]
      const product = inner(rows[a], rows[b])
      normal[i][j] += product
      if (b < a) normal[j][i] += product
    }
    yield
  }
}

/**
 * The unknowns that leave the least, those of a position adding up to 1. Settled positions are put in.
 *
 * @returns x of a candidate
 */
function* leastSquares(
  { normal, right }: Equations,
  unknowns: Unknowns,
  settled: ReadonlyMap<number, number>,
  ridge: number,
): Steps<(candidate: number) => number> {
  const free = [...unknowns.keys()].filter((i) => !settled.has(unknowns[i].p))
  const known = [...unknowns.keys()].filter((i) => settled.get(unknowns[i].p) === unknowns[i].candidate)
  const weight = free.reduce((sum, i) => sum + normal[i][i], 0) / free.length || 1
  const wanted = free.map((i) => weight - right[i] - known.reduce((sum, j) => sum + normal[i][j], 0))
  // equations of very different sizes can leave rounding where there should be zero
  for (let added = ridge; added < 100; added *= 100) {
    const matrix: Float64Array[] = []
    for (const i of free) {
      matrix.push(
        Float64Array.from(
          free,
          (j) => normal[i][j] + (unknowns[i].p === unknowns[j].p ? weight : 0) + (i === j ? added * weight : 0),
        ),
      )
      yield
    }
    const x = Float64Array.from(wanted)
    if (!(yield* solvePositive(matrix, [x]))) continue
    const found = new Map(free.map((i, k) => [unknowns[i].candidate, x[k]]))
    return (candidate) => found.get(candidate)!
  }
  return () => 0
}
