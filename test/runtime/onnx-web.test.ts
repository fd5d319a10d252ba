import * as tf from '@tensorflow/tfjs-core'
import * as ort from 'onnxruntime-web'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { DlgError, deepLeakage, gradientsOf } from '../../src'
import * as g from '../../src/graph'
import { chooseRuntime } from '../../src/runtime/choose'
import { type OnnxWebOptions, onnxWeb, startOnnxWeb } from '../../src/runtime/onnx/web'
import { preferRuntime, preferredRuntime } from '../../src/runtime/preferred'
import { reference } from '../../src/runtime/reference'
import { evaluate } from '../../src/runtime/runtime'
import { convNet, sample } from '../attacks/matching/tiny'
import { relativeError, uniform } from '../oracle'
import { ownership } from '../tensors'

const own = ownership()

function convolution() {
  const graph = g.createGraph()
  const x = g.input(graph, 'x', [2, 2, 5, 5])
  const w = g.input(graph, 'w', [3, 2, 3, 3])
  const geometry = { strides: [2, 2], padLow: [1, 1], padHigh: [1, 1], dilations: [1, 1], groups: 1 }
  const y = g.sigmoid(g.conv(x, w, geometry))
  const first = g.grad(g.inner(y, y), [x, w])
  const second = g.grad(first.map((n) => g.inner(n, n)).reduce(g.add), [x, w])
  return { inputs: [x, w], outputs: [y, ...first, ...second] }
}

const values = [uniform(100, -1, 1, 1), uniform(54, -1, 1, 2)]

describe('onnxruntime-web', () => {
  it.each<[string, OnnxWebOptions]>([
    ['by itself', {}],
    ['as a given module', { ort }],
    ['without rewriting the graph', { ort, graphOptimizationLevel: 'disabled' }],
  ])('runs the same lowering as WebAssembly, %s', async (_, options) => {
    const program = convolution()
    const expected = await evaluate(reference(), program, new Map(), values)
    const actual = await evaluate(onnxWeb(options), program, new Map(), values)
    actual.forEach((v, i) => {
      expect(relativeError(v, expected[i])).toBeLessThan(1e-5)
    })
  })

  it.each<[string, OnnxWebOptions, string]>([
    ['WebAssembly', {}, 'disabled'],
    ['WebAssembly by name', { executionProviders: [{ name: 'wasm' }] }, 'disabled'],
    ['WebAssembly, with a level', { graphOptimizationLevel: 'basic' }, 'basic'],
    ['a GPU', { executionProviders: ['webgpu', 'wasm'] }, 'all'],
  ])('is left to rewrite the graph as is right for %s', async (_, options, level) => {
    const levels: unknown[] = []
    const create = async (_model: Uint8Array, { graphOptimizationLevel }: ort.InferenceSession.SessionOptions = {}) => {
      levels.push(graphOptimizationLevel)
      throw new Error('not opened')
    }
    const runtime = onnxWeb({ ...options, ort: { Tensor: ort.Tensor, InferenceSession: { create } } })
    await expect(evaluate(runtime, convolution(), new Map(), values)).rejects.toThrow('not opened')
    expect(levels).toEqual([level])
  })

  it('waits between what is bound once and the session', async () => {
    const order: string[] = []
    const create = async (model: Uint8Array, options?: object) => {
      order.push('session')
      return ort.InferenceSession.create(model, options)
    }
    const runtime = onnxWeb({ ort: { Tensor: ort.Tensor, InferenceSession: { create } } })
    const executable = await runtime.compile(convolution())
    const evaluator = await executable.bind(new Map(), undefined, async () => {
      order.push('opening')
    })
    expect(order).toEqual(['opening', 'session'])
    evaluator.dispose()
    executable.dispose()
  })

  it('can be started ahead: nothing is loaded then when a program is compiled', async () => {
    await startOnnxWeb()
    const create = vi.spyOn(ort.InferenceSession, 'create')
    const executable = await preferredRuntime()!.compile(convolution())
    expect(create).not.toHaveBeenCalled()
    executable.dispose()
    create.mockRestore()
  })

  it('restarts that take turns find what one after the other find', async () => {
    const model = own(convNet())
    const shared = await gradientsOf(model, own(sample([1, 6, 6, 1])), [1])
    for (const tensor of Object.values(shared)) own(tensor)
    const options = { runtime: onnxWeb({ ort }), restarts: 2, iterations: 1, tolerance: 0, labels: [1] } as const
    const one = own(await deepLeakage(model, shared, options))
    const two = own(await deepLeakage(model, shared, { ...options, concurrency: 2 }))
    expect(two.runtime).toBe('onnx:wasm')
    expect(two.trials.map(({ relativeLoss }) => relativeLoss)).toEqual(
      one.trials.map(({ relativeLoss }) => relativeLoss),
    )
  })

  it.each<[string, unknown, RegExp]>([
    ['a GPU without its build', { executionProviders: ['webgpu'] }, /needs the module: ort must be given/],
    [
      'what is no module',
      { ort: { InferenceSession: {}, Tensor: 1 } },
      /ort is an object; it must be the whole module/,
    ],
    ['an unknown level', { graphOptimizationLevel: 'most' }, /'disabled' or 'basic'/],
    ['an unknown option', { wasm: true }, /there is no 'wasm'/],
  ])('refuses %s', (_, options, message) => {
    expect(() => onnxWeb(options as OnnxWebOptions)).toThrow(DlgError)
    expect(() => onnxWeb(options as OnnxWebOptions)).toThrow(message)
  })
})

describe("'auto' outside Node", () => {
  const imported = preferredRuntime()!
  afterEach(() => {
    vi.unstubAllGlobals()
    preferRuntime(imported)
  })
  const runtimeOf = async (): Promise<string> => {
    vi.stubGlobal('process', undefined)
    const executable = await chooseRuntime('auto').compile(convolution())
    vi.unstubAllGlobals()
    executable.dispose()
    return executable.runtime
  }

  it('takes onnxruntime-web where its entry is imported', async () => {
    // whatever is loaded late is loaded as in Node
    await imported.compile(convolution())
    expect(await runtimeOf()).toBe('onnx:wasm')
  })

  it('takes the active backend of tfjs where it does not start, and throws what is wrong with the program', async () => {
    await tf.ready()
    const failing = (error: Error) => ({ ...imported, compile: () => Promise.reject(error) })
    preferRuntime(failing(new DlgError('runtime', 'no WebAssembly')))
    expect(await runtimeOf()).toBe('tfjs:cpu')
    preferRuntime(failing(new RangeError('mine')))
    await expect(runtimeOf()).rejects.toThrow('mine')
  })
})
