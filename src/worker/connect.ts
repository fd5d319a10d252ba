import { type Remote as Proxied, proxy, wrap } from 'comlink'
import { DlgError } from '../errors/dlg-error'
import { endpointOf } from './endpoint'
import { crossed, uncrossed } from './errors'
import { pack } from './pack'
import type { Answer, Protocol, Served, Tell, WorkerEndpoint } from './protocol'
import { unpack } from './unpack'

/** The functions of a worker, as its caller sees them: each returns a promise. */
export type Remote<Functions extends Served> = {
  readonly [Name in keyof Functions]: ReturnType<Functions[Name]> extends Promise<unknown>
    ? Functions[Name]
    : (...args: Parameters<Functions[Name]>) => Promise<ReturnType<Functions[Name]>>
}

/**
 * The functions that a worker serves. A call takes the same arguments, tells the same listeners, obeys the same signal and returns
 * the same result as in this thread.
 *
 * What crosses: numbers, texts, arrays, plain objects, maps, typed arrays, tensors, layers models as topology and weights,
 * AbortSignals, and listeners, which are functions named on…, such as `onIteration`. Other functions cannot; see {@link serve}.
 * The tensors of a result belong to the caller. A `DlgError` of the worker is a `DlgError` here.
 *
 * The worker stays the caller's, who ends it with `terminate()`. A call that is under way then never ends: abort it first.
 *
 * @param worker a Web Worker whose script calls {@link serve}, or a MessagePort to one
 * @throws DlgError `invalid-option` for what is no worker. A call rejects with `runtime` where the worker's script cannot be loaded,
 * with `invalid-option` for a function that cannot cross, and with what the served function throws
 */
export function connect<Functions extends Served>(worker: WorkerEndpoint): Remote<Functions> {
  const far = wrap<Protocol>(endpointOf(worker))
  const failed = failureOf(worker)
  let calls = 0
  return new Proxy({} as Remote<Functions>, {
    get(_, name) {
      // a promise that resolves to this asks for `then`, and tools ask for symbols
      if (typeof name !== 'string' || name === 'then') return undefined
      return (...args: unknown[]) => {
        const call = calls++
        return Promise.race([callFar(far, call, name, args), failed])
      }
    },
  })
}

async function callFar(far: Proxied<Protocol>, call: number, name: string, args: unknown[]): Promise<unknown> {
  const { value, ready, signals, listeners } = pack('arguments', args)
  await ready
  let thrown: { readonly error: unknown } | undefined
  const tell: Tell = async (listener, packed): Promise<Answer> => {
    try {
      const event = await unpack(packed)
      await listeners[listener](...(event.value as unknown[]))
      // nobody reads what a listener returns, which may be anything
      return { value: undefined }
    } catch (error) {
      thrown ??= { error }
      return { error: crossed(error) }
    }
  }
  const aborts = signals.map((_, i) => () => void far.abort(call, i))
  for (const [i, signal] of signals.entries()) signal.addEventListener('abort', aborts[i])
  try {
    const answering = far.call(call, name, value, proxy(tell)).catch(notCloned)
    for (const [i, signal] of signals.entries()) if (signal.aborted) aborts[i]()
    const answer = (await answering) as Answer
    if (thrown) throw thrown.error
    if ('error' in answer) throw uncrossed(answer.error)
    return (await unpack(answer.value)).value
  } finally {
    for (const [i, signal] of signals.entries()) signal.removeEventListener('abort', aborts[i])
  }
}

/** @throws DlgError for numbers of a buffer that was handed to another thread before; other errors are thrown again */
function notCloned(cause: unknown): never {
  if (!(cause instanceof DOMException) || cause.name !== 'DataCloneError') throw cause
  throw new DlgError(
    'invalid-option',
    `the arguments cannot cross to the worker: ${cause.message} Every typed array must still have its buffer`,
    { cause },
  )
}

/** Rejects when the worker's script cannot be loaded or run. */
function failureOf(worker: WorkerEndpoint): Promise<never> {
  const failed = new Promise<never>((_, reject) =>
    worker.addEventListener('error', (event) => {
      const { message = 'its script cannot be loaded' } = event as { message?: string }
      reject(new DlgError('runtime', `the worker failed: ${message}`))
    }),
  )
  // nobody may be waiting
  failed.catch(() => {})
  return failed
}
