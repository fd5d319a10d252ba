import { parentPort, workerData } from 'node:worker_threads'
import { DlgError, type DlgErrorCode } from './errors'
import { evaluation, type Layout } from './evaluation'
import { openProgress, type Progress } from './progress'
import { onnx, openPortable } from './runtime/onnx/node'
import type { PortableProgram } from './runtime/onnx/portable'
import { matrixProducts } from './runtime/products'
import { type Best, type HistoryEntry, type Objective, type SearchSettings, search, type Trial } from './search'

/** An attack's objective as plain data. */
export interface PortableObjective {
  readonly program: PortableProgram
  readonly layout: Layout
  /** Rows of the products the optimizer can use; 0 when it has no use for them. */
  readonly productRows: number
  readonly samples: Objective['samples']
}

/** What a thread is given when it starts. */
export interface ThreadTask {
  readonly objective: PortableObjective
  readonly settings: SearchSettings
  readonly progress: Pick<Progress, 'started' | 'memory'>
  /** Whether anybody listens to iterations. */
  readonly listened: boolean
}

/** One restart asked for; null ends the thread. */
export type ThreadRequest = { readonly restart: number; readonly start: Float64Array } | null

/** What a thread answers: iterations as they begin, and then the outcome. */
export type ThreadAnswer =
  | { readonly kind: 'iteration'; readonly entry: HistoryEntry; readonly best: Best }
  | { readonly kind: 'trial'; readonly trial: Trial }
  | { readonly kind: 'error'; readonly code?: DlgErrorCode; readonly message: string }

/** This file runs as the entry of a worker thread: it opens the objective and searches from each start it is sent. */
const port = parentPort!
const { objective, settings, progress: shared, listened } = workerData as ThreadTask
const progress = openProgress(settings.restarts, shared)
const opened = open(objective)
// a failure is reported when the first start comes
opened.catch(() => {})

port.on('message', async (request: ThreadRequest) => {
  try {
    const { minimised, close } = await opened
    if (request === null) {
      close()
      port.close()
      return
    }
    const { restart, start } = request
    const trial = await search(minimised, settings, progress, restart, start, listened ? onIteration : undefined)
    answer({ kind: 'trial', trial })
  } catch (error) {
    const { message } = error as Error
    answer({ kind: 'error', code: error instanceof DlgError ? error.code : undefined, message })
  }
})

const answer = (message: ThreadAnswer): void => port.postMessage(message)

function onIteration(_restart: number, entry: HistoryEntry, best: Best): void {
  answer({ kind: 'iteration', entry, best })
}

async function open({ program, layout, productRows, samples }: PortableObjective) {
  const evaluator = await openPortable(program)
  const unknowns = layout.sizes.reduce((a, b) => a + b, 0)
  const products = productRows > 0 ? await matrixProducts(onnx(program.options), productRows, unknowns) : undefined
  const minimised: Objective = {
    hasPriors: layout.priorWeight !== undefined,
    rounding: layout.rounding,
    products,
    samples,
    evaluate: evaluation(evaluator, layout),
  }
  return {
    minimised,
    close() {
      products?.dispose()
      evaluator.dispose()
    },
  }
}
