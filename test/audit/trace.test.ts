import { expect, it } from 'vitest'
import { MOST_POINTS, tracer } from '../../src/audit/trace'

const tell = (losses: readonly number[], evaluations = (i: number) => i + 1) => {
  const trace = tracer()
  for (const [i, relativeLoss] of losses.entries())
    trace.tell({ attack: 'a', words: '', evaluations: evaluations(i), relativeLoss })
  return trace.points()
}

it('keeps a few points of a search, more than half as many again apart, and its end', () => {
  const points = tell(Array.from({ length: 100 }, (_, i) => 1 / (i + 1)))
  expect(points.map(([evaluations]) => evaluations)).toEqual([1, 2, 3, 5, 8, 12, 18, 27, 41, 62, 93, 100])
  expect(points.at(-1)).toEqual([100, 0.01])
})

it('tells the best so far, whatever a restart begins with, and only numbers', () => {
  expect(tell([1, 0.5, Number.NaN, 2, 3])).toEqual([
    [1, 1],
    [2, 0.5],
    [4, 0.5],
    [5, 0.5],
  ])
  const trace = tracer()
  trace.tell({ attack: 'a', words: 'no search' })
  expect(trace.points()).toEqual([])
})

it('has no more than its most points, and the end among them', () => {
  const points = tell(Array(60).fill(0.1), (i) => 2 ** i)
  expect(points).toHaveLength(MOST_POINTS)
  expect(points.at(-1)![0]).toBe(2 ** 59)
})
