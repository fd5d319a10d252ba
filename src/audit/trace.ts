import type { AttackProgress } from '../attacks'

/** The best relative loss of a search after some evaluations. */
type TracePoint = readonly [evaluations: number, relativeLoss: number]

/** By which factor evaluations grow from one point of a trace to the next. */
const GROWTH = 1.5

/** Most points of a trace: enough for 10⁷ evaluations. */
export const MOST_POINTS = 40

/**
 * Records how a search converges, in a few points that depend on evaluations alone: after 1, 2, 3, 4, 6, 9, … of them, and at the end.
 */
export function tracer(): { tell(progress: AttackProgress): void; points(): readonly TracePoint[] } {
  const kept: TracePoint[] = []
  let [next, least]: [number, number] = [1, Number.POSITIVE_INFINITY]
  let last: TracePoint | undefined
  return {
    tell({ evaluations, relativeLoss }) {
      if (evaluations === undefined || relativeLoss === undefined || !Number.isFinite(relativeLoss)) return
      // a restart begins at a loss of its own
      least = Math.min(least, relativeLoss)
      last = [evaluations, Number(least.toPrecision(4))]
      if (evaluations < next || kept.length >= MOST_POINTS - 1) return
      kept.push(last)
      next = Math.max(evaluations + 1, evaluations * GROWTH)
    },
    points: () => (last === undefined || last === kept.at(-1) ? kept : [...kept, last]),
  }
}
