import type { Attack } from './attack'
import { type Progress, search, type Trial } from './search'
import type { Settings } from './settings'

/** Whether no further restart is wanted after this one. */
const isLast = ({ status }: Trial): boolean => status === 'converged' || status === 'aborted' || status === 'budget'

/**
 * Searches from one start after the other until one converges, several at a time when asked.
 *
 * The trials are those that would have run one by one: a restart after the first that converged does not count, even if
 * it was quicker. So the result is the same for every concurrency, save when the work was cut short from outside.
 */
export async function searchAll(attack: Attack, settings: Settings, progress: Progress): Promise<Trial[]> {
  const trials: Trial[] = []
  let [next, end] = [0, settings.restarts]
  const worker = async (): Promise<void> => {
    while (next < end) {
      const restart = next++
      const trial = await search(attack, settings, progress, restart, () => restart >= end)
      trials[restart] = trial
      if (isLast(trial)) end = Math.min(end, restart + 1)
    }
  }
  // nobody waits for the others once one has failed
  const guarded = () =>
    worker().catch((error) => {
      end = 0
      throw error
    })
  const workers = Array.from({ length: Math.min(settings.concurrency, settings.restarts) }, guarded)
  const failures = (await Promise.allSettled(workers)).filter((w) => w.status === 'rejected')
  if (failures.length > 0) throw failures[0].reason
  return trials.slice(0, end)
}
