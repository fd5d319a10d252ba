import { DlgError } from '../../../errors/dlg-error'
import type { Settings } from '../options'
import type { Progress } from './progress'
import type { Listener, RestartOutcome } from './search'
import type { Leg, PortableObjective, ThreadAnswer, ThreadRequest, ThreadTask } from './thread-task'

/** Runs searches on a thread of its own, one after the other. */
export interface SearchThread {
  search(restart: number, start: Float64Array, listener: Listener | undefined, leg?: Leg): Promise<RestartOutcome>
  close(): Promise<void>
}

/**
 * Starts threads that each hold the objective: onnxruntime-node computes on the thread that calls it, whatever its promises
 * say, so searches run side by side on threads of their own.
 *
 * @returns undefined where there are no such threads: in a browser, in a bundle without the thread's file, or for an
 * optimizer of the caller's, which is a function of this thread
 */
export async function openThreads(
  portable: (() => PortableObjective) | undefined,
  settings: Settings,
  progress: Progress,
  count: number,
): Promise<SearchThread[] | undefined> {
  if (!portable || 'init' in settings.optimizer) return undefined
  const [{ Worker }, { existsSync }, { fileURLToPath, pathToFileURL }] = await Promise.all([
    import('node:worker_threads'),
    import('node:fs'),
    import('node:url'),
  ])
  const here = typeof __filename === 'string' ? pathToFileURL(__filename).href : import.meta.url
  const file = new URL(here.replace(/[^/]*(\.\w+)$/, 'search-thread$1'))
  if (file.protocol !== 'file:' || !existsSync(fileURLToPath(file))) return undefined
  const { optimizer, preset, iterations, patience, tolerance, priorEasing, dull, budget } = settings
  const task: ThreadTask = {
    objective: portable(),
    settings: { optimizer, preset, iterations, patience, tolerance, priorEasing, dull, budget },
    progress: { started: progress.started, memory: progress.memory },
    listened: settings.onIteration !== undefined,
  }
  const path = fileURLToPath(file)
  // beside the source lies TypeScript, which a thread does not load by itself
  const start = (): Worker =>
    path.endsWith('.ts')
      ? new Worker(`require('tsx/cjs'); require(${JSON.stringify(path)})`, { eval: true, workerData: task })
      : new Worker(file, { workerData: task })
  const threads: SearchThread[] = []
  try {
    while (threads.length < count) threads.push(searchThread(start()))
    return threads
  } catch (cause) {
    await Promise.all(threads.map((thread) => thread.close()))
    throw new DlgError('runtime', `a search thread could not be started: ${(cause as Error).message}`, { cause })
  }
}

type Worker = import('node:worker_threads').Worker

function searchThread(worker: Worker): SearchThread {
  let reason = 'no reason given'
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
  worker.on('error', (error) => {
    reason = error.message
  })
  const send = (request: ThreadRequest): void => worker.postMessage(request)
  return {
    async search(restart, start, listener, leg) {
      const answers = answersOf(worker, restart, listener)
      const failed = ended.then(() => {
        throw new DlgError('runtime', `a search thread ended: ${reason}`)
      })
      send({ restart, start, leg })
      try {
        return await Promise.race([answers.trial, failed])
      } finally {
        answers.stop()
      }
    },
    async close() {
      send(null)
      await ended
    },
  }
}

/** The outcome of the restart under way; iterations are told as they come. */
function answersOf(worker: Worker, restart: number, listener: Listener | undefined) {
  let stop = (): void => {}
  const trial = new Promise<RestartOutcome>((resolve, reject) => {
    const onAnswer = (answer: ThreadAnswer): void => {
      if (answer.kind === 'trial') resolve(answer.trial)
      else if (answer.kind === 'error') reject(errorOf(answer))
      else
        try {
          listener?.(restart, answer.entry, answer.best)
        } catch (error) {
          reject(error)
        }
    }
    worker.on('message', onAnswer)
    stop = () => worker.off('message', onAnswer)
  })
  return { trial, stop }
}

const errorOf = ({ code, message }: ThreadAnswer & { kind: 'error' }): Error =>
  code ? new DlgError(code, message) : new Error(message)
