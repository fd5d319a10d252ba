import type { Attack } from '../attack'
import type { Settings } from '../options'
import { pulled } from './evaluation'
import type { IterationEvent } from './options'
import type { Progress } from './progress'
import { pullsOf } from './pulls'
import { type HistoryEntry, type Listener, type RestartOutcome, search } from './search'
import type { Leg } from './thread-task'
import { openThreads } from './threads'

/** Whether the work was cut short from outside, for all restarts. */
export const isCut = ({ status }: Pick<RestartOutcome, 'status'>): boolean =>
  status === 'aborted' || status === 'budget'

/**
 * Searches from one start after the other until one converges, several at a time when asked.
 *
 * The trials are those that would have run one by one: a restart after the first that converged does not count, even if
 * it was quicker. So the result is the same for every concurrency, save when the work was cut short from outside; and up to rounding where
 * operations are so large that several threads share each of them while restarts take turns.
 *
 * With `consistency` restarts search in two legs. Where none has converged after the first, each goes on from its own best point,
 * pulled to the mean of all.
 */
export async function searchAll(attack: Attack, settings: Settings, progress: Progress): Promise<RestartOutcome[]> {
  const count = Math.min(settings.concurrency, settings.restarts)
  const threads = count > 1 ? await openThreads(attack.portable, settings, progress, count) : undefined
  let failure: { readonly error: unknown } | undefined
  const fail = (error: unknown): void => {
    failure ??= { error }
    // nobody waits for the others once one has failed
    progress.end = 0
  }
  const listener = listenerOf(attack, settings, progress, 'search', fail)
  const trials: RestartOutcome[] = []
  const searchEach = async (legOf: (restart: number) => Leg | undefined): Promise<void> => {
    let next = 0
    const worker = async (at: number): Promise<void> => {
      while (next < progress.end) {
        const restart = next++
        const before = trials[restart]
        const leg = legOf(restart)
        if (!leg) continue
        const start = before?.point ?? (await attack.start(restart))
        const told = before ? listener && listenerFrom(before, listener) : listener
        const trial = threads
          ? await threads[at].search(restart, start, told, leg)
          : await search(
              leg.pull ? pulled(attack, leg.pull) : attack,
              { ...settings, iterations: leg.iterations },
              ...([progress, restart, start, told] as const),
            )
        trials[restart] = before ? joined(before, trial) : trial
        if (trial.status === 'converged') progress.end = Math.min(progress.end, restart + 1)
        if (isCut(trial)) next = settings.restarts
      }
    }
    await Promise.all(Array.from({ length: count }, (_, at) => worker(at).catch(fail)))
    if (failure) throw failure.error
  }
  const cancel = () => {
    progress.cancelled = true
  }
  settings.signal?.addEventListener('abort', cancel)
  if (settings.signal?.aborted) cancel()
  try {
    const { iterations } = settings
    const first = settings.consistency.weight > 0 ? Math.ceil(iterations / 2) : iterations
    await searchEach(() => ({ iterations: first }))
    const ended = trials.some((trial) => isCut(trial) || trial.status === 'converged')
    const pulls = first < iterations && !ended ? pullsOf(attack, settings, trials) : undefined
    if (pulls) await searchEach((restart) => pulls[restart] && { iterations: iterations - first, pull: pulls[restart] })
    return trials.slice(0, progress.end)
  } finally {
    settings.signal?.removeEventListener('abort', cancel)
    await Promise.all(threads?.map((thread) => thread.close()) ?? [])
  }
}

/** Shortest time, in milliseconds, between two reports of certainty: its single steps take up to three times as long. */
const OFTEN = 25

/** How many iterations and evaluations came before. */
const moved = ({ history, evaluations }: RestartOutcome, entry: HistoryEntry): HistoryEntry => ({
  ...entry,
  iteration: entry.iteration + (history.at(-1)?.iteration ?? -1) + 1,
  evaluations: entry.evaluations + evaluations,
})

/** Tells of a second leg as of a part of the whole restart. */
const listenerFrom =
  (before: RestartOutcome, listener: Listener): Listener =>
  (restart, entry, best) =>
    listener(restart, moved(before, entry), before.relativeLoss < best.relativeLoss ? before : best)

/** Two legs as one restart, at the better point. */
function joined(before: RestartOutcome, after: RestartOutcome): RestartOutcome {
  const { point, loss, relativeLoss } = before.relativeLoss < after.relativeLoss ? before : after
  return {
    ...after,
    ...{ point, loss, relativeLoss },
    evaluations: before.evaluations + after.evaluations,
    history: [...before.history, ...after.history.map((entry) => moved(before, entry))],
  }
}

/**
 * What is called again and again once a search has matched, while it is asked how certain the match is: it tells the caller's
 * listener every 25 ms at most. It throws what the listener threw.
 */
export function certaintyListener(attack: Attack, found: RestartOutcome, progress: Progress): () => void {
  let failure: { readonly error: unknown } | undefined
  let told = performance.now()
  const listener = listenerOf(attack, attack.settings, progress, 'certainty', (error) => {
    failure ??= { error }
  })
  return () => {
    if (failure) throw failure.error
    if (!listener || performance.now() - told < OFTEN) return
    told = performance.now()
    listener(found.restart, found.history[found.history.length - 1], found)
  }
}

/** Tells the caller of iterations, if it asked to hear of them; a listener that fails later fails the attack as well. */
function listenerOf(
  attack: Attack,
  { onIteration, iterations, restarts }: Settings,
  progress: Progress,
  stage: IterationEvent['stage'],
  fail: (error: unknown) => void,
): Listener | undefined {
  if (!onIteration) return undefined
  return (restart, { iteration, loss, relativeLoss }, best) => {
    const told: unknown = onIteration({
      stage,
      restart,
      iteration,
      limits: { iterations, restarts },
      evaluations: progress.evaluations,
      loss,
      relativeLoss,
      best: best.relativeLoss,
      milliseconds: progress.milliseconds(),
      data: () => attack.dataOf(best.point),
    })
    if (told instanceof Promise) told.catch(fail)
  }
}
