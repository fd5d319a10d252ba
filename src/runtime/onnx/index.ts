import type { InferenceSession, Tensor } from 'onnxruntime-common'
import { DlgError } from '../../errors'
import { type Node, sizeOf } from '../../graph'
import { operands, plan } from '../plan'
import { bindStatic } from '../reference'
import type { Evaluator, Executable, Program, Runtime, Values } from '../runtime'
import { createBuilder } from './builder'
import { lower } from './lower'
import { encodeModel } from './model'

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

/** A program as ONNX: what goes in, in which order, and what comes out. */
interface Lowered {
  readonly model: Uint8Array
  /** Nodes that are computed once, when parameters are bound. */
  readonly bound: readonly Node[]
  /** Bound nodes the model reads. */
  readonly fed: readonly { readonly node: Node; readonly name: string }[]
  readonly inputs: readonly { readonly node: Node; readonly name: string }[]
  /** Names the model reads: an input nothing depends on is not one of its inputs. */
  readonly used: ReadonlySet<string>
  readonly outputs: readonly { readonly node: Node; readonly name: string }[]
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
      const session = await ort.InferenceSession.create(lowered.model, {
        executionProviders,
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        graphOptimizationLevel: 'all',
        // subnormal numbers are many times slower, and below any gradient that matters
        extra: { session: { set_denormal_as_zero: '1', intra_op: { allow_spinning: '0' } } },
      }).catch((cause: Error) => {
        throw new DlgError('runtime', `onnxruntime could not compile the graph: ${cause.message}`, { cause })
      })
      return executable(runtime, ort, session, program, lowered)
    },
  }
}

function executable(
  runtime: string,
  ort: OnnxRuntimeModule,
  session: InferenceSession,
  program: Program,
  lowered: Lowered,
): Executable {
  return {
    runtime,
    readsInPlace: true,
    async bind(parameters) {
      const values = bindStatic(lowered.bound, parameters)
      const feeds: Record<string, Tensor> = {}
      for (const { node, name } of lowered.fed)
        feeds[name] = new ort.Tensor('float32', Float32Array.from(values.get(node)!), node.shape)
      return evaluator(ort, session, program, lowered, feeds)
    },
    dispose() {
      void session.release()
    },
  }
}

function evaluator(
  ort: OnnxRuntimeModule,
  session: InferenceSession,
  program: Program,
  { inputs, used, outputs }: Lowered,
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

function lowerProgram(program: Program): Lowered {
  const { bound, steps } = plan(program)
  const b = createBuilder()
  const inputs = program.inputs.map((node, i) => ({ node: node as Node, name: `x${i}` }))
  for (const { node, name } of inputs) b.define(node, name)
  const read = new Set<Node>([...steps.flatMap(({ node }) => operands(node)), ...program.outputs])
  const fed: { node: Node; name: string }[] = []
  for (const { node } of bound) {
    if (!read.has(node)) continue
    if (node.op === 'constant') b.define(node, b.floats(node.attributes.values, node.shape))
    else {
      const name = `p${fed.length}`
      fed.push({ node, name })
      b.define(node, name)
    }
  }
  for (const { node } of steps) lower(b, node)
  // an output gets a name of its own: it may be an input, or asked for twice
  const outputs = program.outputs.map((node) => ({ node, name: b.emit('Identity', [b.value(node)]) }))
  const value = ({ node, name }: { node: Node; name: string }) => ({ name, shape: node.shape })
  const used = new Set(b.nodes.flatMap((n) => n.inputs))
  const model = encodeModel({
    nodes: b.nodes,
    initializers: b.initializers,
    inputs: [...inputs, ...fed].map(value).filter(({ name }) => used.has(name)),
    outputs: outputs.map(value),
  })
  return {
    model,
    bound: bound.map(({ node }) => node),
    fed: fed.filter(({ name }) => used.has(name)),
    inputs,
    used,
    outputs,
  }
}

/** Values as float32; an array that is float32 already is read in place. */
const toFloat32 = (values: Values): Float32Array =>
  values instanceof Float32Array ? values : Float32Array.from(values)
