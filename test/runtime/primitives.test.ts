import '@tensorflow/tfjs-backend-cpu'
import '@tensorflow/tfjs-backend-wasm'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import * as g from '../../src/graph'
import { onnx } from '../../src/runtime/onnx/node'
import { reference } from '../../src/runtime/reference'
import { evaluate } from '../../src/runtime/runtime'
import { tfjs } from '../../src/runtime/tfjs'
import { cases } from '../graph/cases'
import { relativeError, uniform } from '../oracle'

const runtimes = [
  { name: 'tfjs cpu', backend: 'cpu', runtime: tfjs() },
  { name: 'tfjs wasm', backend: 'wasm', runtime: tfjs() },
  { name: 'onnxruntime-node', backend: 'cpu', runtime: onnx() },
]

describe.each(runtimes)('every primitive and its derivatives on $name equal the reference', ({ backend, runtime }) => {
  beforeAll(async () => {
    await tf.setBackend(backend)
  })

  it.each(cases)('$name', async ({ build, shapes, low = -1, high = 1 }) => {
    const graph = g.createGraph()
    const inputs = shapes.map((shape, i) => g.input(graph, `x${i}`, shape))
    const y = build(...inputs)
    const first = g.grad(g.inner(y, y), inputs)
    const second = g.grad(first.map((n) => g.inner(n, n)).reduce(g.add), inputs)
    const program = { inputs, outputs: [y, ...first, ...second] }
    const values = shapes.map((shape, i) => uniform(g.sizeOf(shape), low, high, 11 * i + 3))
    const before = tf.memory().numTensors
    const actual = await evaluate(runtime, program, new Map(), values)
    const expected = await evaluate(reference(), program, new Map(), values)
    expect(tf.memory().numTensors).toBe(before)
    actual.forEach((v, i) => {
      expect(relativeError(v, expected[i])).toBeLessThan(2e-5)
    })
  })
})
