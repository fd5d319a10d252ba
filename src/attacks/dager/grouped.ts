import { type Pause, paced } from '../contract/pause'
import { type Grouping, groupings, type Signals } from './encoder-groups'

/** Groupings that are held against the gradient, and how many other choices in the best of them may fail in a row. */
const MOST = { groupings: 3, misses: 12 }

/** Without noise other ways are sure, and only a grouping whose centres are this clear is worth a proof. */
const CLEAR = 0.5

/** Whether sequences are proven, and what their gradient leaves of the shared one. */
export interface Judged {
  readonly proven: boolean
  readonly residual: number
}

/**
 * Puts sentences together by what the loss sends back to their tokens, and holds them against the gradient. Where nearly all is right,
 * other choices, one by one, bring the gradient closer.
 *
 * @param places candidates of every position
 * @param counts how many different sentences there may be
 * @param judge holds sequences against the gradient; `once` says that each of them occurs once
 * @returns whether a proof ended the search
 */
export async function grouped(
  places: readonly (readonly number[])[],
  signals: readonly Signals[],
  counts: readonly number[],
  noisy: boolean,
  judge: (sequences: readonly (readonly number[])[], once: boolean) => Promise<Judged | undefined>,
  pause: Pause,
): Promise<boolean> {
  let best: { grouping: Grouping; residual: number } | undefined
  for (const count of new Set(counts)) {
    if (count < 2) continue
    const found = await paced(groupings(places, signals, count), pause)
    const worth = found.filter(({ spread }) => Number.isFinite(spread) && (noisy || spread < CLEAR))
    for (const grouping of worth.slice(0, MOST.groupings)) {
      const judged = await judge(grouping.sequences, false)
      if (judged?.proven) return true
      if (judged && !(best && best.residual <= judged.residual)) best = { grouping, residual: judged.residual }
    }
  }
  if (!best) return false
  let [current, residual]: [(readonly number[])[], number] = [best.grouping.sequences, best.residual]
  // tokens that no sentence has first, then exchanges
  for (const size of [1, 2]) {
    let misses = 0
    for (const { p, changes } of best.grouping.doubts.filter((move) => move.changes.length === size)) {
      const next = changes.reduce((all, [s, candidate]) => all.with(s, all[s].with(p, candidate)), current)
      const judged = await judge(next, true)
      if (judged?.proven) return true
      if (judged && judged.residual < residual) [current, residual, misses] = [next, judged.residual, 0]
      else if (++misses === MOST.misses) break
    }
  }
  return false
}
