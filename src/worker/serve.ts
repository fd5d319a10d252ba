import { dispose } from '@tensorflow/tfjs-core'
import { expose, type Remote, releaseProxy } from 'comlink'
import { hasMethod, requireObject, show } from '../errors/checks'
import { DlgError } from '../errors/dlg-error'
import { endpointOf } from './endpoint'
import { crossed } from './errors'
import { pack } from './pack'
import type { Answer, Protocol, Served, Tell, WorkerEndpoint } from './protocol'
import { unpack } from './unpack'

/**
 * Serves functions from inside a Web Worker, to whoever has called {@link connect} with it.
 *
 * Tensors and models among the arguments are made in the worker, and freed when the call ends. A result is handed over: its tensors
 * are freed in the worker, and its `dispose()` is called there. A function of the library, or one of your own, is served as it is: models, optimizers and
 * criteria that are functions are built there.
 *
 * @param functions by name; or a promise of them, where a backend must be started first
 * @param endpoint a MessagePort, where the functions are not to be served to the thread that has started the worker
 * @throws DlgError `invalid-option` for what is no object of functions; `runtime` outside a worker, without a port
 */
export function serve(functions: Served | Promise<Served>, endpoint?: WorkerEndpoint): void {
  if (!(functions instanceof Promise)) requireFunctions(functions)
  const running = new Map<number, (signal: number) => AbortController>()
  const served: Protocol = {
    async call(call, name, args, tell) {
      // before anything is awaited: an abort may be on its way already
      const controllerOf = controllersByNumber()
      running.set(call, controllerOf)
      const far = {
        signal(index: number, aborted: boolean): AbortSignal {
          if (aborted) controllerOf(index).abort()
          return controllerOf(index).signal
        },
        listener: (index: number) => listenerOf(index, tell),
      }
      try {
        const own = requireFunctions(await functions)
        if (!Object.hasOwn(own, name))
          throw new DlgError(
            'invalid-option',
            `the worker serves no '${name}'; it serves ${Object.keys(own).join(', ')}`,
          )
        return { value: await answerOf(own[name], args, far) }
      } catch (error) {
        return { error: crossed(error) }
      } finally {
        running.delete(call)
        ;(tell as Remote<Tell>)[releaseProxy]()
      }
    },
    abort: (call, signal) => running.get(call)?.(signal).abort(),
  }
  expose(served, endpointOf(endpoint ?? ownEndpoint()))
}

/** A controller for each signal of a call, made when it is first asked for. */
function controllersByNumber(): (signal: number) => AbortController {
  const made: AbortController[] = []
  return (signal) => {
    made[signal] ??= new AbortController()
    return made[signal]
  }
}

/** The result, packed. Frees the arguments, and the tensors of the result. */
async function answerOf(work: Served[string], packed: unknown, far: Parameters<typeof unpack>[1]): Promise<unknown> {
  const args = await unpack(packed, far)
  try {
    const result = await work(...(args.value as unknown[]))
    const parcel = pack('result', result)
    await parcel.ready
    for (const free of parcel.disposers) free()
    dispose(parcel.tensors.filter((t) => !t.isDisposed))
    return parcel.value
  } finally {
    dispose(args.tensors.filter((t) => !t.isDisposed))
    for (const model of args.models) model.dispose()
  }
}

/** Tells the page of an event. A promise: what the listener throws comes back, and ends an attack. */
function listenerOf(index: number, tell: Tell): (...args: unknown[]) => Promise<void> {
  return (...args) => {
    const parcel = pack('event', args)
    const told = (async () => {
      await parcel.ready
      const answer = (await tell(index, parcel.value)) as Answer
      if ('error' in answer) throw new Error(answer.error.message)
    })()
    // an attack that does not look at it must not end the worker
    told.catch(() => {})
    return told
  }
}

function requireFunctions(functions: Served): Served {
  requireObject('the functions', functions, 'an object of functions', 'invalid-option')
  const wrong = Object.entries(functions).find(([, value]) => typeof value !== 'function')
  if (wrong || Object.keys(functions).length === 0)
    throw new DlgError(
      'invalid-option',
      wrong ? `the functions have ${show(wrong[1])} as '${wrong[0]}'; it must be a function` : 'no function was given',
    )
  return functions
}

function ownEndpoint(): WorkerEndpoint {
  const own = globalThis as unknown as WorkerEndpoint
  if (typeof document !== 'undefined' || !hasMethod(own, 'postMessage', 'addEventListener'))
    throw new DlgError('runtime', 'serve() must run inside a Web Worker, or be given a MessagePort')
  return own
}
