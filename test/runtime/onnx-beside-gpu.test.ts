import { expect, it } from 'vitest'
import * as g from '../../src/graph'
import { onnxRuntime } from '../../src/runtime/onnx'
import { loadOnnxRuntimeNode } from '../../src/runtime/onnx/node'
import type { OnnxOptions } from '../../src/runtime/onnx/portable'
import { matrixProducts } from '../../src/runtime/products'
import type { Program } from '../../src/runtime/runtime'
import { uniform } from '../oracle'

interface Created {
  readonly providers: unknown
  readonly threads: unknown
  readonly bytes: number
}

/** A runtime for a GPU whose sessions the CPU runs, and what each of them was made of. */
function pretendedGpu(options: OnnxOptions, name: string) {
  const created: Created[] = []
  const load = async () => {
    const ort = await loadOnnxRuntimeNode()
    const create = (model: Uint8Array, given: Record<string, unknown> = {}) => {
      const { executionProviders: providers, intraOpNumThreads: threads } = given
      created.push({ providers, threads, bytes: model.length })
      return ort.InferenceSession.create(model, { ...given, executionProviders: ['cpu'] })
    }
    return { ...ort, InferenceSession: { create } }
  }
  return { created, runtime: onnxRuntime(load, { executionProviders: ['cuda'], ...options }, false, name) }
}

/** Σ x·b, where b is a parameter that does not last. */
function program(size: number): Program {
  const graph = g.createGraph()
  const x = g.input(graph, 'x', [size])
  const b = g.parameter(graph, 'b', [size])
  return { inputs: [x], outputs: [g.inner(x, b)] }
}

it.each([
  { size: 2 ** 20 + 1, lasting: new Set<string>(), sessions: 2, within: true },
  // runs once
  { size: 2 ** 20 + 2, lasting: undefined, sessions: 1, within: false },
  { size: 2 ** 10, lasting: new Set<string>(), sessions: 1, within: false },
])('onnxruntime-node on a GPU: $size shared numbers make $sessions session(s) of two gradients', async (given) => {
  const { size, lasting, sessions, within } = given
  const { created, runtime } = pretendedGpu({}, `sent ${size}`)
  const executable = await runtime.compile(program(size))
  for (const at of [1, 2]) {
    const shared = new Float32Array(size).fill(at)
    const evaluator = await executable.bind(new Map([['b', shared]]), lasting)
    const [[sum]] = await evaluator.run([new Float32Array(size).fill(2)])
    expect(sum).toBeCloseTo(2 * at * size, -1)
    evaluator.dispose()
  }
  expect(created).toHaveLength(sessions)
  expect(created[0].bytes > 4 * size).toBe(within)
  executable.dispose()
})

it.each([
  { threads: undefined, used: 0 },
  { threads: 2, used: 2 },
])(
  'onnxruntime-node beside a GPU multiplies with the history on the CPU, with $used threads of $threads',
  async (given) => {
    const { created, runtime } = pretendedGpu(given.threads ? { threads: given.threads } : {}, `history ${given.used}`)
    const { inPlace } = await runtime.compile(program(4))
    const [rows, columns] = [3, 5]
    const products = await matrixProducts(inPlace!, rows, columns)
    const [matrix, vector] = [uniform(rows * columns, -1, 1, 1), uniform(columns, -1, 1, 2)]
    const product = await products.multiply(Float32Array.from(matrix), Float32Array.from(vector))
    for (let r = 0; r < rows; r++) {
      const expected = vector.reduce((sum, v, c) => sum + v * matrix[r * columns + c], 0)
      expect(product[r]).toBeCloseTo(expected, 5)
    }
    expect(created.map(({ providers }) => providers)).toEqual([['cpu'], ['cpu']])
    expect(created.map(({ threads }) => threads)).toEqual([given.used, given.used])
    products.dispose()
  },
)
