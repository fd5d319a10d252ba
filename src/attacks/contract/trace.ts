/** The best relative loss of a search after some evaluations. */
export type TracePoint = readonly [evaluations: number, relativeLoss: number]

/** By which factor evaluations grow from one point of a trace to the next. */
const GROWTH = 1.5

/** Most points of a trace: enough for 10⁷ evaluations. */
export const MOST_POINTS = 40

/**
 * How a search converged, in a few points: the best so far after the first evaluation and then after half as many again each time, and the
 * end.
 *
 * @param history what was seen, in the order of evaluations
 * @param end what the search found
 */
export function traceOf(
  history: readonly { readonly evaluations: number; readonly relativeLoss: number }[],
  end: { readonly evaluations: number; readonly relativeLoss: number },
): readonly TracePoint[] {
  const point = (evaluations: number, loss: number): TracePoint => [evaluations, Number(loss.toPrecision(4))]
  const kept: TracePoint[] = []
  let [next, least] = [0, Number.POSITIVE_INFINITY]
  for (const { evaluations, relativeLoss } of history) {
    if (Number.isFinite(relativeLoss)) least = Math.min(least, relativeLoss)
    if (!Number.isFinite(least) || evaluations < next || kept.length === MOST_POINTS - 1) continue
    kept.push(point(evaluations, least))
    next = Math.max(evaluations + 1, evaluations * GROWTH)
  }
  return Number.isFinite(end.relativeLoss) ? [...kept, point(end.evaluations, end.relativeLoss)] : kept
}
