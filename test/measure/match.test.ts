import fc from 'fast-check'
import { expect, it } from 'vitest'
import { match } from '../../src/measure/match'

const total = (cost: number[][], columns: number[]): number => columns.reduce((sum, c, row) => sum + cost[row][c], 0)

/** The least total over all orders, by trying them. */
function least(cost: number[][], row = 0, used: number[] = []): number {
  if (row === cost.length) return 0
  const totals = cost[row].map((c, j) => (used.includes(j) ? Infinity : c + least(cost, row + 1, [...used, j])))
  return Math.min(...totals)
}

/** Square matrices of up to 6 rows. */
const squares = (cost: fc.Arbitrary<number>) =>
  fc.integer({ min: 1, max: 6 }).chain((n) =>
    fc.array(fc.array(cost, { minLength: n, maxLength: n }), {
      minLength: n,
      maxLength: n,
    }),
  )

it.each([
  ['whole numbers with ties', fc.integer({ min: 0, max: 9 })],
  ['fractions', fc.double({ min: 0, max: 1, noNaN: true })],
  ['fractions over many magnitudes', fc.double({ min: -30, max: 10, noNaN: true }).map((v) => 10 ** v)],
])('is the best of all orders: %s', (_, cost) => {
  const square = squares(cost)
  fc.assert(
    fc.property(square, (cost) => {
      const columns = match(cost)
      expect([...columns].sort()).toEqual(cost.map((_, i) => i))
      const best = least(cost)
      expect(total(cost, columns)).toBeLessThanOrEqual(best * (1 + 1e-12))
    }),
    { numRuns: 300 },
  )
})

it('finds a hidden order of a hundred', () => {
  const order = Array.from({ length: 100 }, (_, i) => (i * 37) % 100)
  expect(match(order.map((c) => order.map((_, j) => (j === c ? 0.1 : 1 + Math.abs(j - c)))))).toEqual(order)
})

it('ends with costs that are not numbers', () => {
  expect(
    match([
      [Number.NaN, 1],
      [Number.NaN, Infinity],
    ]),
  ).toEqual([1, 0])
  expect(match([])).toEqual([])
  const broken = [
    [Number.NaN, Number.NaN, Number.NaN],
    [2, 1, 5],
    [1, 3, 5],
  ]
  expect(match(broken)).toEqual([2, 1, 0])
  expect(new Set(match(broken.map((row) => row.map(() => Number.NaN)))).size).toBe(3)
})
