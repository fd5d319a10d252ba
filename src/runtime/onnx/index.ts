import { type Node, reachable } from '../../graph'
import { bindStatic, boundValues } from '../reference'
import type { Evaluator, Runtime, Values } from '../runtime'
import {
  checkOnnxOptions,
  createSession,
  evaluatorIn,
  type OnnxOptions,
  type OnnxProgram,
  type OnnxRuntimeModule,
} from './portable'
import { type LoweredProgram, lowerProgram } from './program'
import { leaseSession } from './sessions'

/** Most numbers that are built into a model: a protobuf message ends at 2 GB, and is copied on its way. */
const MOST_BUILT_IN = 2 ** 26

/** Providers whose layer norms were seen to give all their outputs: WebGPU's fail, alone or joined with the sum before them. */
const FUSED: readonly string[] = ['cpu', 'wasm']

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
  const provider = options.executionProviders?.[0] ?? 'cpu'
  const name = typeof provider === 'string' ? provider : provider.name
  const key = JSON.stringify([module, options])
  return {
    name: 'onnx',
    precision: 'float32',
    async compile(program) {
      const ort = await load()
      const lowered = lowerProgram(program, FUSED.includes(name))
      const held: Evaluator[] = []
      return {
        runtime: `onnx:${name}`,
        readsInPlace: true,
        async bind(parameters, lasting) {
          const bound = boundProgram(lowered, options, parameters, lasting)
          const lease = await leaseSession(bound.model, key, () => createSession(ort, bound.model, options))
          const evaluator = {
            ...evaluatorIn(ort, lease.session, bound),
            portable: portable ? { runtime: 'onnx', content: bound } : undefined,
            dispose: () => lease.release(),
          }
          held.push(evaluator)
          return evaluator
        },
        dispose() {
          for (const evaluator of held) evaluator.dispose()
        },
      }
    },
  }
}

/**
 * The model and what it is fed. What depends on lasting parameters alone is built into the model, where onnxruntime
 * lays it out for its kernels; the rest is fed with every run, so that one session serves all its values.
 */
function boundProgram(
  { computed, fed, inputs, used, outputs, encode }: LoweredProgram,
  options: OnnxOptions,
  parameters: ReadonlyMap<string, Values>,
  lasting: ReadonlySet<string> = new Set(),
): OnnxProgram {
  const values = bindStatic(computed, parameters)
  const lasts = new Map<Node, boolean>()
  for (const node of reachable(fed.map((f) => f.node)))
    lasts.set(
      node,
      node.op === 'parameter' ? lasting.has(node.attributes.name) : node.inputs.every((n) => lasts.get(n)),
    )
  const builtIn = new Map<string, Float32Array>()
  const bound: Record<string, OnnxProgram['bound'][string]> = {}
  let room = MOST_BUILT_IN
  for (const { node, name } of fed) {
    const data = node.op === 'parameter' ? boundValues(node, parameters) : values.get(node)!
    if (data.length <= room && lasts.get(node)) {
      builtIn.set(name, data instanceof Float32Array ? data : new Float32Array(data))
      room -= data.length
    } else bound[name] = { data: new Float32Array(data), shape: node.shape }
  }
  return {
    model: encode(builtIn),
    options,
    bound,
    inputs: inputs.map(({ node, name }) => ({ name: used.has(name) ? name : undefined, shape: node.shape })),
    outputs: outputs.map(({ name }) => name),
  }
}
