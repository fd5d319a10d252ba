import type { Optimizer, OptimizerState } from '../../optim'

/** State of {@link snapping}, around the state `inner` of the optimizer it wraps. */
interface SnappingState<S extends OptimizerState> extends OptimizerState {
  readonly inner: S
  /** The last point that was tried. */
  readonly tried?: Float64Array
  /** Whether its evaluation is what comes next. */
  readonly trying: boolean
}

/**
 * An optimizer that tries, after every iteration, the point of a discrete set next to its own: a sentence is the right
 * one when its own gradient is the shared one, long before a continuous search gets there. The search sees the trial's
 * evaluation and ends if it is good enough; the wrapped optimizer does not, and goes on from where it was.
 *
 * @param snap the point of the set next to a point
 */
export function snapping<S extends OptimizerState>(
  optimizer: Optimizer<S>,
  snap: (point: Float64Array) => Float64Array,
): Optimizer<SnappingState<S>> {
  const shown = ({ point, iteration, stopped, trial }: S) => ({ point, iteration, stopped, trial })
  const next = (state: SnappingState<S>, inner: S): SnappingState<S> => {
    const evaluations = state.evaluations + 1
    const resumed = { ...state, ...shown(inner), evaluations, inner, trying: false }
    if (inner.iteration === state.inner.iteration && !inner.stopped) return resumed
    const point = snap(inner.point)
    if (state.tried?.every((v, i) => v === point[i])) return resumed
    // the iteration begins after the trial
    const { iteration } = state
    return { ...resumed, point, iteration, stopped: undefined, trial: true, trying: true, tried: point }
  }
  return {
    name: `snapping(${optimizer.name})`,
    patience: optimizer.patience,
    init(point) {
      const inner = optimizer.init(point)
      return { ...shown(inner), evaluations: 0, inner, trying: false }
    },
    step(state, evaluation) {
      if (state.trying) {
        const { inner } = state
        return { ...state, ...shown(inner), evaluations: state.evaluations + 1, trying: false }
      }
      const stepped = optimizer.step(state.inner, evaluation)
      return stepped instanceof Promise ? stepped.then((inner) => next(state, inner)) : next(state, stepped)
    },
  }
}
