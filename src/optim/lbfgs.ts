import { hasMethod, invalid } from '../errors/checks'
import { compact, type MatrixProducts } from './compact'
import type { LineSearch, LineSearchState, Trial } from './line-search'
import type { CurvatureMemory, Descent } from './memory'
import {
  type Evaluation,
  type Optimizer,
  type OptimizerState,
  requirePoint,
  requireStep,
  type StopReason,
  type SynchronousOptimizer,
} from './optimizer'
import { requireNumber, requireOneOf, withDefaults, wrong } from './options'
import { strongWolfe } from './strong-wolfe'
import { twoLoop } from './two-loop'
import { absoluteSum, allFinite, dot, equal, exceeds, plus } from './vectors'

/** Options of {@link lbfgs}. */
export interface LbfgsOptions {
  /** Step length, > 0; with a line search the first one tried. Default 1. */
  readonly learningRate: number
  /** Most steps in one outer iteration, ≥ 1; it takes at most a quarter more evaluations than that. Default 20. */
  readonly innerIterations: number
  /** Most curvature pairs kept, ≥ 1; each holds two vectors as long as the point. Default 100. */
  readonly historySize: number
  /** Stationary when max|∇f| is at most this, ≥ 0. Default 1e-7. */
  readonly gradientTolerance: number
  /** Changes of the point (largest coordinate) or the value below this end an outer iteration, ≥ 0. Default 1e-9. */
  readonly changeTolerance: number
  /** A pair (s, y) is kept only if yᵀs is above this, ≥ 0. Default 1e-10. */
  readonly curvature: number
  /** None: every step has length `learningRate`. Default 'none'. */
  readonly lineSearch: 'none' | 'strong-wolfe' | LineSearch
  /** Where large products run: with them the memory takes its compact form. Default: the two-loop recursion in float64. */
  readonly products?: MatrixProducts
}

/** State of {@link lbfgs}. */
export interface LbfgsState extends OptimizerState {
  /** The curvature that the memory holds. */
  readonly curvature: unknown
  /** The newest step t·d, and the value and gradient it started from; undefined before the first. */
  readonly last?: LbfgsStep
  /** Multiplies the length of the first step. */
  readonly firstStep: number
  /** The outer iteration under way: where it began, its steps and its evaluations. */
  readonly outer: { readonly start: Float64Array; readonly steps: number; readonly evaluations: number }
  /** Whether the outer iteration before ended where it began. */
  readonly idle: boolean
  /** The line search under way. */
  readonly search?: { readonly origin: Float64Array; readonly state: LineSearchState }
}

/** The step a state took last. */
export interface LbfgsStep {
  readonly direction: Float64Array
  /** t */
  readonly length: number
  readonly value: number
  readonly gradient: Float64Array
}

/** Iterations that do not improve by one part in a hundred after which more of them do not help: 400 evaluations. */
const PATIENCE = 20

const defaults: LbfgsOptions = {
  learningRate: 1,
  innerIterations: 20,
  historySize: 100,
  gradientTolerance: 1e-7,
  changeTolerance: 1e-9,
  curvature: 1e-10,
  lineSearch: 'none',
  products: undefined,
}

/**
 * Limited-memory BFGS: x ← x + t·d with d = −H∇f, where H is the inverse Hessian that the last steps suggest.
 *
 * Step for step `torch.optim.LBFGS` of PyTorch 1.13 (itself after Schmidt's minFunc), the optimizer of the DLG paper:
 * an iteration is one call of its `step(closure)`, and begins by evaluating the current point, even once more.
 * The first step ever has t = min(1, 1/‖∇f‖₁)·learningRate, later ones t = learningRate; the memory outlives the
 * iterations. Beyond PyTorch, `stopped` is set where it would repeat itself for ever: at a stationary point, on a
 * direction that does not lead down, after two iterations in a row that did not move, on non-finite gradients.
 * Its patience is 20 iterations.
 *
 * @throws DlgError `invalid-option` for an unknown name, or a value out of its range
 */
export function lbfgs(options: Partial<LbfgsOptions> & { readonly products: MatrixProducts }): Optimizer<LbfgsState>
export function lbfgs(options?: Partial<LbfgsOptions>): SynchronousOptimizer<LbfgsState>
export function lbfgs(options: Partial<LbfgsOptions> = {}): Optimizer<LbfgsState> {
  const settings = withDefaults('lbfgs', defaults, options)
  const { learningRate, innerIterations, gradientTolerance, changeTolerance } = validated(settings)
  const lineSearch = typeof settings.lineSearch === 'string' ? undefined : settings.lineSearch
  const search = settings.lineSearch === 'strong-wolfe' ? strongWolfe() : lineSearch
  const memory = (settings.products ? compact(settings, settings.products) : twoLoop(settings)) as CurvatureMemory
  const mostEvaluations = Math.floor((innerIterations * 5) / 4)

  /** The next step's direction from an evaluated point, and the point to evaluate for it. */
  function move(
    state: LbfgsState,
    origin: Float64Array,
    value: number,
    gradient: Float64Array,
  ): MaybePromise<LbfgsState> {
    const { last } = state
    const newest = last && { direction: last.direction, length: last.length, before: last.gradient }
    return after(memory.descend(state.curvature, newest, gradient), (descent) =>
      follow(state, descent, origin, value, gradient),
    )
  }

  function follow(
    state: LbfgsState,
    descent: Descent<unknown>,
    origin: Float64Array,
    value: number,
    gradient: Float64Array,
  ): LbfgsState {
    const { curvature, direction, slope, reach } = descent
    const { last } = state
    const length = last ? learningRate : Math.min(1, 1 / absoluteSum(gradient)) * learningRate * state.firstStep
    const outer = { ...state.outer, steps: state.outer.steps + 1 }
    const next: LbfgsState = { ...state, curvature, outer, last: { direction, length, value, gradient } }
    if (slope > -changeTolerance) {
      const ended = endIteration(next, origin, 'direction')
      return state.outer.steps === 0 ? { ...ended, stopped: 'direction' } : ended
    }
    if (search) {
      const ray = { start: { step: 0, value, slope, gradient }, step: length, reach }
      const searching = checkedSearch(search, search.init(ray))
      const point = plus(origin, searching.step, direction)
      return { ...next, point, trial: true, search: { origin, state: searching } }
    }
    const point = plus(origin, length, direction)
    // The next iteration evaluates the point that this one's last step leads to.
    return outer.steps === innerIterations ? endIteration(next, point, 'step') : { ...next, point }
  }

  /** After a step to an evaluated point: another one, or the end of the iteration. */
  function proceed(
    state: LbfgsState,
    point: Float64Array,
    value: number,
    gradient: Float64Array,
  ): MaybePromise<LbfgsState> {
    const last = state.last!
    if (state.outer.steps === innerIterations || state.outer.evaluations >= mostEvaluations) {
      return endIteration(state, point, last.length === 0 ? 'line-search' : 'step')
    }
    if (!exceeds(gradient, gradientTolerance)) return endIteration(state, point, 'gradient')
    if (!exceeds(last.direction, changeTolerance / Math.abs(last.length))) {
      return endIteration(state, point, last.length === 0 ? 'line-search' : 'step')
    }
    if (Math.abs(value - last.value) < changeTolerance) return endIteration(state, point, 'value')
    return move(state, point, value, gradient)
  }

  function endIteration(state: LbfgsState, point: Float64Array, reason: StopReason): LbfgsState {
    const idle = equal(point, state.outer.start)
    const stopped = idle && state.idle ? reason : undefined
    const outer = { start: point, steps: 0, evaluations: 0 }
    return { ...state, point, iteration: state.iteration + 1, outer, idle, stopped }
  }

  function onTrial(state: LbfgsState, value: number, gradient: Float64Array): MaybePromise<LbfgsState> {
    const { origin, state: searching } = state.search!
    const { direction } = state.last!
    const trial: Trial = { step: searching.step, value, slope: dot(gradient, direction), gradient }
    const searched = checkedSearch(search!, search!.step(searching, trial))
    if (!searched.accepted) {
      return { ...state, point: plus(origin, searched.step, direction), search: { origin, state: searched } }
    }
    const { step: length, value: reached, gradient: there } = searched.accepted
    const point = length === searching.step ? state.point : length === 0 ? origin : plus(origin, length, direction)
    const moved: LbfgsState = { ...state, trial: undefined, search: undefined, last: { ...state.last!, length } }
    return proceed(moved, point, reached, there)
  }

  const begin = (point: Float64Array, firstStep: number) => ({
    point,
    curvature: memory.empty,
    firstStep,
    outer: { start: point, steps: 0, evaluations: 0 },
    idle: false,
  })

  return {
    name: 'lbfgs',
    patience: PATIENCE,
    settings,
    init(point) {
      requirePoint('lbfgs', point)
      return { iteration: 0, evaluations: 0, ...begin(point.slice(), 1) }
    },
    restart({ iteration, evaluations }, point, scale) {
      requirePoint('lbfgs', point)
      requireNumber('lbfgs', 'scale', scale, { atLeast: 0 })
      return { iteration, evaluations, ...begin(point.slice(), scale) }
    },
    step(state: LbfgsState, evaluation: Evaluation): MaybePromise<LbfgsState> {
      requireStep('lbfgs', state, evaluation)
      const { value } = evaluation
      const gradient = evaluation.gradient.slice()
      const outer = { ...state.outer, evaluations: state.outer.evaluations + 1 }
      const seen: LbfgsState = { ...state, outer, evaluations: state.evaluations + 1 }
      if (state.search) return onTrial(seen, value, gradient)
      if (!allFinite(gradient) || (search && !Number.isFinite(value))) return { ...seen, stopped: 'diverged' }
      if (outer.steps > 0) return proceed(seen, state.point, value, gradient)
      if (!exceeds(gradient, gradientTolerance)) {
        return { ...endIteration(seen, state.point, 'gradient'), stopped: 'gradient' }
      }
      return move(seen, state.point, value, gradient)
    },
  }
}

type MaybePromise<T> = T | Promise<T>

/** Goes on at once with a value, and later with a promise. */
const after = <A, B>(value: MaybePromise<A>, next: (value: A) => B): MaybePromise<B> =>
  value instanceof Promise ? value.then(next) : next(value)

function validated(options: LbfgsOptions): LbfgsOptions {
  requireNumber('lbfgs', 'learningRate', options.learningRate, { above: 0 })
  requireNumber('lbfgs', 'innerIterations', options.innerIterations, { atLeast: 1, integer: true })
  requireNumber('lbfgs', 'historySize', options.historySize, { atLeast: 1, integer: true })
  requireNumber('lbfgs', 'gradientTolerance', options.gradientTolerance, { atLeast: 0 })
  requireNumber('lbfgs', 'changeTolerance', options.changeTolerance, { atLeast: 0 })
  requireNumber('lbfgs', 'curvature', options.curvature, { atLeast: 0 })
  const { lineSearch, products } = options
  if (typeof lineSearch === 'string') requireOneOf('lbfgs', 'lineSearch', lineSearch, ['none', 'strong-wolfe'])
  else if (!hasMethod(lineSearch, 'init', 'step'))
    throw wrong('lbfgs', 'lineSearch', lineSearch, "'none' or 'strong-wolfe' or an object with init() and step()")
  if (products !== undefined && !hasMethod(products, 'multiply', 'combine'))
    throw wrong('lbfgs', 'products', products, 'an object with rows, multiply() and combine()')
  return options
}

/** A line search of the caller's may be wrong: its states are looked at before they are used. */
function checkedSearch({ name }: LineSearch, state: LineSearchState): LineSearchState {
  const accepted = state?.accepted
  const right = accepted
    ? typeof accepted.step === 'number' &&
      typeof accepted.value === 'number' &&
      accepted.gradient instanceof Float64Array
    : typeof state?.step === 'number'
  if (right) return state
  throw invalid(`lbfgs: init() and step() of lineSearch '${name}' must return a state with a step or an accepted trial`)
}
