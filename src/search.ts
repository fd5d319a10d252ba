import type { Attack, AttackEvaluation } from './attack'
import type { OptimizerState } from './optim'
import type { Settings } from './options'

/** How a search ended. Only `converged` means that the shared gradient was matched. */
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

/** What all restarts share: the clock and the work done. */
export interface Progress {
  readonly started: number
  evaluations: number
}

/** Minimises the objective from one start, and keeps the best point it has seen. */
export async function search(attack: Attack, settings: Settings, progress: Progress, restart: number): Promise<Trial> {
  const { optimizer } = settings
  const start = await attack.start(restart)
  let state: OptimizerState = optimizer.init(start)
  let best = { point: start, loss: Number.POSITIVE_INFINITY, relativeLoss: Number.POSITIVE_INFINITY }
  let mark = { relativeLoss: Number.POSITIVE_INFINITY, iteration: 0 }
  let evaluations = 0
  const history: HistoryEntry[] = []
  const end = (status: Status): Trial => ({ restart, status, ...best, evaluations, history })

  const stop = (evaluation: AttackEvaluation): Status | undefined => {
    if (best.relativeLoss <= settings.tolerance) return 'converged'
    if (state.stopped) return state.stopped === 'diverged' ? 'diverged' : 'stalled'
    if (settings.preset === 'paper' && !Number.isFinite(evaluation.value)) return 'diverged'
    if (state.iteration >= settings.iterations) return 'max-iterations'
    if (state.iteration - mark.iteration >= PATIENCE && settings.preset !== 'paper') return 'stalled'
    if (settings.signal?.aborted) return 'aborted'
    const spent = progress.evaluations >= settings.budget.evaluations
    return spent || performance.now() - progress.started >= settings.budget.milliseconds ? 'budget' : undefined
  }

  for (let begun = -1; ; ) {
    const { point, iteration } = state
    const evaluation = await attack.evaluate(point)
    if (iteration > begun) {
      begun = iteration
      history.push({ iteration, evaluations, loss: evaluation.value, relativeLoss: evaluation.relativeLoss })
      await nextTask()
    }
    evaluations++
    progress.evaluations++
    if (evaluation.value < best.loss) best = { point, loss: evaluation.value, relativeLoss: evaluation.relativeLoss }
    state = await optimizer.step(state, evaluation)
    if (best.relativeLoss < IMPROVEMENT * mark.relativeLoss)
      mark = { relativeLoss: best.relativeLoss, iteration: state.iteration }
    if (state.iteration > iteration)
      notify(settings, attack, progress, restart, state.iteration, history[history.length - 1], best)
    const status = stop(evaluation)
    if (status) return end(status)
  }
}

function notify(
  settings: Settings,
  attack: Attack,
  progress: Progress,
  restart: number,
  iteration: number,
  entry: HistoryEntry,
  best: { point: Float64Array; relativeLoss: number },
): void {
  settings.onIteration?.({
    restart,
    iteration,
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
