/** A listener of the caller's, as an attack tells it: what it fails with ends the work, and is thrown as it is. */
export interface Listening<Event> {
  /** Undefined where nobody listens. @throws what the listener throws, or failed with before */
  readonly tell: ((event: Event) => void) | undefined
  /** @throws what the listener failed with, whatever was made of it meanwhile */
  check(): void
}

/** Listens on behalf of a function that may be async: what it fails with later is thrown when it is told of something again. */
export function listening<Event>(listener: ((event: Event) => unknown) | undefined): Listening<Event> {
  let failure: { readonly error: unknown } | undefined
  const failed = (error: unknown): void => {
    failure ??= { error }
  }
  const check = (): void => {
    if (failure) throw failure.error
  }
  const tell = (event: Event): void => {
    check()
    try {
      const answer = listener!(event)
      if (answer instanceof Promise) answer.catch(failed)
    } catch (error) {
      failed(error)
      throw error
    }
  }
  return { tell: listener && tell, check }
}

/**
 * Does work that tells a listener. What the listener fails with is thrown in place of what came of the work.
 *
 * @param free frees what nobody gets then
 */
export async function heardBy<Event, T>(
  listener: ((event: Event) => unknown) | undefined,
  work: (tell: ((event: Event) => void) | undefined) => Promise<T>,
  free: (result: T) => void = () => {},
): Promise<T> {
  const { tell, check } = listening(listener)
  let result: T
  try {
    result = await work(tell)
  } catch (error) {
    check()
    throw error
  }
  try {
    check()
  } catch (error) {
    free(result)
    throw error
  }
  return result
}
