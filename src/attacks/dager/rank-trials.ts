import { ROOM } from './ranks'
import type { Seen } from './seen'

/**
 * Pairs of ranks worth a trial, those with the likeliest ranks of both blocks first. The second block has as many inputs as the
 * first or more: what is the same token at the same place is another input once it has seen another sentence. It has no rank where
 * nothing of it was shared, or where it tells fewer vectors apart.
 */
export function trialsOf(first: Seen, second: Seen | undefined, hidden: number): [number, number | undefined][] {
  const likely = second?.ranks.likely ?? []
  const twos = likely.length > 0 ? likely : [hidden - ROOM]
  const rank = (one: number, two: number) => (second && one <= second.most ? Math.max(one, two) : undefined)
  const pairs = first.ranks.likely.flatMap((one, i) =>
    twos.map((two, j) => ({ one, two: rank(one, two), late: i + j })),
  )
  const order = pairs.sort((a, b) => a.late - b.late).map(({ one, two }): [number, number | undefined] => [one, two])
  return order.filter(([one, two], i) => order.findIndex(([a, b]) => a === one && b === two) === i)
}
