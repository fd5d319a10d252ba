import type { Redis } from 'ioredis'
import { PREFIX } from './announced'
import { loadBullmq } from './link'

/** Milliseconds after which the trial of a worker that says nothing goes back into the queue. */
export const LOCK_MS = 10_000

/** Times that a trial may end its worker before it counts as broken. */
const MOST_STALLS = 3

/** Puts the trials of workers that are gone back into the queue, until it is closed. */
export async function returnLapsed(redis: Redis, plan: string): Promise<{ close(): Promise<void> }> {
  const { Worker } = await loadBullmq()
  // without a processor it takes no trial
  const worker = new Worker(plan, null, {
    ...{ connection: redis, prefix: PREFIX },
    ...{ stalledInterval: LOCK_MS / 2, maxStalledCount: MOST_STALLS },
  })
  worker.on('error', () => {})
  await worker.startStalledCheckTimer()
  return { close: () => worker.close(true).catch(() => {}) }
}
