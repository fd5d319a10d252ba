import { describe, expect, it } from 'vitest'
import { compact, type MatrixProducts } from '../../src/optim/compact'
import { twoLoop } from '../../src/optim/two-loop'
import { relativeError, uniform } from '../oracle'

/** Plain products in JavaScript. */
const products = (rows: number): MatrixProducts => ({
  rows,
  multiply: async (matrix, vector) =>
    Float64Array.from({ length: rows }, (_, i) =>
      vector.reduce((sum, v, k) => sum + v * matrix[i * vector.length + k], 0),
    ),
  combine: async (matrix, coefficients) => {
    const n = matrix.length / rows
    return Float64Array.from({ length: n }, (_, k) =>
      coefficients.reduce((sum, c, i) => sum + c * matrix[i * n + k], 0),
    )
  },
})

/** Exactly representable in float32, so that both forms see the same vectors. */
const vector = (n: number, seed: number): Float64Array => Float64Array.from(Float32Array.from(uniform(n, -1, 1, seed)))

describe('compact L-BFGS', () => {
  it.each([
    { history: 5, steps: 3 },
    { history: 5, steps: 5 },
    { history: 5, steps: 17 },
  ])('gives the direction of the two-loop recursion: $steps pairs, history $history', async ({ history, steps }) => {
    const n = 12
    const limits = { historySize: history, curvature: 1e-10 }
    const plain = twoLoop(limits)
    const stacked = compact(limits, products(2 * history))
    // y = A s for a positive definite A makes consistent pairs
    const diagonal = uniform(n, 0.5, 4, 3)
    let gradient = vector(n, 9)
    let a = (await plain.descend(plain.empty, undefined, gradient)).curvature
    let b = (await stacked.descend(stacked.empty, undefined, gradient)).curvature
    for (let k = 0; k < steps; k++) {
      const s = vector(n, 10 + k)
      const next = Float64Array.from(Float32Array.from(gradient, (v, i) => v + s[i] * diagonal[i]))
      const step = { direction: s, length: 1, before: gradient }
      gradient = next
      const expected = await plain.descend(a, step, gradient)
      const actual = await stacked.descend(b, step, gradient)
      a = expected.curvature
      b = actual.curvature
      expect(relativeError(actual.direction, expected.direction)).toBeLessThan(1e-5)
      for (const { direction, slope, reach } of [expected, actual]) {
        expect(slope).toBeCloseTo(
          direction.reduce((sum, v, i) => sum + v * gradient[i], 0),
          12,
        )
        expect(reach).toBe(Math.max(...direction.map(Math.abs)))
      }
    }
  })

  it('leaves out a pair of negative curvature', async () => {
    const memory = compact({ historySize: 2, curvature: 1e-10 }, products(4))
    const { curvature, direction } = await memory.descend(
      memory.empty,
      { direction: Float64Array.of(1), length: 1, before: Float64Array.of(4) },
      Float64Array.of(3),
    )
    expect(curvature.order).toEqual([])
    expect([...direction]).toEqual([-3])
  })

  it('refuses to go on from a state that is not the newest', async () => {
    const memory = compact({ historySize: 2, curvature: 1e-10 }, products(4))
    const pair = { direction: Float64Array.of(0.5), length: 2, before: Float64Array.of(-1) }
    const first = await memory.descend(memory.empty, pair, Float64Array.of(1))
    await memory.descend(first.curvature, pair, Float64Array.of(1))
    await expect(memory.descend(first.curvature, pair, Float64Array.of(1))).rejects.toThrow(/newest state/)
  })
})
