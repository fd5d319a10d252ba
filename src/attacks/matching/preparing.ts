import { pauses, restBy } from '../contract/pause'

/**
 * Says what is done before the first number moves, in words, as each part of it begins. Timers, messages and signals of the thread run first, where the
 * parts before took long.
 *
 * @throws CUT where the caller has aborted
 */
export type Preparing = (words: string) => Promise<void>

/** The pause of a part of the preparation that is done in steps. */
export const pauseOf = (preparing: Preparing, words: string) => async (): Promise<boolean> => {
  await preparing(words)
  return false
}

/** Milliseconds between two reports of the same part. */
const OFTEN = 50

/** @param told hears the words, those of a part that goes on every 50 ms */
export function preparation(told?: (words: string) => void, signal?: AbortSignal): Preparing {
  const rest = restBy(pauses(() => !signal?.aborted))
  let before = { words: '', at: 0 }
  return async (words) => {
    await rest()
    const at = performance.now()
    if (words === before.words && at - before.at < OFTEN) return
    before = { words, at }
    told?.(words)
  }
}

/** The reason where the caller aborted while an attack was prepared. */
export const ABORTED = 'aborted before anything was evaluated: there is no best point so far'
