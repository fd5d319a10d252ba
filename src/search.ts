import type { Attack, AttackEvaluation } from './attack'
import { DlgError } from './errors'
import type { OptimizerState } from './optim'
import type { Settings } from './options'

/**
 * How a search ended. Only `converged` means that the shared gradient was matched: to the tolerance, or as far as float32
 * arithmetic let the search go on below a relative loss of 1e-7.
 */
export type Status = 'converged' | 'max-iterations' | 'diverged' | 'stalled' | 'aborted' | 'budget'

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

/** Iterations without an improvement of one part in a hundred after which a search has stalled. */
const PATIENCE = 20
const IMPROVEMENT = 0.99

/** Relative loss below which a search that cannot go on has matched the gradient: ‖g − g*‖ is 3e-4 of ‖g*‖. */
const MATCHED = 1e-7

/** What all restarts share: the clock and the work done. */
export interface Progress {
  readonly started: number
  evaluations: number
}

/**
 * Minimises the objective from one start, and keeps the best point it has seen.
 *
 * @param unwanted whether nobody waits for this search any more
 */
export async function search(
  attack: Attack,
  settings: Settings,
  progress: Progress,
  restart: number,
  unwanted: () => boolean = () => false,
): Promise<Trial> {
  const optimizer = settings.optimizer(attack.products)
  const start = await attack.start(restart)
  let state: OptimizerState = optimizer.init(start)
  let best = { point: start, loss: Number.POSITIVE_INFINITY, relativeLoss: Number.POSITIVE_INFINITY }
  let mark = { relativeLoss: Number.POSITIVE_INFINITY, iteration: 0 }
  let evaluations = 0
  const history: HistoryEntry[] = []
  const end = (reason: Status): Trial => {
    const status = reason === 'stalled' && best.relativeLoss <= MATCHED ? 'converged' : reason
    return { restart, status, ...best, evaluations, history }
  }

  const stop = (evaluation: AttackEvaluation): Status | undefined => {
    if (best.relativeLoss <= settings.tolerance) return 'converged'
    if (settings.signal?.aborted || unwanted()) return 'aborted'
    const spent = progress.evaluations >= settings.budget.evaluations
    if (spent || performance.now() - progress.started >= settings.budget.milliseconds) return 'budget'
    if (state.stopped) return state.stopped === 'diverged' ? 'diverged' : 'stalled'
    if (settings.preset === 'paper' && !Number.isFinite(evaluation.value)) return 'diverged'
    if (state.iteration >= settings.iterations) return 'max-iterations'
    const stalled = state.iteration - mark.iteration >= PATIENCE && settings.preset !== 'paper'
    return stalled ? 'stalled' : undefined
  }

  for (let begun = -1; ; ) {
    const { point, iteration } = state
    const evaluation = await attack.evaluate(point)
    evaluations++
    progress.evaluations++
    if (evaluation.value < best.loss) best = { point, loss: evaluation.value, relativeLoss: evaluation.relativeLoss }
    if (best.relativeLoss < IMPROVEMENT * mark.relativeLoss) mark = { relativeLoss: best.relativeLoss, iteration }
    if (iteration > begun) {
      begun = iteration
      const { value: loss, relativeLoss } = evaluation
      history.push({ iteration, evaluations: evaluations - 1, loss, relativeLoss })
      notify(settings, attack, progress, restart, history[history.length - 1], best)
      await nextTask()
    }
    state = checkedState(await optimizer.step(state, evaluation), point.length)
    const status = stop(evaluation)
    if (status) return end(status)
  }
}

/** A user's optimizer may be wrong: its states are looked at before they are used. */
function checkedState(state: OptimizerState, size: number): OptimizerState {
  if (state?.point instanceof Float64Array && state.point.length === size) return state
  throw new DlgError(
    'invalid-option',
    `the optimizer's step() must return a state whose point is a Float64Array of ${size} numbers`,
  )
}

function notify(
  settings: Settings,
  attack: Attack,
  progress: Progress,
  restart: number,
  entry: HistoryEntry,
  best: { point: Float64Array; relativeLoss: number },
): void {
  settings.onIteration?.({
    restart,
    iteration: entry.iteration,
    evaluations: progress.evaluations,
    loss: entry.loss,
    relativeLoss: entry.relativeLoss,
    best: best.relativeLoss,
    milliseconds: performance.now() - progress.started,
    data: () => attack.dataOf(best.point),
  })
}

/** Lets timers and signals run: evaluations on a synchronous backend never leave the microtask queue. */
const nextTask = (): Promise<void> => new Promise((resolve) => setTimeout(resolve))
