import type { InferenceSession, Tensor } from 'onnxruntime-common'
import { DlgError } from '../../errors'
import { sizeOf } from '../../graph'
import { bindStatic } from '../reference'
import type { Evaluator, Executable, Program, Runtime, Values } from '../runtime'
import { type LoweredProgram, lowerProgram } from './program'
import { leaseSession, type SessionLease } from './sessions'

/** The part of onnxruntime-node and onnxruntime-web that is used. */
export interface OnnxRuntimeModule {
  readonly InferenceSession: {
    create(model: Uint8Array, options?: InferenceSession.SessionOptions): Promise<InferenceSession>
  }
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => Tensor
}

export interface OnnxOptions {
  /** Execution providers in order of preference, as onnxruntime takes them. Default `['cpu']`. */
  executionProviders?: InferenceSession.SessionOptions['executionProviders']
  /** Threads within one operation. Default 1, the fastest for small models. */
  threads?: number
}

/** Compiles programs to ONNX and runs them in a given onnxruntime. */
export function onnxRuntime(load: () => Promise<OnnxRuntimeModule>, options: OnnxOptions = {}): Runtime {
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
        executionProviders,
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
          throw new DlgError('runtime', `onnxruntime could not compile the graph: ${(cause as Error).message}`, { cause })
        }
      })
      return executable(runtime, ort, lease, program, lowered)
    },
  }
}

function executable(
  runtime: string,
  ort: OnnxRuntimeModule,
  lease: SessionLease,
  program: Program,
  lowered: LoweredProgram,
): Executable {
  return {
    runtime,
    readsInPlace: true,
    async bind(parameters) {
      const values = bindStatic(lowered.bound, parameters)
      const feeds: Record<string, Tensor> = {}
      for (const { node, name } of lowered.fed)
        feeds[name] = new ort.Tensor('float32', Float32Array.from(values.get(node)!), node.shape)
      return evaluator(ort, lease.session, program, lowered, feeds)
    },
    dispose() {
      lease.release()
    },
  }
}

function evaluator(
  ort: OnnxRuntimeModule,
  session: InferenceSession,
  program: Program,
  { inputs, used, outputs }: LoweredProgram,
  bound: Readonly<Record<string, Tensor>>,
): Evaluator {
  return {
    async run(values: readonly Values[]) {
      const feeds = { ...bound }
      inputs.forEach(({ node, name }, i) => {
        if (values[i].length !== sizeOf(node.shape))
          throw new DlgError('runtime', `input ${i} needs ${sizeOf(node.shape)} values, got ${values[i].length}`)
        if (used.has(name)) feeds[name] = new ort.Tensor('float32', toFloat32(values[i]), node.shape)
      })
      const results = await session.run(feeds)
      return program.outputs.map((_, i) => results[outputs[i].name].data as Float32Array)
    },
    dispose() {},
  }
}

/** Values as float32; an array that is float32 already is read in place. */
const toFloat32 = (values: Values): Float32Array =>
  values instanceof Float32Array ? values : Float32Array.from(values)
