import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { releaseCompiled } from '../../src'
import * as g from '../../src/graph'
import { onnxRuntime } from '../../src/runtime/onnx'
import { loadOnnxRuntimeNode } from '../../src/runtime/onnx/node'
import type { OnnxRuntimeModule } from '../../src/runtime/onnx/portable'
import { digest } from '../../src/runtime/onnx/sessions'
import type { Runtime } from '../../src/runtime/runtime'

/** y = x · w + b, where w is the model's and b comes with every gradient. */
function program() {
  const graph = g.createGraph()
  const x = g.input(graph, 'x', [1, 3])
  const [w, b] = [g.parameter(graph, 'w', [3, 2]), g.parameter(graph, 'b', [1, 2])]
  return { inputs: [x], outputs: [g.add(g.matMul(x, g.tanh(w)), b)] }
}

const parameters = (w: number, b: number) =>
  new Map([
    ['w', new Float32Array(6).fill(w)],
    ['b', new Float32Array(2).fill(b)],
  ])
const LASTING = new Set(['w'])
const x = [Float32Array.of(1, 2, 3)]

/** A runtime of its own cache key, and how many sessions it has created and released. */
function counted(): { runtime: Runtime; counts: { created: number; released: number } } {
  const counts = { created: 0, released: 0 }
  // the name is part of the key
  const load = {
    [`load${Math.random()}`]: async (): Promise<OnnxRuntimeModule> => {
      const ort = await loadOnnxRuntimeNode()
      return {
        Tensor: ort.Tensor,
        InferenceSession: {
          async create(model, options) {
            counts.created++
            const session = await ort.InferenceSession.create(model, options)
            const release = session.release.bind(session)
            session.release = async () => {
              counts.released++
              await release()
            }
            return session
          },
        },
      }
    },
  }
  return { runtime: onnxRuntime(Object.values(load)[0]), counts }
}

async function run(runtime: Runtime, w: number, b: number, lasting?: ReadonlySet<string>): Promise<number[]> {
  const executable = await runtime.compile(program())
  try {
    const evaluator = await executable.bind(parameters(w, b), lasting)
    return [...(await evaluator.run(x))[0]]
  } finally {
    executable.dispose()
  }
}

const expected = (w: number, b: number): number => 6 * Math.tanh(w) + b

describe('compiled sessions, onnxruntime-node', () => {
  it('serve every gradient of the same model: what does not last is fed', async () => {
    const { runtime, counts } = counted()
    for (const [w, b] of [
      [0.5, 1],
      [0.5, -2],
      [0.5, 7],
    ])
      for (const v of await run(runtime, w, b, LASTING)) expect(v).toBeCloseTo(expected(w, b), 5)
    expect(counts.created).toBe(1)
  })

  it('are made anew for other weights, when they are compiled for them', async () => {
    const { runtime, counts } = counted()
    for (const w of [0.5, 0.6])
      for (const v of await run(runtime, w, 1, LASTING)) expect(v).toBeCloseTo(expected(w, 1), 5)
    expect(counts.created).toBe(2)
  })

  it('serve all weights when none is said to last', async () => {
    const { runtime, counts } = counted()
    for (const w of [0.5, 0.6]) for (const v of await run(runtime, w, 1)) expect(v).toBeCloseTo(expected(w, 1), 5)
    expect(counts.created).toBe(1)
  })

  it('are shared by users at the same time, and released when nobody is left and the caller says so', async () => {
    const { runtime, counts } = counted()
    const executables = [await runtime.compile(program()), await runtime.compile(program())]
    const evaluators = await Promise.all(executables.map((e, i) => e.bind(parameters(0.5, i), LASTING)))
    await releaseCompiled()
    for (const [i, evaluator] of evaluators.entries())
      for (const v of (await evaluator.run(x))[0]) expect(v).toBeCloseTo(expected(0.5, i), 5)
    expect(counts).toEqual({ created: 1, released: 0 })
    for (const executable of executables) executable.dispose()
    expect(counts.released).toBe(0)
    await releaseCompiled()
    expect(counts.released).toBe(1)
  })

  it('are kept for the last few models only', async () => {
    const { runtime, counts } = counted()
    for (let i = 0; i < 8; i++) await run(runtime, i, 0, LASTING)
    expect(counts).toEqual({ created: 8, released: 4 })
    await releaseCompiled()
    expect(counts.released).toBe(8)
  })

  it('that cannot be made are not kept', async () => {
    let attempts = 0
    const failing = onnxRuntime(async function loadFailing() {
      const { Tensor } = await loadOnnxRuntimeNode()
      const create = async () => {
        attempts++
        throw new Error('no such operator')
      }
      return { Tensor, InferenceSession: { create } }
    })
    for (let i = 0; i < 2; i++)
      await expect(run(failing, 1, 1)).rejects.toMatchObject({ code: 'runtime', message: /no such operator/ })
    expect(attempts).toBe(2)
  })
})

describe('what tells models apart', () => {
  const digestOf = (words: Uint32Array) => digest(new Uint8Array(words.buffer))

  it('sees every sign of a few numbers, their order, and each byte', () => {
    const bits = 17
    const words = new Uint32Array(2 * bits).fill(0x3f000000)
    const seen = new Set<string>()
    // signs of even words alone go into the same two sums
    for (let pattern = 0; pattern < 2 ** bits; pattern++) {
      for (let i = 0; i < bits; i++) words[2 * i] = ((pattern >> i) & 1) * 0x80000000 + 0x3f000000
      seen.add(digestOf(words))
    }
    expect(seen.size).toBe(2 ** bits)
    const order = Uint32Array.of(1, 2, 3, 4, 5)
    const others = [
      [2, 1, 3, 4, 5],
      [3, 2, 1, 4, 5],
      [1, 2, 3, 5, 4],
      [1, 2, 3, 4, 6],
      [1, 2, 3, 4],
    ]
    for (const other of others) expect(digestOf(Uint32Array.from(other))).not.toBe(digestOf(order))
  })
})

it('no evaluator keeps the model it was opened with (needs onnxruntime-node)', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const models: WeakRef<Uint8Array>[] = []
  const load = async (): Promise<OnnxRuntimeModule> => {
    const ort = await loadOnnxRuntimeNode()
    return {
      Tensor: ort.Tensor,
      InferenceSession: {
        create(model, options) {
          models.push(new WeakRef(model))
          return ort.InferenceSession.create(model, options)
        },
      },
    }
  }
  for (const portable of [false, true]) {
    const executable = await onnxRuntime(load, {}, portable, `kept ${portable}`).compile(program())
    const evaluator = await executable.bind(parameters(0.5, 1), LASTING)
    for (let i = 0; i < 5; i++) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      collect()
    }
    expect(models.pop()!.deref()).toBeUndefined()
    expect([...(await evaluator.run(x))[0]]).toEqual(expect.arrayContaining([expect.closeTo(expected(0.5, 1), 5)]))
    executable.dispose()
  }
})
