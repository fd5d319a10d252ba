import { vi } from 'vitest'

/**
 * Does some work with a clock of its own, and aborts once another task had so many turns.
 *
 * @param turns of another task before the abort
 * @param tick milliseconds that are over whenever the clock is asked: with 100 every pause is a rest
 * @returns what the work comes to, how many turns the other task had, and how often the clock was asked after the abort
 */
export async function abortedAfter<T>(turns: number, work: (signal: AbortSignal) => Promise<T>, tick = 100) {
  let [clock, taken, late] = [0, 0, 0]
  const abort = new AbortController()
  const now = vi.spyOn(performance, 'now').mockImplementation(() => {
    clock += tick
    if (abort.signal.aborted) late++
    return clock
  })
  const turn = (): void => {
    taken++
    if (taken === turns) abort.abort()
    timer = setTimeout(turn)
  }
  let timer = setTimeout(turn)
  try {
    return { found: await work(abort.signal), taken, late }
  } finally {
    clearTimeout(timer)
    now.mockRestore()
  }
}
