import type { SecondInputs } from './second-inputs'

/** The candidates that a descent chooses from, and how it judges a sequence. */
export interface Descent {
  /** Candidates of every position. */
  readonly places: readonly (readonly number[])[]
  readonly second: SecondInputs
  /** Whether noise hides at one place what one wrong token changes. */
  readonly noisy: boolean
}

/** Σ d² over all places: what noise hides at one place, many places show. */
export async function atAllPlaces(trials: readonly number[][], { distances }: SecondInputs): Promise<number[]> {
  const sums = trials.map(() => 0)
  for (const place of trials[0].keys())
    for (const [i, d] of (await distances(trials, place)).entries()) sums[i] += d * d
  return sums
}

/**
 * Exchanges tokens as long as the second input at a place comes closer to the span: at every position the one that
 * brings it closest alone, all at once where that is closer still, else the best of them.
 */
export async function descend(
  start: readonly number[],
  at: number,
  { places, second, noisy }: Descent,
): Promise<number[]> {
  const distance = (trials: readonly number[][]): Promise<number[]> =>
    noisy ? atAllPlaces(trials, second) : second.distances(trials, at)
  let current = [...start]
  let [far] = await distance([current])
  for (;;) {
    const changes = places.flatMap((all, p) =>
      all.filter((c) => c !== current[p]).map((candidate) => ({ p, candidate })),
    )
    if (changes.length === 0) return current
    const alone = changes.map(({ p, candidate }) => current.with(p, candidate))
    const tried = await distance(alone)
    const least = tried.reduce((a, d, i) => (d < tried[a] ? i : a), 0)
    const together = current.map((token, p) => {
      const better = changes.map((_, i) => i).filter((i) => changes[i].p === p && tried[i] < far)
      return better.length > 0 ? changes[better.reduce((a, i) => (tried[i] < tried[a] ? i : a))].candidate : token
    })
    const [all] = await distance([together])
    const next = all < tried[least] ? { sequence: together, far: all } : { sequence: alone[least], far: tried[least] }
    if (!(next.far < far)) return current
    current = next.sequence
    far = next.far
  }
}
