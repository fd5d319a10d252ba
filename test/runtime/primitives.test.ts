import '@tensorflow/tfjs-backend-cpu'
import '@tensorflow/tfjs-backend-wasm'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import * as g from '../../src/graph'
import { onnx } from '../../src/runtime/onnx/node'
import { reference } from '../../src/runtime/reference'
import { evaluate } from '../../src/runtime/runtime'
import { tfjs } from '../../src/runtime/tfjs'
import { type Case, cases } from '../graph/cases'
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

// webgl throws at such a pad, and webgpu leaves garbage without an error; neither runs here
it('pads no tensor of more than four axes on tfjs', async () => {
  await tf.setBackend('cpu')
  const kernel = tf.getKernel('PadV2', 'cpu')
  let most = 0
  tf.unregisterKernel('PadV2', 'cpu')
  tf.registerKernel({
    ...kernel,
    kernelFunc(call) {
      most = Math.max(most, (call.inputs.x as tf.TensorInfo).shape.length)
      return kernel.kernelFunc(call)
    },
  })
  try {
    const pools = [1, 2].map(
      (stride): Case => ({
        name: 'pool',
        build: (x) => [0, 1, 2].map((k) => g.slice(x, [0, 0, 0, k], [1, 2, 4, 2], [1, 1, 1, stride])).reduce(g.maximum),
        shapes: [[1, 2, 4, 6]],
      }),
    )
    for (const { build, shapes, low = -1, high = 1 } of [...cases, ...pools]) {
      const graph = g.createGraph()
      const inputs = shapes.map((shape, i) => g.input(graph, `x${i}`, shape))
      const first = g.grad(g.sum(g.square(build(...inputs))), inputs)
      const second = g.grad(first.map((n) => g.inner(n, n)).reduce(g.add), inputs)
      const values = shapes.map((shape, i) => uniform(g.sizeOf(shape), low, high, 11 * i + 3))
      await evaluate(tfjs(), { inputs, outputs: [...first, ...second] }, new Map(), values)
    }
  } finally {
    tf.unregisterKernel('PadV2', 'cpu')
    tf.registerKernel(kernel)
  }
  expect(most).toBeGreaterThan(0)
  expect(most).toBeLessThanOrEqual(4)
})
