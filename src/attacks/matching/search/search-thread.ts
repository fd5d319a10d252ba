import { parentPort, workerData } from 'node:worker_threads'
import { DlgError } from '../../../errors/dlg-error'
import { onnx, openPortable } from '../../../runtime/onnx/node'
import type { OnnxProgram } from '../../../runtime/onnx/portable'
import { matrixProducts } from '../../../runtime/products'
import { objectiveIn, pulled } from './evaluation'
import { progressIn } from './progress'
import { type Best, type HistoryEntry, search } from './search'
import type { PortableObjective, ThreadAnswer, ThreadRequest, ThreadTask } from './thread-task'

/** This file runs as the entry of a worker thread: it opens the objective and searches from each start it is sent. */
const port = parentPort!
const { objective, settings, progress: shared, listened } = workerData as ThreadTask
const progress = progressIn(shared)
const opened = open(objective)
// a failure is reported when the first start comes
opened.catch(() => {})

port.on('message', (request: ThreadRequest) => {
  if (request === null) void end()
  else void run(request)
})

async function run({ restart, start, leg }: NonNullable<ThreadRequest>): Promise<void> {
  try {
    const { minimised } = await opened
    const all = leg?.pull ? pulled(minimised, leg.pull) : minimised
    const some = { ...settings, iterations: leg?.iterations ?? settings.iterations }
    const trial = await search(all, some, progress, restart, start, listened ? onIteration : undefined)
    answer({ kind: 'trial', trial })
  } catch (error) {
    const { message } = error as Error
    answer({ kind: 'error', code: error instanceof DlgError ? error.code : undefined, message })
  }
}

/** Ends the thread, whether or not the objective could be opened. */
async function end(): Promise<void> {
  await opened.then(({ close }) => close()).catch(() => {})
  port.close()
}

function answer(message: ThreadAnswer): void {
  port.postMessage(message)
}

function onIteration(_restart: number, entry: HistoryEntry, best: Best): void {
  answer({ kind: 'iteration', entry, best })
}

async function open({ program, smoothed, layout, productRows }: PortableObjective) {
  const evaluator = await openPortable(program)
  const smooth = smoothed && (await openPortable(smoothed))
  const unknowns = layout.sizes.reduce((a, b) => a + b, 0)
  const products =
    productRows > 0
      ? await matrixProducts(onnx((program.content as OnnxProgram).options), productRows, unknowns)
      : undefined
  return {
    minimised: objectiveIn(evaluator, layout, products, smooth),
    close() {
      products?.dispose()
      smooth?.dispose()
      evaluator.dispose()
    },
  }
}
