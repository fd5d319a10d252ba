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

/** A model in our graph, with every value that runs it. */
export function built(model: OnnxModel, batches: Readonly<Record<string, Batch>>, training = false) {
  const graph = g.createGraph()
  const parameters = new Map<string, Values>()
  const names = Object.keys(model.inputShape)
  const inputs = names.map((name) => g.input(graph, name, batches[name].dims))
  const weights = Object.entries(model.weights).map(([name, { shape }]) => g.parameter(graph, `weight ${name}`, shape))
  const constantOf = (numbers: ArrayLike<number>, shape: g.Shape) => {
    const name = `captured ${parameters.size}`
    parameters.set(name, Float64Array.from(numbers))
    return g.parameter(graph, name, shape)
  }
  const outputs = model.build({ graph, constantOf }, inputs, weights, training)
  for (const [name, tensor] of Object.entries(model.weights))
    parameters.set(`weight ${name}`, Float64Array.from(tensor.dataSync()))
  const values = names.map((name) => Float64Array.from(batches[name].values))
  return { graph, inputs, weights, outputs, parameters, values }
}

/** A forward pass of a model in our graph, in float64. */
export async function inOurGraph(model: OnnxModel, batches: Readonly<Record<string, Batch>>, training = false) {
  const { inputs, outputs, parameters, values } = built(model, batches, training)
  const results = await evaluate(reference(), { inputs, outputs: outputs.map(({ node }) => node) }, parameters, values)
  return Object.fromEntries(outputs.map(({ name, node }, i) => [name, { dims: [...node.shape], values: results[i] }]))
}

/** The slope of a fixed sum of all outputs along a fixed direction of inputs and weights: by our derivative, and by finite differences. */
export async function slopes(model: OnnxModel, batches: Readonly<Record<string, Batch>>) {
  const { inputs, weights, outputs, parameters, values } = built(model, batches)
  const wave = (count: number, phase: number) =>
    Float64Array.from({ length: count }, (_, i) => Math.cos(1.7 * i + phase))
  const parts = outputs.map(({ node }, k) => {
    const factor = g.parameter(node.graph, `factor ${k}`, node.shape)
    parameters.set(`factor ${k}`, wave(g.sizeOf(node.shape), k))
    return g.sum(g.mul(node, factor))
  })
  const loss = g.reshape(parts.map((part) => g.reshape(part, [])).reduce(g.add), [])
  const leaves = [...inputs, ...weights]
  const directions = leaves.map((leaf, k) => wave(g.sizeOf(leaf.shape), 0.3 + k))
  const gradients = await evaluate(reference(), { inputs, outputs: g.grad(loss, leaves) }, parameters, values)
  const ours = gradients.reduce((sum, of, k) => sum + directions[k].reduce((s, v, i) => s + v * of[i], 0), 0)
  const at = async (h: number) => {
    const moved = (from: Values, k: number) => Float64Array.from(from, (v, i) => v + h * directions[k][i])
    const bound = new Map(parameters)
    weights.forEach((w, i) => {
      bound.set(w.attributes.name, moved(parameters.get(w.attributes.name)!, inputs.length + i))
    })
    const [[value]] = await evaluate(reference(), { inputs, outputs: [loss] }, bound, values.map(moved))
    return value
  }
  const h = 1e-5
  return { ours, differences: ((await at(h)) - (await at(-h))) / (2 * h) }
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
