import '@tensorflow/tfjs-backend-cpu'
import '@tensorflow/tfjs-backend-wasm'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { random } from '../../src/numbers/random'
import { onnx } from '../../src/runtime/onnx/node'
import type { Values } from '../../src/runtime/runtime'
import { tfjs } from '../../src/runtime/tfjs'
import { relativeError } from '../oracle'
import { type Check, checkFirstOrder, checkSecondOrder, type Problem, solve } from './problem'

/** What a table of cases needs: the traced problem, and tfjs's own forward where it can be compared. */
export interface Row {
  readonly name: string
  /** Makes what outlives a trace. */
  prepare?(): void
  trace(): Problem
  /** tfjs's own output on the active backend; undefined where it is random. */
  forward(): ArrayLike<number> | undefined
  /** Whether a second trace gives another graph: random numbers are baked in. */
  readonly random?: boolean
}

interface Solved {
  problem: Problem
  values: Values[]
}

/** Runs the body and checks that no tensor is left behind and the backend is the same. */
async function cleanly<R>(body: () => R | Promise<R>): Promise<R> {
  const [tensors, backend] = [tf.memory().numTensors, tf.getBackend()]
  const result = await body()
  expect(tf.memory().numTensors).toBe(tensors)
  expect(tf.getBackend()).toBe(backend)
  return result
}

const expectRight = ({ error, instability }: Check): void => {
  expect(instability, 'unstable: a kink is near').toBeLessThan(1e-5)
  expect(error).toBeLessThan(1e-5)
}

const named = (rows: readonly Row[]): [string, Row][] => rows.map((row) => [row.name, row])

/** The report of all rows: forward value, ∂L/∂W and dJ/dx against finite differences, both tfjs backends, and onnxruntime. */
export function tabulate(rows: readonly Row[]): void {
  const solved = new Map<Row, Promise<Solved>>()
  const solution = (row: Row): Promise<Solved> => {
    const known = solved.get(row)
    if (known) return known
    row.prepare?.()
    const fresh = cleanly(async () => {
      // masks are drawn while a layer is traced: the same ones in every run, since some leave nothing of a small layer
      const draws = vi.spyOn(Math, 'random').mockImplementation(random(1).uniform)
      const problem = row.trace()
      draws.mockRestore()
      return { problem, values: await solve(problem) }
    })
    solved.set(row, fresh)
    return fresh
  }

  it('names are unique', () => {
    expect(new Set(rows.map((r) => r.name)).size).toBe(rows.length)
  })

  describe('the traced output equals what tfjs computes on cpu', () => {
    beforeAll(async () => {
      await tf.setBackend('cpu')
    })
    it.each(named(rows.filter((r) => !r.random)))('%s', async (_, row) => {
      const { values } = await solution(row)
      const expected = await cleanly(() => row.forward())
      expect(values[0].length).toBe(expected!.length)
      expect(relativeError(values[0], expected!)).toBeLessThan(1e-5)
    })
  })

  describe('∂L/∂W equals finite differences of L in float64', () => {
    it.each(named(rows))('%s', async (_, row) => {
      expectRight(await checkFirstOrder((await solution(row)).problem))
    })
  })

  describe('dJ/dx equals finite differences of J in float64', () => {
    it.each(named(rows))('%s', async (_, row) => {
      const { problem, values } = await solution(row)
      const check = await checkSecondOrder(problem, values[2])
      expect(Math.hypot(...values[2]), 'J does not depend on x').toBeGreaterThan(1e-4)
      expectRight(check)
    })
  })

  describe.each(['cpu', 'wasm'])('traced and replayed on tfjs %s: J and dJ/dx equal the reference', (backend) => {
    beforeAll(async () => {
      await tf.setBackend(backend)
    })
    it.each(named(rows))('%s', async (_, row) => {
      const { problem, values } = await solution(row)
      await cleanly(async () => {
        const traced = row.random ? problem : row.trace()
        const replayed = await solve(traced, tfjs())
        replayed.forEach((v, i) => {
          expect(relativeError(v, values[i])).toBeLessThan(1e-3)
        })
      })
    })
  })

  describe('on onnxruntime-node: output, J and dJ/dx equal the reference', () => {
    it.each(named(rows))('%s', async (_, row) => {
      const { problem, values } = await solution(row)
      const replayed = await cleanly(() => solve(problem, onnx()))
      replayed.forEach((v, i) => {
        expect(relativeError(v, values[i])).toBeLessThan(1e-5)
      })
    })
  })
}
