import { DlgError } from '../../../errors/dlg-error'
import type { Status } from '../../../measure/verdict'
import type { Group, MatrixProducts, OptimizerState } from '../../../optim'
import type { Settings } from '../options'
import { searchOptimizer } from '../search/optimizers'
import type { AttackEvaluation } from './evaluation'
import type { Progress } from './progress'

/** One iteration of a search. */
export interface HistoryEntry {
  readonly iteration: number
  /** Evaluations of this restart when the iteration began. */
  readonly evaluations: number
  /** The objective where the iteration began. */
  readonly loss: number
  readonly relativeLoss: number
}

/** One restart's outcome. */
export interface Trial {
  readonly restart: number
  readonly status: Status
  readonly point: Float64Array
  readonly loss: number
  readonly relativeLoss: number
  readonly evaluations: number
  readonly history: readonly HistoryEntry[]
}

/** What counts as an improvement: one part in a hundred. */
const IMPROVEMENT = 0.99

/** Relative loss below which a search that has ended has matched the gradient: ‖g − g*‖ is 3e-4 of ‖g*‖. */
const MATCHED = 1e-7

/** Below this many times what rounding is expected to leave, a gradient is matched as far as can be told; but not above 1e-4. */
const ROUNDING = 4
const ROUNDED = 1e-4

/** Part of the iterations that one weight of the priors gets at most, where the optimizer comes to rest by itself. */
const STAGE = 1 / 3

/** What a search minimises. */
export interface Objective {
  /** Whether there are priors, whose weight can be eased. */
  readonly hasPriors: boolean
  /** Relative loss that rounding of what was shared leaves of the true data. */
  readonly rounding: number
  /** Products for the optimizer, where the runtime does them faster than JavaScript. */
  readonly products: MatrixProducts | undefined
  /** The coordinates of each sample, where samples are updated one by one. */
  readonly samples: readonly Group[] | undefined
  /** @param easing multiplies the weight of all priors; default 1 */
  evaluate(point: Float64Array, easing?: number): Promise<AttackEvaluation>
}

/** What drives a search and what ends it. */
export type SearchSettings = Pick<
  Settings,
  'optimizer' | 'preset' | 'iterations' | 'patience' | 'tolerance' | 'priorEasing' | 'budget'
>

/** Told of every iteration as it begins, and again while it is under way, with the best point so far. */
export type Listener = (restart: number, entry: HistoryEntry, best: Best) => void

/** The best point of a descent. */
export interface Best {
  readonly point: Float64Array
  readonly loss: number
  readonly relativeLoss: number
}

/** A restart under way. */
interface Run {
  readonly objective: Objective
  readonly settings: SearchSettings
  readonly progress: Progress
  readonly restart: number
  readonly listener: Listener | undefined
  readonly history: HistoryEntry[]
  iteration: number
  evaluations: number
}

/**
 * Minimises the objective from one start.
 *
 * Priors choose among the data that explain the gradient, and stand in the way of explaining it exactly. So their weight
 * is eased from one descent to the next, until that twice brings the gradient no closer. A descent ends where the optimizer
 * comes to rest; only the optimizer knows when that is.
 */
export async function search(
  objective: Objective,
  settings: SearchSettings,
  progress: Progress,
  restart: number,
  start: Float64Array,
  listener?: Listener,
): Promise<Trial> {
  const run: Run = { objective, settings, progress, restart, listener, history: [], iteration: 0, evaluations: 0 }
  const eased = objective.hasPriors && settings.priorEasing < 1
  let { status, best } = await descend(run, start, 1, eased)
  let inVain = 0
  for (let easing = settings.priorEasing; eased && goesOn(status) && inVain < 2; easing *= settings.priorEasing) {
    const next = await descend(run, best.point, easing, eased)
    inVain = next.best.relativeLoss < best.relativeLoss / 2 ? 0 : inVain + 1
    if (next.best.relativeLoss < best.relativeLoss) best = next.best
    status = next.status
  }
  const ended = status === 'stalled' || status === 'max-iterations'
  const matched = Math.max(MATCHED, Math.min(ROUNDING * objective.rounding, ROUNDED))
  if (ended && settings.tolerance > 0 && best.relativeLoss <= matched) status = 'converged'
  return { restart, status, ...best, evaluations: run.evaluations, history: run.history }
}

const goesOn = (status: Status): boolean => status === 'stalled' || status === 'diverged'

/** Follows the optimizer at one weight of the priors, and keeps the best point it has seen. */
async function descend(
  run: Run,
  start: Float64Array,
  easing: number,
  eased: boolean,
): Promise<{ status: Status; best: Best }> {
  const { objective, settings, progress, restart, history } = run
  const { budget } = settings
  const begin = run.iteration
  const left = settings.iterations - begin
  const optimizer = searchOptimizer(settings.optimizer, objective.samples, objective.products, left)
  const ownPatience = optimizer.patience ?? Number.POSITIVE_INFINITY
  const patience = settings.patience ?? ownPatience
  // a schedule is not cut short
  const stage = eased && ownPatience < Number.POSITIVE_INFINITY ? settings.iterations * STAGE : Number.POSITIVE_INFINITY
  let state = checkedState(optimizer.init(start), start.length)
  let best: Best = { point: start, loss: Number.POSITIVE_INFINITY, relativeLoss: Number.POSITIVE_INFINITY }
  let mark = { relativeLoss: Number.POSITIVE_INFINITY, iteration: begin }

  const stop = (evaluation: AttackEvaluation): Status | undefined => {
    if (best.relativeLoss <= settings.tolerance) return 'converged'
    if (progress.cancelled || restart >= progress.end) return 'aborted'
    if (progress.evaluations >= budget.evaluations || progress.milliseconds() >= budget.milliseconds) return 'budget'
    if (run.iteration >= settings.iterations) return 'max-iterations'
    if (state.stopped) return state.stopped === 'diverged' ? 'diverged' : 'stalled'
    if (settings.preset === 'paper' && !Number.isFinite(evaluation.value)) return 'diverged'
    if (run.iteration - begin >= stage) return 'stalled'
    return run.iteration - mark.iteration >= patience ? 'stalled' : undefined
  }

  let told = 0
  const tell = (): void => {
    told = performance.now()
    run.listener?.(restart, history[history.length - 1], best)
  }

  const breathe = breather()
  for (let begun = -1; ; ) {
    const { point, iteration } = state
    const evaluation = await objective.evaluate(point, easing)
    run.evaluations++
    progress.count()
    const { value: loss, relativeLoss } = evaluation
    if (loss < best.loss) best = { point, loss, relativeLoss }
    if (best.relativeLoss < IMPROVEMENT * mark.relativeLoss)
      mark = { relativeLoss: best.relativeLoss, iteration: run.iteration }
    if (iteration > begun) {
      begun = iteration
      history.push({ iteration: run.iteration, evaluations: run.evaluations - 1, loss, relativeLoss })
      tell()
    } else if (performance.now() - told >= BREATH) tell()
    await breathe()
    state = checkedState(await optimizer.step(state, evaluation), point.length, iteration)
    run.iteration = begin + state.iteration
    const status = stop(evaluation)
    if (status) return { status, best }
  }
}

/** A user's optimizer may be wrong: its states are looked at before they are used. */
function checkedState(state: OptimizerState, size: number, iteration = 0): OptimizerState {
  const returned = "the optimizer's init() and step() must return a state whose"
  if (!(state?.point instanceof Float64Array && state.point.length === size))
    throw new DlgError('invalid-option', `${returned} point is a Float64Array of ${size} numbers`)
  if (!(Number.isSafeInteger(state.iteration) && state.iteration >= iteration))
    throw new DlgError('invalid-option', `${returned} iteration is a whole number from 0 on that never falls`)
  return state
}

/** Longest time, in milliseconds, in which the listener hears nothing and no timers run, but for that of one evaluation. */
const BREATH = 50

/** Lets timers and signals run now and then: evaluations on a synchronous backend never leave the microtask queue. */
function breather(): () => Promise<void> | undefined {
  let last = performance.now()
  return () => {
    if (performance.now() - last < BREATH) return undefined
    return new Promise((resolve) =>
      setTimeout(() => {
        last = performance.now()
        resolve()
      }),
    )
  }
}
