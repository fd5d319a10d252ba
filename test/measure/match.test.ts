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

it('is the best of all orders', () => {
  const square = fc.integer({ min: 1, max: 6 }).chain((n) =>
    fc.array(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: n, maxLength: n }), {
      minLength: n,
      maxLength: n,
    }),
  )
  fc.assert(
    fc.property(square, (cost) => {
      const columns = match(cost)
      expect([...columns].sort()).toEqual(cost.map((_, i) => i))
      expect(total(cost, columns)).toBe(least(cost))
    }),
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
})
