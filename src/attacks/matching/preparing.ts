import { pauses, restBy } from '../contract/pause'

/**
 * Says what is done before the first number moves, in words, as each part of it begins. Timers, messages and signals of the thread run first, where the
 * parts before took long.
 *
 * @throws CUT where the caller has aborted
 */
export type Preparing = (words: string) => Promise<void>

/** @param told hears the words */
export function preparation(told?: (words: string) => void, signal?: AbortSignal): Preparing {
  const rest = restBy(pauses(() => !signal?.aborted))
  return async (words) => {
    await rest()
    told?.(words)
  }
}

/** The reason where the caller aborted while an attack was prepared. */
export const ABORTED = 'aborted before anything was evaluated: there is no best point so far'
