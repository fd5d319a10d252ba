import { DlgError } from '../../../errors/dlg-error'
import type { Node } from '../../../graph'
import * as g from '../../../graph'
import type { Prior } from './prior'
import { requireWeight, SMOOTHING } from './weight'

/** Whether data [batch, …] are signals [batch, time, channels]. */
export const isSignal = (shape: readonly number[]): boolean => shape.length === 3

/** x[t + 1] − x[t] of signals [batch, time, channels]; undefined where there is one time alone. */
function differences(signals: Node): Node | undefined {
  const time = signals.shape[1]
  if (time < 2) return undefined
  return g.sub(g.sliceAxis(signals, 1, 1, time - 1), g.sliceAxis(signals, 1, 0, time - 1))
}

/** Mean √(d² + ε²) over the differences d of neighbours in time, of signals [batch, time, channels]. */
export function signalVariation(signals: Node): Node {
  const d = differences(signals)
  return d ? g.reshape(g.mean(g.sqrt(g.offset(g.square(d), SMOOTHING))), []) : g.scalar(signals.graph, 0)
}

/**
 * High frequencies of signals [batch, time, channels]: the mean square of second differences x[t + 1] − 2 x[t] + x[t − 1]. Energy at
 * the frequency f, in cycles per step of time, counts (2 sin πf)⁴: slow waves are next to free, and the fastest, f = ½, counts 16.
 * For signals without jumps; for those with jumps take `totalVariation`.
 *
 * @param weight relative to the distance in its unit, at least 0
 * @throws DlgError `invalid-option` for a negative weight; its `measure` for data of another shape
 */
export function spectral(weight: number): Prior {
  requireWeight(weight)
  return {
    name: 'spectral',
    weight,
    measure(data) {
      if (!isSignal(data.shape))
        throw new DlgError(
          'invalid-option',
          `the prior spectral needs signals [batch, time, channels]; data is [${data.shape}]`,
        )
      const d = differences(data)
      const curvature = d && differences(d)
      return curvature ? g.reshape(g.mean(g.square(curvature)), []) : g.scalar(data.graph, 0)
    },
  }
}
