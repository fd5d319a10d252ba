import type { Attack } from '../attack'
import type { Settings } from '../options'
import type { IterationEvent } from './options'
import type { Progress } from './progress'
import { type Listener, type RestartOutcome, search } from './search'
import { openThreads } from './threads'

/** Whether the work was cut short from outside, for all restarts. */
export const isCut = ({ status }: Pick<RestartOutcome, 'status'>): boolean =>
  status === 'aborted' || status === 'budget'

/**
 * Searches from one start after the other until one converges, several at a time when asked.
 *
 * The trials are those that would have run one by one: a restart after the first that converged does not count, even if
 * it was quicker. So the result is the same for every concurrency, save when the work was cut short from outside.
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
  let next = 0
  const worker = async (at: number): Promise<void> => {
    while (next < progress.end) {
      const restart = next++
      const start = await attack.start(restart)
      const trial = threads
        ? await threads[at].search(restart, start, listener)
        : await search(attack, settings, progress, restart, start, listener)
      trials[restart] = trial
      if (trial.status === 'converged') progress.end = Math.min(progress.end, restart + 1)
      if (isCut(trial)) next = settings.restarts
    }
  }
  const cancel = () => {
    progress.cancelled = true
  }
  settings.signal?.addEventListener('abort', cancel)
  if (settings.signal?.aborted) cancel()
  try {
    await Promise.all(Array.from({ length: count }, (_, at) => worker(at).catch(fail)))
    if (failure) throw failure.error
    return trials.slice(0, progress.end)
  } finally {
    settings.signal?.removeEventListener('abort', cancel)
    await Promise.all(threads?.map((thread) => thread.close()) ?? [])
  }
}

/** Shortest time, in milliseconds, between two reports of certainty: its single steps take up to three times as long. */
const OFTEN = 25

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
