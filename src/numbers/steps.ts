/** Work in small parts: it yields between them, and the caller decides whether and when it goes on. */
export type Steps<T> = Generator<void, T, void>

/** Does all of the work at once. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
  }
}

/** Whether a function gave its work in steps, in place of what it comes to. */
export const inSteps = <T>(given: T | Steps<T>): given is Steps<T> =>
  typeof (given as Steps<T> | undefined)?.next === 'function'
