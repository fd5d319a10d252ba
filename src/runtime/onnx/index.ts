import type { InferenceSession, Tensor } from 'onnxruntime-common'
import { DlgError } from '../../errors'
import { sizeOf } from '../../graph'
import { bindStatic, boundValues } from '../reference'
import type { Evaluator, Executable, Runtime, Values } from '../runtime'
import { type LoweredProgram, lowerProgram } from './program'
import { leaseSession, type SessionLease } from './sessions'
import { createWorkerPool, type WorkerPool, type WorkerTask } from './workers'

type BoundValues = WorkerTask['bound']

/** The part of onnxruntime-node and onnxruntime-web that is used. */
export interface OnnxRuntimeModule {
  readonly InferenceSession: {
    create(model: Uint8Array, options?: InferenceSession.SessionOptions): Promise<InferenceSession>
  }
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => Tensor
}

export interface OnnxOptions {
  /** Execution providers in order of preference, as onnxruntime takes them. Default `['cpu']`. */
  executionProviders?: readonly (string | { readonly name: string })[]
  /** Threads within one operation. Default 1, the fastest for small models. */
  threads?: number
}

/**
 * Compiles programs to ONNX and runs them in a given onnxruntime.
 *
 * @param pool whether parallel runs get worker threads of their own
 */
export function onnxRuntime(load: () => Promise<OnnxRuntimeModule>, options: OnnxOptions = {}, pool = false): Runtime {
  const { executionProviders = ['cpu'], threads = 1 } = options
  const provider = executionProviders[0]
  const runtime = `onnx:${typeof provider === 'string' ? provider : provider?.name}`
  return {
    name: 'onnx',
    precision: 'float32',
    async compile(program) {
      const ort = await load()
      const lowered = lowerProgram(program)
      const sessionOptions: InferenceSession.SessionOptions = {
        executionProviders: executionProviders as InferenceSession.ExecutionProviderConfig[],
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        graphOptimizationLevel: 'all',
        // subnormal numbers are many times slower, and below any gradient that matters
        extra: { session: { set_denormal_as_zero: '1', intra_op: { allow_spinning: '0' } } },
      }
      const lease = await leaseSession(lowered.model, JSON.stringify([load.name, sessionOptions]), async () => {
        try {
          return await ort.InferenceSession.create(lowered.model, sessionOptions)
        } catch (cause) {
          throw new DlgError('runtime', `onnxruntime could not compile the graph: ${(cause as Error).message}`, {
            cause,
          })
        }
      })
      return executable(runtime, ort, lease, lowered, (values) =>
        pool ? workerTask(lowered, sessionOptions, values) : undefined,
      )
    },
  }
}

function executable(
  runtime: string,
  ort: OnnxRuntimeModule,
  lease: SessionLease,
  lowered: LoweredProgram,
  taskOf: (values: BoundValues) => WorkerTask | undefined,
): Executable {
  return {
    runtime,
    readsInPlace: true,
    async bind(parameters, concurrency = 1) {
      const values = bindStatic(lowered.computed, parameters)
      const bound: BoundValues = Object.fromEntries(
        lowered.fed.map(({ node, name }) => {
          // most parameters are read as they come; only what is made of them goes through float64
          const data = node.op === 'parameter' ? boundValues(node, parameters) : values.get(node)!
          return [name, { data: Float32Array.from(data), shape: node.shape }]
        }),
      )
      const task = concurrency > 1 ? taskOf(bound) : undefined
      if (task) return parallelEvaluator(await createWorkerPool(task, concurrency), lowered)
      return evaluator(ort, lease.session, lowered, bound)
    },
    dispose() {
      lease.release()
    },
  }
}

function evaluator(
  ort: OnnxRuntimeModule,
  session: InferenceSession,
  { inputs, used, outputs }: LoweredProgram,
  bound: BoundValues,
): Evaluator {
  const tensors = Object.entries(bound).map(([name, { data, shape }]) => [name, new ort.Tensor('float32', data, shape)])
  const fixed: Record<string, Tensor> = Object.fromEntries(tensors)
  return {
    async run(values: readonly Values[]) {
      requireSizes(inputs, values)
      const feeds = { ...fixed }
      inputs.forEach(({ node, name }, i) => {
        if (used.has(name)) feeds[name] = new ort.Tensor('float32', toFloat32(values[i]), node.shape)
      })
      const results = await session.run(feeds)
      return outputs.map(({ name }) => results[name].data as Float32Array)
    },
    dispose() {},
  }
}

function parallelEvaluator(pool: WorkerPool, { inputs }: LoweredProgram): Evaluator {
  return {
    async run(values) {
      requireSizes(inputs, values)
      return pool.run(values)
    },
    dispose: () => pool.dispose(),
  }
}

function workerTask(
  { model, inputs, used, outputs }: LoweredProgram,
  sessionOptions: InferenceSession.SessionOptions,
  bound: BoundValues,
): WorkerTask {
  return {
    model,
    sessionOptions,
    bound,
    inputs: inputs.map(({ node, name }) => ({ name: used.has(name) ? name : undefined, shape: node.shape })),
    outputs: outputs.map(({ name }) => name),
  }
}

function requireSizes(inputs: LoweredProgram['inputs'], values: readonly Values[]): void {
  inputs.forEach(({ node }, i) => {
    if (values[i]?.length !== sizeOf(node.shape))
      throw new DlgError('runtime', `input ${i} needs ${sizeOf(node.shape)} values, got ${values[i]?.length}`)
  })
}

/** Values as float32; an array that is float32 already is read in place. */
const toFloat32 = (values: Values): Float32Array =>
  values instanceof Float32Array ? values : Float32Array.from(values)
