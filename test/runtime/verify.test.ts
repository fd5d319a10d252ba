import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { deepLeakage, gradientsOf, type Runtime, reference } from '../../src'
import { convNet, plain, sample } from '../attacks/matching/tiny'
import { leavesNoTensors } from '../tensors'

leavesNoTensors()

/** A backend that computes one output of the objective wrongly, without an error. */
function wrong(change: (values: Float64Array, output: number) => Float64Array): Runtime & { runs: number } {
  const runtime = {
    name: 'wrong',
    precision: 'float64' as const,
    runs: 0,
    async compile(program: Parameters<Runtime['compile']>[0]) {
      const executable = await reference().compile(program)
      return {
        ...executable,
        runtime: 'tfjs:webgpu',
        async bind(...bound: Parameters<typeof executable.bind>) {
          const evaluator = await executable.bind(...bound)
          return {
            ...evaluator,
            async run(inputs: Parameters<typeof evaluator.run>[0]) {
              runtime.runs++
              const outputs = await evaluator.run(inputs)
              return outputs.map((values, i) => change(Float64Array.from(values), i))
            },
          }
        },
      }
    },
  }
  return runtime
}

describe('a runtime that is not the CPU', () => {
  const model = convNet()
  const options = { labels: [2], restarts: 1, iterations: 3 }
  let shared: Record<string, { shape: readonly number[]; data: ArrayLike<number> }>
  beforeAll(async () => {
    const x = sample([1, 6, 6, 1])
    shared = plain(await gradientsOf(model, x, [2], { runtime: 'reference' }))
    tf.dispose(x)
  })

  it.each([
    [
      'a value that is off by 1 %',
      (v: Float64Array, i: number) => (i === 0 ? v.map((x) => x * 1.01) : v),
      /output 0.*1\.0e-2/,
    ],
    ['a gradient of noise', (v: Float64Array, i: number) => (i === 2 ? v.map((_, k) => Math.sin(k)) : v), /output 2/],
    ['a gradient that is not finite', (v: Float64Array, i: number) => (i === 2 ? v.fill(Number.NaN) : v), /Infinity/],
    ['a gradient of zeros', (v: Float64Array, i: number) => (i === 2 ? v.fill(0) : v), /output 2.*1\.0e\+0/],
  ])('is refused by name for %s, before the search', async (_, change, message) => {
    const runtime = wrong(change)
    await expect(deepLeakage(model, shared, { ...options, runtime })).rejects.toMatchObject({
      code: 'runtime',
      message: expect.stringMatching(message),
    })
    await expect(deepLeakage(model, shared, { ...options, runtime })).rejects.toThrow(/^tfjs:webgpu/)
    expect(runtime.runs).toBe(2)
  })

  it('runs where it is right, and where the caller wants it all the same', async () => {
    const right = await deepLeakage(model, shared, { ...options, runtime: wrong((v) => v) })
    expect(right.runtime).toBe('tfjs:webgpu')
    const off = wrong((v, i) => (i === 0 ? v.map((x) => x * 1.01) : v))
    const all = await deepLeakage(model, shared, { ...options, runtime: off, verifyRuntime: false })
    expect(all.evaluations).toBeGreaterThan(3)
    right.dispose()
    all.dispose()
  })
})
