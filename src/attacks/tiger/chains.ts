import type { Pause } from '../contract/pause'
import type { Chain, Scorer } from './objective'
import type { Problem } from './problem'

/** A sequence that was grown, with its objective at every position. */
export interface Grown {
  readonly chain: Chain
  readonly scores: readonly number[]
}

/** Prefixes that are followed for each first token. */
const BEAM = 1

/** First tokens that are begun with, for each sequence of the batch. */
const BEGINNINGS = 3

/**
 * Beginnings for a decoder: sequences grown from the left, each time with the tokens of the least objective, because a position sees
 * only what is before it.
 *
 * @returns the likeliest first
 * @throws CUT
 */
export async function grownChains(
  { choices }: Problem,
  scorer: Scorer,
  batchSize: number,
  pause: Pause,
): Promise<{ grown: Grown[]; limit: number }> {
  const first = choices[0].slice(0, BEGINNINGS * batchSize).map((_, k) => [k])
  const begun = await scored(scorer, first, pause)
  let beams = begun.map((grown) => [grown])
  /** By position: the objective of the best beams, as many as the batch has sequences, and that of most choices. */
  const right: number[] = []
  const wrong: number[] = []
  for (let at = 1; at < choices.length; at++) {
    const trials = beams.map((beam) => beam.flatMap(({ chain }) => choices[at].map((_, k) => [...chain, k])))
    const all = await scored(scorer, trials.flat(), pause)
    let from = 0
    beams = trials.map((own) => {
      const some = all.slice(from, from + own.length)
      from += own.length
      return some.sort((a, b) => total(a) - total(b)).slice(0, BEAM)
    })
    right.push(
      middle(
        beams
          .map(([best]) => best.scores[at])
          .toSorted((a, b) => a - b)
          .slice(0, batchSize),
      ),
    )
    wrong.push(middle(all.map(({ scores }) => scores[at])))
  }
  const [sure, others] = [right, wrong].map((list) => middle(list.slice(0, SURE)))
  const limit = sure + PATIENCE * (others - sure)
  const grown = beams
    .map(([best]) => ended(best, limit))
    .toSorted((a, b) => gain(a.scores, limit) - gain(b.scores, limit))
  return { grown, limit }
}

const total = ({ scores }: Grown): number => scores.reduce((a, b) => a + b, 0)

async function scored(scorer: Scorer, chains: readonly Chain[], pause: Pause): Promise<Grown[]> {
  const scores = await scorer.scores(chains, pause)
  return chains.map((chain, i) => ({ chain, scores: scores[i] }))
}

/** How far from right tokens to others the objective may go before a sequence has ended. */
const PATIENCE = 0.6

/** Positions that say what a right token looks like: all sequences are that long. */
const SURE = 3

/** Σ (objective − limit): a long sequence that fits is better than a short one. */
export const gain = (scores: readonly number[], limit: number): number => scores.reduce((sum, v) => sum + v - limit, 0)

/**
 * The sequence up to where it has ended: from there on the best tokens are hardly better than any others.
 *
 * @param limit between the objective of right tokens and that of others
 */
function ended({ chain, scores }: Grown, limit: number): Grown {
  // another sentence that goes on looks right again after one position
  const end = scores.findIndex((score, at) => at > 0 && score > limit)
  return end < 0 ? { chain, scores } : { chain: chain.slice(0, end), scores: scores.slice(0, end) }
}

const middle = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0
