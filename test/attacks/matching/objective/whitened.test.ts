import { describe, expect, it } from 'vitest'
import { type Distance, type DistanceTensor, whitened } from '../../../../src'
import { scaleFree } from '../../../../src/attacks/matching/objective/scale'
import { whitening } from '../../../../src/attacks/matching/objective/whitened'
import { atOnce, inSteps, type Steps } from '../../../../src/numbers/steps'
import { tensor, valueAndGradients } from './evaluate'

const turned = (angle: number) => [
  [Math.cos(angle), Math.sin(angle)],
  [-Math.sin(angle), Math.cos(angle)],
]

/** Left and right singular vectors, by no decomposition. */
const [U, V] = [turned(0.4), turned(1.1)]

/** Σ cᵢⱼ uᵢvⱼᵀ, row-major, with zeros as a third column. */
const wide = (c: readonly (readonly number[])[]): number[] =>
  [0, 1].flatMap((row) =>
    [0, 1, 2].map((column) =>
      column === 2
        ? 0
        : c.reduce((sum, line, i) => sum + line.reduce((all, v, j) => all + v * U[i][row] * V[j][column], 0), 0),
    ),
  )

const transposed = (values: readonly number[]): number[] => [0, 3, 1, 4, 2, 5].map((at) => values[at])

/** What a distance gives at once, or in steps. */
const done = <T>(given: T | Steps<T>): T => (inSteps(given) ? atOnce(given) : given)
const weightsOf = (distance: Distance, shared: readonly DistanceTensor[]) => done(distance.weights!(shared))

/** The distance between two tensors of one shape, with the derivative by the first. */
async function measure(shape: readonly number[], a: readonly number[], b: readonly number[], distance = whitened()) {
  const given = { shape, values: Float64Array.from(b) }
  const weights = weightsOf(distance, [given])
  const numbers = weights[0].map((one) => tensor(one.shape, ...one.values))
  const { value, gradients } = await valueAndGradients(
    (x, y, ...w) => distance.measure([x], [y], [w]),
    ...[tensor(shape, ...a), tensor(shape, ...b), ...numbers],
  )
  return { value, slope: gradients[0], unit: done(distance.unit!([given.values], weights)) }
}

describe('whitened', () => {
  const shared = wide([
    [4, 0],
    [0, 0.25],
  ])
  const other = wide([
    [4 + 0.3, 0.5],
    [0.7, 0.25 - 0.1],
  ])
  // an error in uᵢ and vⱼ counts 1/√(σᵢσⱼ); σ is √(σ² + ε²), ε a thousandth of the largest
  const [strong, weak] = [Math.hypot(4, 4e-3), Math.hypot(0.25, 4e-3)]
  const expected = 0.3 ** 2 / strong + (0.5 ** 2 + 0.7 ** 2) / Math.sqrt(strong * weak) + 0.1 ** 2 / weak

  it.each([
    ['a matrix with more columns', [2, 3], shared, other],
    ['one with more rows', [3, 2], transposed(shared), transposed(other)],
    ['a kernel of a convolution, by its last axis', [1, 3, 1, 2], transposed(shared), transposed(other)],
    ['one by its first axis', [2, 3, 1, 1], shared, other],
  ])('weighs errors by the singular values of what was shared: %s', async (_, shape, b, a) => {
    const { value, unit } = await measure(shape, a, b)
    expect(value).toBeCloseTo(expected, 9)
    expect(unit).toBeCloseTo(4 ** 2 / strong + 0.25 ** 2 / weak, 9)
  })

  it('weighs errors by the products of the singular values at the power 1', async () => {
    const [most, least] = [Math.hypot(4, 0.4), Math.hypot(0.25, 0.4)]
    const { value, unit } = await measure([2, 3], other, shared, whitening(1, 0.1))
    expect(value).toBeCloseTo(0.3 ** 2 / most ** 2 + (0.5 ** 2 + 0.7 ** 2) / (most * least) + 0.1 ** 2 / least ** 2, 9)
    expect(unit).toBeCloseTo(4 ** 2 / most ** 2 + 0.25 ** 2 / least ** 2, 9)
    expect((await measure([2], [3, 5], [3, 4], whitening(1, 0.1))).value).toBeCloseTo(1 / 25, 12)
  })

  it('has the derivative that differences give, in float64', async () => {
    const { slope } = await measure([2, 3], other, shared)
    for (const i of [0, 2, 4]) {
      const at = async (step: number) => {
        const moved = other.map((v, k) => (k === i ? v + step : v))
        return (await measure([2, 3], moved, shared)).value
      }
      expect(slope[i]).toBeCloseTo(((await at(1e-4)) - (await at(-1e-4))) / 2e-4, 6)
    }
  })

  it('hands its weights on where a common factor does not count', async () => {
    const free = scaleFree(whitened())
    const weights = weightsOf(free, [{ shape: [2, 3], values: Float64Array.from(shared) }])
    const at = (b: readonly number[]) =>
      valueAndGradients(
        (x, y, ...w) => free.measure([x], [y], [w]),
        ...[tensor([2, 3], ...b), tensor([2, 3], ...shared)],
        ...weights[0].map((one) => tensor(one.shape, ...one.values)),
      )
    expect((await at(shared.map((v) => -3 * v))).value).toBeCloseTo(0, 12)
    expect((await at(other)).value).toBeGreaterThan(0.1)
  })

  it('weighs a vector by its norm', async () => {
    const { value, unit } = await measure([2], [3, 5], [3, 4])
    expect(value).toBeCloseTo(1 / 5, 12)
    expect(unit).toBeCloseTo(5, 12)
  })

  it('counts a tensor of nothing but noise no more than rounding can be', () => {
    const [, [weight]] = weightsOf(whitened(), [
      { shape: [2], values: Float64Array.of(1, 0) },
      { shape: [2], values: new Float64Array(2) },
    ])
    expect(weight.values[0]).toBeCloseTo(2 ** 11.5, 6)
  })
})
