import type { InferenceSession } from 'onnxruntime-common'
import { DlgError } from '../../errors'
import type { Values } from '../runtime'

/** What a worker needs to run a bound program. */
export interface WorkerTask {
  readonly model: Uint8Array
  readonly sessionOptions: InferenceSession.SessionOptions
  /** Bound tensors by name. */
  readonly bound: Readonly<Record<string, { readonly data: Float32Array; readonly shape: readonly number[] }>>
  /** Names and shapes of the inputs, in order; those without a name are not read. */
  readonly inputs: readonly { readonly name: string | undefined; readonly shape: readonly number[] }[]
  readonly outputs: readonly string[]
}

/** Runs a program on several threads: as many evaluations at a time as there are workers. */
export interface WorkerPool {
  run(values: readonly Values[]): Promise<Float32Array[]>
  dispose(): void
}

// onnxruntime-node computes on the thread that calls it, whatever its promises say: parallel runs need threads of their own
const SOURCE = `
const { parentPort, workerData } = require('node:worker_threads')
const { path, task } = workerData
const ort = require(path)
const tensor = (data, shape) => new ort.Tensor('float32', data, shape)
const bound = Object.fromEntries(Object.entries(task.bound).map(([name, { data, shape }]) => [name, tensor(data, shape)]))
const ready = ort.InferenceSession.create(task.model, task.sessionOptions)
parentPort.on('message', async (values) => {
  try {
    const session = await ready
    const feeds = { ...bound }
    task.inputs.forEach(({ name, shape }, i) => { if (name) feeds[name] = tensor(values[i], shape) })
    const results = await session.run(feeds)
    const outputs = task.outputs.map((name) => results[name].data.slice())
    parentPort.postMessage({ outputs }, outputs.map((v) => v.buffer))
  } catch (error) {
    parentPort.postMessage({ error: error.message })
  }
})
`

interface Job {
  readonly values: Float32Array[]
  resolve(outputs: Float32Array[]): void
  reject(error: Error): void
}

/** Starts `count` workers that each hold the program. Node only. */
export async function createWorkerPool(task: WorkerTask, count: number): Promise<WorkerPool> {
  const [{ Worker }, { createRequire }, { pathToFileURL }] = await Promise.all([
    import('node:worker_threads'),
    import('node:module'),
    import('node:url'),
  ])
  const path = createRequire(typeof __filename === 'string' ? pathToFileURL(__filename) : import.meta.url).resolve(
    'onnxruntime-node',
  )
  const waiting: Job[] = []
  const idle: InstanceType<typeof Worker>[] = []
  const running = new Map<InstanceType<typeof Worker>, Job>()

  const next = (): void => {
    while (idle.length > 0 && waiting.length > 0) {
      const worker = idle.pop()!
      const job = waiting.shift()!
      running.set(worker, job)
      worker.postMessage(job.values)
    }
  }
  const fail = (worker: InstanceType<typeof Worker>, message: string): void => {
    running.get(worker)?.reject(new DlgError('runtime', `an onnxruntime worker failed: ${message}`))
    running.delete(worker)
  }
  const workers = Array.from({ length: count }, () => {
    const worker = new Worker(SOURCE, { eval: true, workerData: { path, task } })
    worker.on('message', ({ outputs, error }: { outputs?: Float32Array[]; error?: string }) => {
      if (error !== undefined) fail(worker, error)
      else running.get(worker)?.resolve(outputs!)
      running.delete(worker)
      idle.push(worker)
      next()
    })
    worker.on('error', (error) => fail(worker, error.message))
    idle.push(worker)
    return worker
  })

  return {
    run: (values) =>
      new Promise((resolve, reject) => {
        waiting.push({ values: values.map((v) => Float32Array.from(v)), resolve, reject })
        next()
      }),
    dispose() {
      for (const worker of workers) void worker.terminate()
      for (const job of [...running.values(), ...waiting.splice(0)])
        job.reject(new DlgError('runtime', 'the runtime was disposed'))
    },
  }
}
