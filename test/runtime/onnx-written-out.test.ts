import { expect, it } from 'vitest'
import * as g from '../../src/graph'
import { onnxRuntime } from '../../src/runtime/onnx'
import { loadOnnxRuntimeNode } from '../../src/runtime/onnx/node'
import { reference } from '../../src/runtime/reference'
import { evaluate } from '../../src/runtime/runtime'
import { cases } from '../graph/cases'
import { relativeError, uniform } from '../oracle'

// WebGPU's layer norm does not give all its outputs: what is sent to it has none, and runs on onnxruntime-node's CPU as well
it.each(cases.filter(({ name }) => /standardize|inverseDeviation|layer normalization/.test(name)))(
  '$name for WebGPU has no layer norm, and the same values on onnxruntime-node',
  async ({ build, shapes, low = -1, high = 1 }) => {
    const models: Uint8Array[] = []
    const load = async () => {
      const ort = await loadOnnxRuntimeNode()
      const create = (model: Uint8Array, options?: object) => {
        models.push(model)
        return ort.InferenceSession.create(model, { ...options, executionProviders: ['cpu'] })
      }
      return { ...ort, InferenceSession: { create } }
    }
    const graph = g.createGraph()
    const inputs = shapes.map((shape, i) => g.input(graph, `x${i}`, shape))
    const y = build(...inputs)
    const program = { inputs, outputs: [y, ...g.grad(g.inner(y, y), inputs)] }
    const values = shapes.map((shape, i) => uniform(g.sizeOf(shape), low, high, 5 + i))
    const runtime = onnxRuntime(load, { executionProviders: ['webgpu'] }, false, 'written out')
    const actual = await evaluate(runtime, program, new Map(), values)
    const expected = await evaluate(reference(), program, new Map(), values)
    expect(models).toHaveLength(1)
    expect(Buffer.from(models[0]).includes('LayerNormalization')).toBe(false)
    for (const [i, v] of actual.entries()) expect(relativeError(v, expected[i])).toBeLessThan(2e-5)
  },
)
