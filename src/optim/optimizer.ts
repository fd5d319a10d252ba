import { hasMethod, invalid, show } from '../errors/checks'
import { DlgError } from '../errors/dlg-error'

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

/** The part of an optimizer's state that others read. States are immutable: keep one, and you can go on from it at any time. */
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
  /**
   * Iterations without an improvement of one part in a hundred after which a search with this optimizer has come to rest.
   * A whole number of at least 1, or Infinity for an optimizer that never rests, such as one on a schedule.
   *
   * Default Infinity: only an optimizer knows how much one of its iterations does. An iteration of L-BFGS takes some 20
   * evaluations, one of gradient descent takes one. An optimizer that says nothing runs until it sets `stopped` or its
   * iterations are used up. One that wraps another hands on the other's patience.
   */
  readonly patience?: number
  /**
   * What tells it from an optimizer of the same name and functions: the numbers that its functions keep to themselves. Results of an audit are kept under them.
   */
  readonly settings?: unknown
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

/** @throws DlgError `invalid-option` unless `optimizer` has the methods of one. */
export function requireOptimizer(owner: string, optimizer: unknown): void {
  if (!hasMethod(optimizer, 'init', 'step'))
    throw invalid(`${owner}: the optimizer is ${show(optimizer)}; it must be an object with init() and step()`)
  const { name } = optimizer as { name?: unknown }
  if (typeof name !== 'string') throw invalid(`${owner}: the optimizer's name is ${show(name)}; it must be a string`)
}

/** @throws DlgError `invalid-data` unless `point` is a Float64Array; its values may be anything. */
export function requirePoint(name: string, point: unknown): void {
  if (point instanceof Float64Array) return
  throw new DlgError('invalid-data', `${name}: the point is ${show(point)}; it must be a Float64Array`)
}

/** @throws DlgError `invalid-data` unless the state has a point, and the evaluation a value and a gradient as long. */
export function requireStep(name: string, state: OptimizerState, evaluation: Evaluation): void {
  requirePoint(name, state?.point)
  const { value, gradient } = evaluation ?? {}
  if (typeof value !== 'number' || !(gradient instanceof Float64Array))
    throw new DlgError('invalid-data', `${name}: the evaluation must be { value: a number, gradient: a Float64Array }`)
  const { length } = state.point
  if (gradient.length !== length)
    throw new DlgError('invalid-data', `${name}: the gradient has ${gradient.length} numbers; the point has ${length}`)
}
