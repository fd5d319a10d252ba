import { pauses } from '../contract/pause'

/**
 * Says what is done before the first number moves, in words, as each part of it begins. Timers, messages and signals of the thread run first, where the
 * parts before took long.
 */
export type Preparing = (words: string) => Promise<void>

/** @param told hears the words */
export function preparation(told?: (words: string) => void): Preparing {
  const pause = pauses(() => true)
  return async (words) => {
    await pause()
    told?.(words)
  }
}
