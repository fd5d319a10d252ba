import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cosine, l2 } from '../../../../src'
import { derivativeOf } from '../../../../src/attacks/matching/objective/distance'
import * as g from '../../../../src/graph'
import { squaredNorm } from '../../../../src/numbers/values'
import { reference } from '../../../../src/runtime/reference'
import { evaluate } from '../../../../src/runtime/runtime'
import { tensor, valueAndGradients } from './evaluate'

const vector = fc.array(fc.double({ min: -10, max: 10, noNaN: true }), { minLength: 5, maxLength: 5 })
const directed = vector.filter((v) => v.some((x) => Math.abs(x) > 1e-2))

/** The distance of two lists of tensors: [2] and [3]. */
async function measure(distance: ReturnType<typeof l2>, a: readonly number[], b: readonly number[]) {
  const split = (v: readonly number[]) => [tensor([2], ...v.slice(0, 2)), tensor([3], ...v.slice(2))]
  return valueAndGradients((a0, a1, b0, b1) => distance.measure([a0, a1], [b0, b1]), ...split(a), ...split(b))
}

describe('l2', () => {
  it('sums squared differences over all tensors', async () => {
    const { value, gradients } = await measure(l2(), [1, 2, 3, 4, 5], [1, 0, 3, 7, 4])
    expect(value).toBe(4 + 9 + 1)
    expect(gradients.slice(0, 2)).toEqual([
      [0, 4],
      [0, -6, 2],
    ])
  })

  it('has the squared norm of the shared gradient as its unit', () => {
    expect(l2().unit!([Float32Array.of(3, 4), Float64Array.of(12)])).toBe(169)
    expect(squaredNorm([])).toBe(0)
  })
})

describe('cosine', () => {
  it('is 1 − cos of the angle between all tensors together', async () => {
    // ⟨a, b⟩ = 1·2 + 2·1 = 4, ‖a‖‖b‖ = 5
    expect((await measure(cosine(), [1, 0, 2, 0, 0], [2, 0, 1, 0, 0])).value).toBeCloseTo(1 - 4 / 5, 15)
    expect((await measure(cosine(), [1, 0, 0, 0, 0], [0, 0, 0, 0, 3])).value).toBe(1)
    expect((await measure(cosine(), [1, 2, 3, 4, 5], [-2, -4, -6, -8, -10])).value).toBeCloseTo(2, 15)
  })

  it('is blind to a common factor, symmetric, and in [0, 2]', async () => {
    await fc.assert(
      fc.asyncProperty(directed, directed, fc.double({ min: 0.01, max: 100, noNaN: true }), async (a, b, factor) => {
        const { value } = await measure(cosine(), a, b)
        const scaled = await measure(
          cosine(),
          a.map((v) => v * factor),
          b,
        )
        const swapped = await measure(cosine(), b, a)
        expect(scaled.value).toBeCloseTo(value, 10)
        expect(swapped.value).toBeCloseTo(value, 12)
        expect(value).toBeGreaterThan(-1e-12)
        expect(value).toBeLessThan(2 + 1e-12)
      }),
    )
  })

  it('has the derivative that it gives in closed form', async () => {
    await fc.assert(
      fc.asyncProperty(directed, directed, async (a, b) => {
        const graph = g.createGraph()
        const [own, shared] = ['own', 'shared'].map((name) => [2, 3].map((n) => g.input(graph, `${name} ${n}`, [n])))
        const measured = cosine().measure(own, shared)
        const { factor, tensors } = derivativeOf(cosine())!(own, shared, measured)
        const outputs = [...g.grad(measured, own), ...tensors.map((n) => g.mul(n, factor))]
        const values = [a.slice(0, 2), a.slice(2), b.slice(0, 2), b.slice(2)].map((v) => Float64Array.from(v))
        const [d0, d1, closed0, closed1] = await evaluate(reference(), { inputs: [...own, ...shared], outputs }, new Map(), values) // biome-ignore format: one line
        const size = Math.max(...[...d0, ...d1].map(Math.abs), 1e-9 / Math.hypot(...a))
        for (const [i, v] of [...d0, ...d1].entries()) expect(Math.abs([...closed0, ...closed1][i] - v)).toBeLessThan(1e-6 * size) // biome-ignore format: one line
      }),
    )
  })

  it('has a derivative at right angles to its argument', async () => {
    await fc.assert(
      fc.asyncProperty(directed, directed, async (a, b) => {
        const { gradients } = await measure(cosine(), a, b)
        const along = [...gradients[0], ...gradients[1]].reduce((sum, v, i) => sum + v * a[i], 0)
        expect(along).toBeCloseTo(0, 10)
      }),
    )
  })
})

it.each([l2(), cosine()])('$name is zero exactly where the gradients agree', async (distance) => {
  await fc.assert(
    fc.asyncProperty(directed, directed, async (a, b) => {
      expect((await measure(distance, a, a)).value).toBeCloseTo(0, 12)
      const parallel = Math.abs((await measure(cosine(), a, b)).value) < 1e-9
      if (!parallel) expect((await measure(distance, a, b)).value).toBeGreaterThan(0)
    }),
  )
})
