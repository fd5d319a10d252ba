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
} from '../../src/runtime/onnx/portable'

/** Threads of the session in which a product of two square matrices is opened, and of the one on another thread. */
async function threadsFor(size: number, options: OnnxOptions) {
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
    expect(await threadsFor(128, {})).toEqual({ threads: 0, awake: true, there: 1 })
    expect(await threadsFor(64, {})).toEqual({ threads: 1, awake: false, there: 1 })
  })

  it('are as many as the caller says', async () => {
    expect(await threadsFor(128, { threads: 2 })).toEqual({ threads: 2, awake: true, there: 2 })
    expect(await threadsFor(64, { threads: 2 })).toEqual({ threads: 2, awake: false, there: 2 })
    expect(await threadsFor(128, { threads: 1 })).toEqual({ threads: 1, awake: false, there: 1 })
  })

  it('are one from where a process leaves the other cores to others', async () => {
    const create = vi.fn(async (_: Uint8Array, _options?: object) => ({}) as InferenceSession)
    const ort = { InferenceSession: { create } } as unknown as OnnxRuntimeModule
    const heavy = { planned: true, convolves: false, heavy: true }
    const open = (options: OnnxOptions) => createSession(ort, new Uint8Array(), { ...heavy, options })
    await open({})
    const restore = leaveOtherCores()
    await open({})
    await open({ threads: 3 })
    restore()
    await open({})
    expect(create.mock.calls.map(([, options]) => (options as { intraOpNumThreads: number }).intraOpNumThreads)).toEqual([0, 1, 3, 0]) // biome-ignore format: one line
  })

  it('are one beside anything but the processor', async () => {
    expect(await threadsFor(128, { executionProviders: ['cuda'] })).toEqual({ threads: 1, awake: false, there: 1 })
  })
})
