import type { InferenceSession } from 'onnxruntime-common'
import { describe, expect, it, vi } from 'vitest'
import * as g from '../../src/graph'
import { onnxRuntime } from '../../src/runtime/onnx'
import {
  createSession,
  leaveOtherCores,
  type OnnxOptions,
  type OnnxProgram,
  type OnnxRuntimeModule,
  threadsFor,
} from '../../src/runtime/onnx/portable'

/** Threads of the session in which a product of two square matrices is opened, and of the one on another thread. */
async function sessionFor(size: number, options: OnnxOptions) {
  const created: InferenceSession.SessionOptions[] = []
  const load = async () =>
    ({
      InferenceSession: {
        async create(_, given) {
          created.push(given!)
          return { release: async () => {} } as InferenceSession
        },
      },
    }) as Pick<OnnxRuntimeModule, 'InferenceSession'> as OnnxRuntimeModule
  const graph = g.createGraph()
  const [a, b] = ['a', 'b'].map((name) => g.input(graph, name, [size, size]))
  const executable = await onnxRuntime(load, options, true, `threads ${size} ${JSON.stringify(options)}`).compile({
    inputs: [a, b],
    outputs: [g.matMul(a, b)],
  })
  const { portable } = await executable.bind(new Map())
  const [{ intraOpNumThreads: threads, extra }] = created
  const session = extra?.session as { intra_op: { allow_spinning: string } }
  const there = (portable!().content as OnnxProgram).options.threads
  return { threads, awake: session.intra_op.allow_spinning === '1', there }
}

describe('threads within one operation', () => {
  it('are all cores, kept awake, where operations are large, and one where they are small', async () => {
    expect(await sessionFor(128, {})).toEqual({ threads: 0, awake: true, there: 1 })
    expect(await sessionFor(64, {})).toEqual({ threads: 1, awake: false, there: 1 })
  })

  it('are as many as the caller says', async () => {
    expect(await sessionFor(128, { threads: 2 })).toEqual({ threads: 2, awake: true, there: 2 })
    expect(await sessionFor(64, { threads: 2 })).toEqual({ threads: 2, awake: false, there: 2 })
    expect(await sessionFor(128, { threads: 1 })).toEqual({ threads: 1, awake: false, there: 1 })
  })

  it('are one from where a process leaves the other cores to others', async () => {
    const create = vi.fn(async (_: Uint8Array, _options?: object) => ({}) as InferenceSession)
    const ort = { InferenceSession: { create } } as unknown as OnnxRuntimeModule
    const heavy = { planned: true, convolves: false, heavy: true }
    const open = (options: OnnxOptions) =>
      createSession(ort, new Uint8Array(), { ...heavy, options }, threadsFor({ ...heavy, options }))
    await open({})
    const restore = leaveOtherCores()
    await open({})
    await open({ threads: 3 })
    restore()
    await open({})
    expect(create.mock.calls.map(([, options]) => (options as { intraOpNumThreads: number }).intraOpNumThreads)).toEqual([0, 1, 3, 0]) // biome-ignore format: one line
  })

  it('are one beside anything but the processor', async () => {
    expect(await sessionFor(128, { executionProviders: ['cuda'] })).toEqual({ threads: 1, awake: false, there: 1 })
  })
})

describe('what onnxruntime does before a run', () => {
  it('is rewriting where there are convolutions, and planning memory where little is held', async () => {
    const created: InferenceSession.SessionOptions[] = []
    const create = async (_: Uint8Array, given: InferenceSession.SessionOptions) => {
      created.push(given)
      return { release: async () => {} } as InferenceSession
    }
    const load = async () => ({ InferenceSession: { create } }) as unknown as OnnxRuntimeModule
    const open = async (name: string, outputs: (x: g.Node) => g.Node, shape: g.Shape, options: OnnxOptions = {}) => {
      const x = g.input(g.createGraph(), 'x', shape)
      const executable = await onnxRuntime(load, options, true, name).compile({ inputs: [x], outputs: [outputs(x)] })
      await executable.bind(new Map())
      const [{ graphOptimizationLevel: level, enableMemPattern: planned }] = created.splice(0)
      return { level, planned }
    }
    const plain = { strides: [1, 1], padLow: [0, 0], padHigh: [0, 0], dilations: [1, 1], groups: 1 }
    const convolved = (x: g.Node) => g.conv(x, x, plain)
    expect(await open('sine', (x) => g.unary('sin', x), [8])).toEqual({ level: 'disabled', planned: true })
    expect(await open('large', (x) => g.unary('sin', x), [2 ** 22])).toEqual({ level: 'disabled', planned: false })
    expect(await open('convolution', convolved, [1, 1, 4, 4])).toEqual({ level: 'all', planned: true })
    const cuda = { executionProviders: ['cuda'] }
    expect(await open('cuda', (x) => g.unary('sin', x), [8], cuda)).toEqual({ level: 'all', planned: true })
    const given = { graphOptimizationLevel: 'basic' } as const
    expect(await open('given', (x) => g.unary('sin', x), [8], given)).toEqual({ level: 'basic', planned: true })
  })
})
