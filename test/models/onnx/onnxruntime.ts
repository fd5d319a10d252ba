import { createRequire } from 'node:module'
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-common'
import * as g from '../../../src/graph'
import type { OnnxModel } from '../../../src/models/onnx/model-from-onnx'
import { reference } from '../../../src/runtime/reference'
import { evaluate, type Values } from '../../../src/runtime/runtime'

/** A batch of one input. */
export interface Batch {
  readonly dims: readonly number[]
  readonly values: ArrayLike<number>
  readonly type?: 'float32' | 'int64'
}

/** What onnxruntime computes of a file. */
export async function inOnnxruntime(bytes: Uint8Array, batches: Readonly<Record<string, Batch>>) {
  const ort = createRequire(import.meta.url)('onnxruntime-node') as {
    InferenceSession: { create(bytes: Uint8Array, options: object): Promise<InferenceSession> }
    Tensor: typeof OrtTensor
  }
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 4, graphOptimizationLevel: 'disabled' })
  const feeds = Object.fromEntries(
    Object.entries(batches).map(([name, { dims, values, type = 'float32' }]) => [
      name,
      type === 'int64'
        ? new ort.Tensor('int64', BigInt64Array.from(Array.from(values), BigInt), dims)
        : new ort.Tensor('float32', Float32Array.from(values), dims),
    ]),
  )
  const results = await session.run(feeds)
  return Object.fromEntries(
    Object.entries(results).map(([name, { dims, data }]) => [
      name,
      { dims, values: Float64Array.from(data as ArrayLike<number>, Number) },
    ]),
  )
}

/** A forward pass of a model in our graph, in float64. */
export async function inOurGraph(model: OnnxModel, batches: Readonly<Record<string, Batch>>, training = false) {
  const graph = g.createGraph()
  const captured = new Map<string, Values>()
  const names = Object.keys(model.inputShape)
  const inputs = names.map((name) => g.input(graph, name, batches[name].dims))
  const weights = Object.entries(model.weights).map(([name, { shape }]) => g.parameter(graph, `weight ${name}`, shape))
  const constantOf = (numbers: ArrayLike<number>, shape: g.Shape) => {
    const name = `captured ${captured.size}`
    captured.set(name, Float64Array.from(numbers))
    return g.parameter(graph, name, shape)
  }
  const outputs = model.build({ graph, constantOf }, inputs, weights, training)
  for (const [name, tensor] of Object.entries(model.weights))
    captured.set(`weight ${name}`, tensor.dataSync() as Float32Array)
  const values = await evaluate(
    reference(),
    { inputs, outputs: outputs.map(({ node }) => node) },
    captured,
    names.map((name) => Float64Array.from(batches[name].values)),
  )
  return Object.fromEntries(outputs.map(({ name, node }, i) => [name, { dims: [...node.shape], values: values[i] }]))
}

/** The largest difference between two lists of numbers, in units of the largest number of the second or 1. */
export function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY
  let [worst, scale] = [0, 1]
  for (let i = 0; i < b.length; i++) {
    const d = Object.is(a[i], b[i]) || a[i] === b[i] ? 0 : Math.abs(a[i] - b[i])
    worst = Number.isNaN(d) ? Number.POSITIVE_INFINITY : Math.max(worst, d)
    scale = Math.max(scale, Number.isFinite(b[i]) ? Math.abs(b[i]) : 0)
  }
  return worst / scale
}
