import { DISTANCES, type DistanceName } from '../attacks/matching/objective/distance'
import { MATCHING } from '../attacks/matching/options'
import { nameFlag } from '../options/option'
import type { Given, Records } from './flags'

const { distance, iterations, restarts, tolerance, budget, seed, runtime } = MATCHING

/** The options of the attack on text that are those of every search, with what is different for text. */
export const TEXT = {
  distance: {
    ...distance,
    help: `${distance.help}; or tag`,
    default: 'balanced',
    flag: nameFlag<DistanceName | 'tag'>([...(Object.keys(DISTANCES) as DistanceName[]), 'tag']),
  },
  iterations: { ...iterations, help: 'most iterations of the search, of ten steps each' },
  restarts: { ...restarts, default: 1 },
  tolerance: { ...tolerance, default: 1e-9 },
  budget,
  seed: { ...seed, help: 'of the random weights, the masks and the search: the same seed, the same result' },
  runtime,
} as const satisfies Records

/** Those of them that `--attack sequences` reads; the others belong to the search. */
export const SEQUENCES = { budget, seed: TEXT.seed, runtime } as const satisfies Records

/** What was said of the search; the call decides the rest. */
export type TextOptions = Given<typeof TEXT>
