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
