import { inSteps, type Steps } from '../../numbers/steps'
import type { Control } from './attack'

/** Lets other work run where it has waited for long enough. @returns whether the work is to end */
export type Pause = () => Promise<boolean>

/** Milliseconds of work between two looks at the clock's other users. */
const INTERVAL = 50

/** @param wanted whether the work is still wanted, asked after every rest */
export function pauses(wanted: () => boolean): Pause {
  let rested = performance.now()
  return async () => {
    if (performance.now() - rested >= INTERVAL) {
      await new Promise((resolve) => setTimeout(resolve, 0))
      rested = performance.now()
    }
    return !wanted()
  }
}

/** Milliseconds that a closed form has, however small the budget: before it is done it has nothing to show. */
export const CLOSED_FORM = 200

/**
 * The pause of an attack: the work ends where the caller aborts, and where the milliseconds of the budget are over.
 *
 * @param least milliseconds that no budget takes from it
 */
export function pausesOf({ signal, budget }: Control, started: number, least = 0): Pause {
  const milliseconds = Math.max(least, budget?.milliseconds ?? Number.POSITIVE_INFINITY)
  return pauses(() => !signal?.aborted && performance.now() - started < milliseconds)
}

/** A pause for work that is not ours to begin or to end: it returns, or throws {@link CUT}. */
export const restBy = (pause: Pause) => async (): Promise<void> => {
  if (await pause()) throw CUT
}

/** What {@link paced} throws where the work is no longer wanted. Whoever owns the best so far catches it. */
export const CUT = Symbol('cut')

/** For whoever catches {@link CUT}: nothing came of it. Other errors are thrown again. */
export function nothingIfCut(error: unknown): undefined {
  if (error !== CUT) throw error
}

/** Does work in small parts, and lets other work run between them. @throws CUT */
export async function paced<T>(steps: Steps<T>, pause: Pause): Promise<T> {
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
    if (await pause()) throw CUT
  }
}

/** What work comes to that may be in steps, or is done already. @throws CUT */
export const donePaced = async <T>(work: T | Steps<T>, pause: Pause): Promise<T> =>
  inSteps(work) ? paced(work, pause) : work
