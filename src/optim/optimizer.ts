/** An objective evaluated at a point. */
export interface Evaluation {
  /** f(x) */
  readonly value: number
  /** ∇f(x), as long as the point. */
  readonly gradient: Float64Array
}

/**
 * Why an optimizer cannot go on from a state.
 *
 * - `gradient`: max|∇f| is within tolerance, or exactly zero: a stationary point.
 * - `step`: the step is too short to change the point, or the learning-rate schedule has ended.
 * - `value`: the value no longer changes, and neither does the point.
 * - `direction`: the search direction does not point downhill.
 * - `line-search`: no step along the direction is better than standing still.
 * - `diverged`: the value or gradient is not finite, or recovery was tried too often.
 */
export type StopReason = 'gradient' | 'step' | 'value' | 'direction' | 'line-search' | 'diverged'

/** What every optimizer's state shows. States are immutable: keep one, and you can go on from it at any time. */
export interface OptimizerState {
  /** Where the objective must be evaluated next. */
  readonly point: Float64Array
  /** Completed (outer) iterations. */
  readonly iteration: number
  /** Evaluations consumed so far. */
  readonly evaluations: number
  /** Why the optimizer cannot go on from here; undefined while it can. */
  readonly stopped?: StopReason
  /** True when `point` is a line search's trial, where a large or non-finite value is nothing unusual. */
  readonly trial?: boolean
}

/**
 * A minimiser that asks for evaluations instead of calling the objective, so that the caller owns the loop:
 *
 * ```ts
 * let state = optimizer.init(start)
 * while (!state.stopped) state = await optimizer.step(state, await evaluate(state.point))
 * ```
 */
export interface Optimizer<S extends OptimizerState = OptimizerState> {
  readonly name: string
  /** The first state; `point` is copied. */
  init(point: Float64Array): S
  /** The objective's value and gradient at `state.point` in, the next state out. Never changes its arguments. */
  step(state: S, evaluation: Evaluation): S | Promise<S>
  /**
   * A state to go on with from another `point`: memory cleared, counters and schedules kept.
   *
   * `scale` in (0, 1] shortens what comes next, since from the same point the same steps would fail again.
   * An optimizer without this method is started anew by `init`.
   */
  restart?(state: S, point: Float64Array, scale: number): S
}

/** An optimizer whose `step` answers at once. */
export interface SynchronousOptimizer<S extends OptimizerState = OptimizerState> extends Optimizer<S> {
  step(state: S, evaluation: Evaluation): S
}

/** @throws RangeError unless the gradient is as long as the point. */
export function requireSameLength(name: string, point: Float64Array, gradient: Float64Array): void {
  if (gradient.length !== point.length) {
    throw new RangeError(`${name}: the gradient has ${gradient.length} elements, the point has ${point.length}`)
  }
}
