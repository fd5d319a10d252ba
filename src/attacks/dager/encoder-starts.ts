import type { Steps } from '../../numbers/steps'
import { symmetricEigen } from '../../numbers/symmetric-eigen'
import { inner } from '../../numbers/vectors'
import { type Pause, paced } from '../contract/pause'
import type { SecondInputs } from './second-inputs'

/**
 * Which candidates belong together, to first order, for all sequences of a batch at once.
 *
 * Attention adds up what it takes from each position, so that exchanging candidate i for the first one of its position
 * moves the second input by some r_i. Two sequences s and t of the batch differ by exchanges whose sum lies in the span:
 * Σ_i (s_i − t_i) r_i = 0 outside of it, with s_i = 1 where s has candidate i. These differences make the null space of
 * the matrix of all r_i, in which candidates of the same sequence have the same coordinates.
 *
 * @param places candidates of every position
 * @returns a sequence through each candidate of the position that tells most apart; one where none does
 */
export async function likelySequences(
  places: readonly (readonly number[])[],
  { offsets }: SecondInputs,
  batchSize: number,
  pause: Pause,
): Promise<number[][]> {
  const sizes = places.map((candidates) => candidates.length)
  const at = sizes.indexOf(Math.min(...sizes))
  const told = sizes.map((size, p) => (p === at || size > batchSize ? 0 : size))
  const reference = told.indexOf(Math.max(...told))
  const first = places.map(([candidate]) => candidate)
  const changes = places.flatMap((candidates, p) =>
    p === at ? [] : candidates.slice(1).map((candidate) => ({ p, candidate })),
  )
  if (told[reference] < 2) return [first]
  const [base, ...moved] = await offsets([first, ...changes.map(({ p, candidate }) => first.with(p, candidate))], at)
  const moves = moved.map((vector) => vector.map((v, j) => v - base[j]))
  const basis = await paced(nullSpace(moves, batchSize - 1), pause)
  /** Null-space coordinates of a candidate. Those of one position sum to zero. */
  const coordinates = (p: number, candidate: number): number[] => {
    if (candidate !== first[p]) return basis[changes.findIndex((c) => c.p === p && c.candidate === candidate)]
    const others = basis.filter((_, i) => changes[i].p === p)
    return basis[0].map((_, k) => -others.reduce((sum, row) => sum + row[k], 0))
  }
  return places[reference].map((candidate) => {
    const wanted = coordinates(reference, candidate)
    const distance = (p: number, c: number): number =>
      coordinates(p, c).reduce((sum, v, k) => sum + (v - wanted[k]) ** 2, 0)
    return places.map((candidates, p) =>
      p === at ? first[p] : candidates.reduce((best, c) => (distance(p, c) < distance(p, best) ? c : best)),
    )
  })
}

/** The `dimension` directions in which combinations of the vectors are least: one row of coordinates for each vector. */
function* nullSpace(vectors: readonly Float64Array[], dimension: number): Steps<number[][]> {
  const gram = vectors.map(() => new Float64Array(vectors.length))
  for (const [i, a] of vectors.entries()) {
    for (let j = 0; j <= i; j++) gram[i][j] = gram[j][i] = inner(a, vectors[j])
    yield
  }
  const directions = (yield* symmetricEigen(gram)).vectors.slice(Math.max(0, vectors.length - dimension))
  return vectors.map((_, i) => directions.map((direction) => direction[i]))
}
