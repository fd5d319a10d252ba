import { type Node, reachable, sizeOf } from '../../graph'
import { bindStatic, boundValues } from '../reference'
import type { Evaluator, Runtime, Values } from '../runtime'
import {
  checkOnnxOptions,
  createSession,
  evaluatorIn,
  type OnnxOptions,
  type OnnxProgram,
  type OnnxRuntimeModule,
  threadsFor,
} from './portable'
import { type LoweredProgram, lowerProgram } from './program'
import { leaseSession } from './sessions'

/** Most numbers that are built into a model: a protobuf message ends at 2 GB, and is copied on its way. */
const MOST_BUILT_IN = 2 ** 26

/**
 * Providers that compute in the process's own memory. Their layer norms give all their outputs: WebGPU's fail, and CUDA's give one where
 * onnxruntime joins them with the sum before them.
 */
const PROCESSORS: readonly string[] = ['cpu', 'wasm']

/**
 * Most numbers sent to a GPU with every run: a million take 0.5 ms. Where there are more they are built into the model, although
 * another gradient then needs a session of its own.
 */
const MOST_SENT = 2 ** 20

/**
 * Most numbers, 16 MB, for which onnxruntime plans where each lies: that saves 2 to 4 % of the time of small models. The plan is made in the first run
 * and kept beside what that run took, so large ones would take twice the memory.
 */
const MOST_PLANNED = 2 ** 22

/**
 * Multiplications for each node, on average, from which on several threads are faster than one: of two cores both are used 1.4 to 1.6 times as fast as
 * one at 1.8 to 9 million, and 0.7 times at 0.1.
 */
const HEAVY = 1.5e6

/**
 * Compiles programs to ONNX and runs them in a given onnxruntime.
 *
 * @param portable whether other threads can load the same onnxruntime
 * @param module tells one onnxruntime from another: their sessions are kept apart
 */
export function onnxRuntime(
  load: () => Promise<OnnxRuntimeModule>,
  options: OnnxOptions = {},
  portable = false,
  module = load.name,
): Runtime {
  checkOnnxOptions(options)
  return runtimeOn(load, options, portable, module)
}

function runtimeOn(
  load: () => Promise<OnnxRuntimeModule>,
  options: OnnxOptions,
  portable: boolean,
  module: string,
): Runtime {
  const provider = options.executionProviders?.[0] ?? 'cpu'
  const name = typeof provider === 'string' ? provider : provider.name
  const key = JSON.stringify([module, options])
  const onProcessor = PROCESSORS.includes(name)
  const runtime: Runtime = {
    name: 'onnx',
    precision: 'float32',
    async compile(program) {
      const ort = await load()
      const lowered = lowerProgram(program, onProcessor)
      const held: Evaluator[] = []
      return {
        runtime: `onnx:${name}`,
        inPlace: onProcessor ? runtime : besideGpu(),
        async bind(parameters, lasting, opening) {
          const mostSent = onProcessor ? Number.POSITIVE_INFINITY : MOST_SENT
          const program = () => boundProgram(lowered, options, parameters, lasting, mostSent)
          const evaluator = {
            ...(await opened(ort, program(), key, opening)),
            // one of several that run side by side leaves the other cores to them
            portable: portable
              ? () => ({ runtime: 'onnx', content: { ...program(), options: { threads: 1, ...options } } })
              : undefined,
          }
          held.push(evaluator)
          return evaluator
        },
        dispose() {
          for (const evaluator of held.splice(0)) evaluator.dispose()
        },
      }
    },
  }
  // all threads, unless said (0): while the GPU waits, the processor has nothing else to do
  const besideGpu = (): Runtime =>
    runtimeOn(load, { ...options, executionProviders: ['cpu'], threads: options.threads ?? 0 }, portable, module)
  return runtime
}

/** Opens a program in a session of its own, or in one that is kept. Nothing keeps the model, which the session has its own copy of. */
async function opened(
  ort: OnnxRuntimeModule,
  { model, ...program }: OnnxProgram,
  key: string,
  opening?: () => Promise<void>,
): Promise<Evaluator> {
  await opening?.()
  const threads = threadsFor(program)
  const lease = await leaseSession(model, `${key} ${threads}`, (own) => createSession(ort, own, program, threads))
  return { ...evaluatorIn(ort, lease.session, program), dispose: () => lease.release() }
}

/**
 * The model and what it is fed. What depends on lasting parameters alone is built into the model, where onnxruntime
 * lays it out for its kernels; the rest is fed with every run, so that one session serves all its values.
 *
 * @param mostSent most numbers that are fed with every run, where parameters last at all; more are built in as well
 */
function boundProgram(
  { computed, fed, inputs, used, outputs, held, convolves, work, encode }: LoweredProgram,
  options: OnnxOptions,
  parameters: ReadonlyMap<string, Values>,
  lasting: ReadonlySet<string> | undefined,
  mostSent: number,
): OnnxProgram {
  const values = bindStatic(computed, parameters)
  const lasts = new Map<Node, boolean>()
  for (const node of reachable(fed.map((f) => f.node)))
    lasts.set(
      node,
      node.op === 'parameter' ? (lasting?.has(node.attributes.name) ?? false) : node.inputs.every((n) => lasts.get(n)),
    )
  const sent = fed.filter(({ node }) => !lasts.get(node)).reduce((sum, { node }) => sum + sizeOf(node.shape), 0)
  // what runs once is better sent than compiled
  const all = lasting !== undefined && sent > mostSent
  const builtIn = new Map<string, Float32Array>()
  const bound: Record<string, OnnxProgram['bound'][string]> = {}
  let room = MOST_BUILT_IN
  for (const { node, name } of fed) {
    const data = node.op === 'parameter' ? boundValues(node, parameters) : values.get(node)!
    if (data.length <= room && (lasts.get(node) || all)) {
      builtIn.set(name, data instanceof Float32Array ? data : new Float32Array(data))
      room -= data.length
    } else bound[name] = { data: data instanceof Float32Array ? data : new Float32Array(data), shape: node.shape }
  }
  return {
    model: encode(builtIn),
    options,
    bound,
    inputs: inputs.map(({ node, name }) => ({ name: used.has(name) ? name : undefined, shape: node.shape })),
    outputs: outputs.map(({ name }) => name),
    planned: mostSent < Number.POSITIVE_INFINITY || held <= MOST_PLANNED,
    convolves,
    heavy: work >= HEAVY,
  }
}
