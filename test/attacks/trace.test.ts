import { expect, it } from 'vitest'
import { MOST_POINTS, traceOf } from '../../src/attacks/contract/trace'

const history = (losses: readonly number[], evaluations = (i: number) => i + 1) =>
  losses.map((relativeLoss, i) => ({ evaluations: evaluations(i), relativeLoss }))

it('keeps a few points of a search, half as many evaluations again apart or more, and its end', () => {
  const seen = history(Array.from({ length: 100 }, (_, i) => 1 / (i + 1)))
  const points = traceOf(seen, { evaluations: 110, relativeLoss: 0.005 })
  expect(points.map(([evaluations]) => evaluations)).toEqual([1, 2, 3, 5, 8, 12, 18, 27, 41, 62, 93, 110])
  expect(points[4]).toEqual([8, 0.125])
  expect(points.at(-1)).toEqual([110, 0.005])
})

it('tells the best so far, and only numbers', () => {
  expect(traceOf(history([1, 0.5, Number.NaN, 2]), { evaluations: 5, relativeLoss: 0.5 })).toEqual([
    [1, 1],
    [2, 0.5],
    [3, 0.5],
    [5, 0.5],
  ])
  expect(traceOf([], { evaluations: 1, relativeLoss: Number.NaN })).toEqual([])
})

it('has no more than its most points, and the end among them', () => {
  const points = traceOf(
    history(Array(60).fill(0.1), (i) => 2 ** i),
    { evaluations: 2 ** 60, relativeLoss: 0.1 },
  )
  expect(points).toHaveLength(MOST_POINTS)
  expect(points.at(-1)![0]).toBe(2 ** 60)
})
