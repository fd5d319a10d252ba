import {
  type Evaluation,
  type Optimizer,
  type OptimizerState,
  requireOptimizer,
  requirePoint,
  requireStep,
} from './optimizer'
import { requireNumber, withDefaults } from './options'
import { allFinite } from './vectors'

/** Options of {@link recover}. */
export interface RecoverOptions {
  /**
   * A value above `factor` × best is a failure, > 1. With Infinity only values that are not finite are. Default 10.
   *
   * A heuristic: it assumes that the ratio of two values of the objective is meaningful. For Adam it is not, since its steps
   * do not shrink as the minimum of zero comes near: the noise there exceeds any ratio. Give Infinity with Adam.
   */
  readonly factor: number
  /** Recoveries in a row without a new best value, ≥ 0, before it stops as 'diverged'. Default 5. */
  readonly attempts: number
  /** The k-th recovery in a row scales the first step by shrinkᵏ, in (0, 1). Default 0.1. */
  readonly shrink: number
}

/** State of {@link recover}, around the state `inner` of the optimizer it wraps. */
export interface RecoverState<S extends OptimizerState = OptimizerState> extends OptimizerState {
  readonly inner: S
  /** The lowest finite value so far and where it was; Infinity at the start before the first evaluation. */
  readonly best: { readonly point: Float64Array; readonly value: number }
  /** Recoveries so far. */
  readonly recoveries: number
  /** Recoveries since the best value last improved. */
  readonly failures: number
}

const defaults: RecoverOptions = { factor: 10, attempts: 5, shrink: 0.1 }

/**
 * An optimizer that goes back to its best point with its memory cleared when it explodes.
 *
 * Failure is an evaluation that is not finite or whose value exceeds `factor` × best (for a negative best:
 * best + (factor − 1)·|best|), save in the trials of a line search, which deals with them itself. The restarted
 * optimizer evaluates the best point again and then takes a shorter first step, or the same steps would fail again:
 * L-BFGS begins with t = shrinkᵏ · min(1, 1/‖∇f‖₁) · learningRate, Adam goes on with its learning rate × shrinkᵏ.
 * An optimizer without `restart` is started anew with `init`, at full length.
 *
 * `iteration` and `evaluations` count on over recoveries. When it gives up, `point` is the best point. Its patience is that of
 * the optimizer it wraps.
 *
 * @throws DlgError `invalid-option` for an unknown name, a value out of its range, or what is no optimizer
 */
export function recover<S extends OptimizerState>(
  optimizer: Optimizer<S>,
  options: Partial<RecoverOptions> = {},
): Optimizer<RecoverState<S>> {
  requireOptimizer('recover', optimizer)
  const { factor, attempts, shrink } = withDefaults('recover', defaults, options)
  requireNumber('recover', 'factor', factor, { above: 1, infinite: true })
  requireNumber('recover', 'attempts', attempts, { atLeast: 0, integer: true })
  requireNumber('recover', 'shrink', shrink, { above: 0, below: 1 })

  const again = (inner: S, point: Float64Array, scale: number): S =>
    optimizer.restart?.(inner, point, scale) ?? optimizer.init(point)

  function goBack(state: RecoverState<S>): RecoverState<S> {
    const { point } = state.best
    const failures = state.failures + 1
    if (failures > attempts || state.best.value === Number.POSITIVE_INFINITY) {
      return { ...state, point, stopped: 'diverged' }
    }
    const inner = again(state.inner, point, shrink ** failures)
    return { ...state, ...shown(inner), inner, failures, recoveries: state.recoveries + 1 }
  }

  return {
    name: `recover(${optimizer.name})`,
    patience: optimizer.patience,
    settings: { optimizer, factor, attempts, shrink },
    init(point) {
      requirePoint('recover', point)
      const inner = optimizer.init(point)
      return { ...shown(inner), inner, iteration: 0, evaluations: 0, ...unknown(inner), recoveries: 0 }
    },
    restart(state, point, scale) {
      requirePoint('recover', point)
      const inner = again(state.inner, point, scale)
      return { ...state, ...shown(inner), inner, ...unknown(inner) }
    },
    step(state, evaluation) {
      requireStep('recover', state, evaluation)
      const counted = { ...state, evaluations: state.evaluations + 1 }
      const finite = Number.isFinite(evaluation.value) && allFinite(evaluation.gradient)
      if (!state.trial && (!finite || exceeds(evaluation, state.best.value, factor))) return goBack(counted)
      const better = finite && evaluation.value < state.best.value
      const seen = better ? { ...counted, best: { point: state.point, value: evaluation.value }, failures: 0 } : counted
      const advance = (inner: S): RecoverState<S> => {
        const iteration = state.iteration + Math.max(0, inner.iteration - state.inner.iteration)
        return { ...seen, ...shown(inner), inner, iteration }
      }
      const inner = optimizer.step(state.inner, evaluation)
      return inner instanceof Promise ? inner.then(advance) : advance(inner)
    },
  }
}

/** Nothing is evaluated yet. */
const unknown = ({ point }: OptimizerState): Pick<RecoverState, 'best' | 'failures'> => ({
  best: { point, value: Number.POSITIVE_INFINITY },
  failures: 0,
})

/** The part of the wrapped state that the wrapper shows. */
function shown({ point, stopped, trial }: OptimizerState): Pick<OptimizerState, 'point' | 'stopped' | 'trial'> {
  return { point, stopped, trial }
}

function exceeds({ value }: Evaluation, best: number, factor: number): boolean {
  return value > best + (factor - 1) * Math.abs(best)
}
