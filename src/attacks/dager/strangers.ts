import { median } from '../../numbers/median'
import type { Random } from '../../numbers/random'
import type { SecondInputs } from './second-inputs'

/** Contexts in which a candidate is looked at. */
const CONTEXTS = 8

/** A stranger lies this many times as far from the second span as most candidates, whatever stands around it. */
const STRANGE = 1.7

/**
 * Candidates without strangers. A token that stands at two positions, such as the end of sentences of two lengths, lets the first
 * span hold every token of one of them at the other: LN(E_v + P_q) is a combination of the inputs (v, p), (w, p), (w, q). In the second
 * block these are not inputs, because a block is no linear map, and they lie far outside in any context. A right candidate in a wrong
 * context is only as far off as attention reaches.
 */
export async function withoutStrangers(
  places: readonly (readonly number[])[],
  { distances }: SecondInputs,
  from: Random,
): Promise<(readonly number[])[]> {
  const drawn = (all: readonly number[]): number => all[Math.floor(from.uniform() * all.length)]
  const typicals: number[][] = []
  for (const [at, candidates] of places.entries()) {
    const trials = candidates.flatMap((candidate) =>
      Array.from({ length: CONTEXTS }, () => places.map((all, p) => (p === at ? candidate : drawn(all)))),
    )
    const far = await distances(trials, at)
    typicals.push(candidates.map((_, i) => median(far.slice(i * CONTEXTS, (i + 1) * CONTEXTS))))
  }
  const most = STRANGE * median(typicals.map((list) => Math.min(...list)))
  return places.map((candidates, p) => {
    const near = candidates.filter((_, i) => typicals[p][i] <= most)
    return near.length > 0 ? near : candidates
  })
}
