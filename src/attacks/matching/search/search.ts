import { countOf } from '../../../errors/counted'
import { DlgError } from '../../../errors/dlg-error'
import type { Status } from '../../../measure/verdict'
import type { Group, MatrixProducts, OptimizerState } from '../../../optim'
import type { Settings } from '../options'
import { searchOptimizer } from '../search/optimizers'
import type { AttackEvaluation } from './evaluation'
import { homotopy, type Path, steady } from './path'
import type { Progress } from './progress'

/** One iteration of a search. */
export interface HistoryEntry {
  readonly iteration: number
  /** Evaluations of this restart when the iteration began. */
  readonly evaluations: number
  /** The objective where the iteration began. While a network with kinks is smoothed, it is that of the smoothed network. */
  readonly loss: number
  readonly relativeLoss: number
}

/** One restart's outcome. */
export interface RestartOutcome {
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

/** Relative loss up to which a search that came to rest is near a match. */
const NEAR = 1e-4

/** Stated noise is known, and not guessed from a type: the squared sum of as many normal numbers is hardly ever above. */
const NOISY = 1.5

/** Part of the iterations that one weight of the priors gets at most, where the optimizer comes to rest by itself. */
const STAGE = 1 / 3

/** Iterations on the smoothed network after which the network itself judges where they have led. */
const JUDGED = 25

/** What a search minimises. */
export interface Objective {
  /** Whether there are priors, whose weight can be eased. */
  readonly hasPriors: boolean
  /** Relative loss that rounding of what was shared leaves of the true data. */
  readonly rounding: number
  /** Relative loss that noise leaves of the true data, where the caller stated it. Default 0. */
  readonly noise?: number
  /** Products for the optimizer, where the runtime does them faster than JavaScript. */
  readonly products: MatrixProducts | undefined
  /** How many coordinates, the first ones, are data: those of the first searched input. */
  readonly data: number
  /** The coordinates of each sample, where samples are updated one by one. */
  readonly samples: readonly Group[] | undefined
  /** The point with every searched label that is sure made certain; undefined where none changes. */
  readonly surer?: (point: Float64Array) => Float64Array | undefined
  /** @param easing multiplies the weight of all priors; default 1 */
  evaluate(point: Float64Array, easing?: number): Promise<AttackEvaluation>
  /**
   * The objective for the network with its kinks rounded off; there where the search is a homotopy.
   *
   * @param sharpness β: kinks are rounded off over a width of about 1/β of their scales
   */
  readonly smoothed?: (point: Float64Array, easing: number, sharpness: number) => Promise<AttackEvaluation>
}

/** What drives a search and what ends it. */
export type SearchSettings = Pick<
  Settings,
  'optimizer' | 'preset' | 'iterations' | 'patience' | 'tolerance' | 'priorEasing' | 'dull' | 'budget'
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
): Promise<RestartOutcome> {
  const run: Run = { objective, settings, progress, restart, listener, history: [], iteration: 0, evaluations: 0 }
  let { status, best } = objective.smoothed ? await followed(run, start) : await eased(run, start)
  const { rounding, noise = 0 } = objective
  const lost = Math.max(Math.min(ROUNDING * rounding, ROUNDED), Math.min(NOISY * noise, 1))
  // at rest near a match, and not on what rounding leaves: labels that are all but certain may be what holds it up
  const isNear = best.relativeLoss > lost && best.relativeLoss <= NEAR
  const surer =
    status === 'stalled' && isNear && settings.preset !== 'paper' ? objective.surer?.(best.point) : undefined
  if (surer) {
    const next = await descend(run, surer, steady(0), false)
    if (next.best.relativeLoss < best.relativeLoss) best = next.best
    if (!goesOn(next.status)) status = next.status
  }
  const ended = status === 'stalled' || status === 'max-iterations'
  if (ended && settings.tolerance > 0 && best.relativeLoss <= Math.max(MATCHED, lost)) status = 'converged'
  return { restart, status, ...best, evaluations: run.evaluations, history: run.history }
}

/** One descent after the other, each at a lower weight of the priors. */
async function eased(run: Run, start: Float64Array): Promise<Descent> {
  const { priorEasing } = run.settings
  const eases = run.objective.hasPriors && priorEasing < 1
  let { status, best } = await descend(run, start, steady(1), eases)
  let inVain = 0
  for (let easing = priorEasing; eases && goesOn(status) && inVain < 2; easing *= priorEasing) {
    const next = await descend(run, best.point, steady(easing), eases)
    inVain = next.best.relativeLoss < best.relativeLoss / 2 ? 0 : inVain + 1
    if (next.best.relativeLoss < best.relativeLoss) best = next.best
    status = next.status
  }
  return { status, best }
}

/** One descent along a homotopy; where the smoothed network gives numbers that are not finite, another on the network itself. */
async function followed(run: Run, start: Float64Array): Promise<Descent> {
  const path = homotopy(run.settings)
  const found = await descend(run, start, path, false)
  if (found.status !== 'diverged' || path.sharpness(run.iteration) === undefined) return found
  const next = await descend(run, found.best.point, steady(run.settings.priorEasing), false)
  return next.best.relativeLoss < found.best.relativeLoss ? next : { ...found, status: next.status }
}

const goesOn = (status: Status): boolean => status === 'stalled' || status === 'diverged'

/** How a descent ended. */
interface Descent {
  readonly status: Status
  readonly best: Best
}

/**
 * Follows the optimizer along a path, and keeps the best point it has seen: the one with the lowest objective. Along a homotopy,
 * where the objective changes, it is the one with the lowest distance for the network itself.
 *
 * @param staged whether another descent follows, at another weight of the priors
 */
async function descend(run: Run, start: Float64Array, path: Path, staged: boolean): Promise<Descent> {
  const { objective, settings, progress, restart, history } = run
  const { budget } = settings
  const begin = run.iteration
  const left = settings.iterations - begin
  const optimizer = searchOptimizer(settings.optimizer, objective.samples, objective.products, left, objective.data)
  const ownPatience = optimizer.patience ?? Number.POSITIVE_INFINITY
  const patience = settings.patience ?? ownPatience
  // a schedule is not cut short
  const stage =
    staged && ownPatience < Number.POSITIVE_INFINITY ? settings.iterations * STAGE : Number.POSITIVE_INFINITY
  let state = checkedState(optimizer.init(start), start.length)
  let best: Best = { point: start, loss: Number.POSITIVE_INFINITY, relativeLoss: Number.POSITIVE_INFINITY }
  let mark = { relativeLoss: Number.POSITIVE_INFINITY, iteration: begin }

  const stop = (value: number, smooth: boolean): Status | undefined => {
    // one evaluation is kept for the network itself to judge by
    const spent = progress.evaluations + (smooth ? 1 : 0)
    if (best.relativeLoss <= settings.tolerance) return 'converged'
    if (progress.cancelled || restart >= progress.end) return 'aborted'
    if (spent >= budget.evaluations || progress.milliseconds() >= budget.milliseconds) return 'budget'
    if (run.iteration >= settings.iterations) return 'max-iterations'
    if (state.stopped) return state.stopped === 'diverged' ? 'diverged' : 'stalled'
    if (settings.preset === 'paper' && !Number.isFinite(value)) return 'diverged'
    if (run.iteration - begin >= stage) return 'stalled'
    return run.iteration - mark.iteration >= patience ? 'stalled' : undefined
  }

  let told = performance.now()
  const tell = (entry = history[history.length - 1]): void => {
    told = performance.now()
    run.listener?.(restart, entry, best)
  }

  const changes = path.sharpness(begin) !== undefined
  const evaluate = async (point: Float64Array, sharpness: number | undefined): Promise<AttackEvaluation> => {
    const weight = path.easing(run.iteration)
    const smooth = sharpness !== undefined
    const evaluation = await (smooth
      ? objective.smoothed!(point, weight, sharpness)
      : objective.evaluate(point, weight))
    run.evaluations++
    progress.count()
    const { value: loss, relativeLoss } = evaluation
    const better = changes ? relativeLoss < best.relativeLoss : loss < best.loss
    if (!smooth && better) best = { point, loss, relativeLoss }
    return evaluation
  }
  let judged: { readonly point: Float64Array; readonly evaluation: AttackEvaluation } | undefined
  const judge = async (point: Float64Array): Promise<AttackEvaluation> => {
    if (judged?.point !== point) judged = { point, evaluation: await evaluate(point, undefined) }
    return judged.evaluation
  }

  const breathe = breather()
  for (let begun = -1; ; ) {
    const { point, iteration } = state
    const sharpness = path.sharpness(run.iteration)
    const smooth = sharpness !== undefined
    if (smooth && iteration > begun && iteration % JUDGED === 0) {
      const { value: loss, relativeLoss } = await judge(point)
      if (performance.now() - told >= BREATH)
        tell({ iteration: run.iteration, evaluations: run.evaluations, loss, relativeLoss })
      await breathe()
      const status = stop(best.loss, smooth)
      if (status) return { status, best }
    }
    const evaluation = await evaluate(point, sharpness)
    const { value: loss, relativeLoss } = evaluation
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
    const status = stop(loss, smooth)
    if (!status) continue
    if (smooth) await judge(point)
    return { status, best }
  }
}

/** A user's optimizer may be wrong: its states are looked at before they are used. */
function checkedState(state: OptimizerState, size: number, iteration = 0): OptimizerState {
  const returned = "the optimizer's init() and step() must return a state whose"
  if (!(state?.point instanceof Float64Array && state.point.length === size))
    throw new DlgError('invalid-option', `${returned} point is a Float64Array of ${countOf(size, 'number')}`)
  if (!(Number.isSafeInteger(state.iteration) && state.iteration >= iteration))
    throw new DlgError('invalid-option', `${returned} iteration is a whole number from 0 on that never falls`)
  return state
}

/** Longest time, in milliseconds, in which the listener hears nothing and no timers run, but for that of one evaluation. */
export const BREATH = 50

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
