import { describe, expect, it } from 'vitest'
import { solveSquare } from '../../src/numbers/linear-system'
import { rowProduct } from '../../src/numbers/row-product'
import { atOnce } from '../../src/numbers/steps'
import { uniform } from '../oracle'

const matrix = (rows: number, columns: number, seed: number): Float64Array[] =>
  Array.from({ length: rows }, (_, i) => Float64Array.from(uniform(columns, -1, 1, seed + i)))

const product = (a: readonly Float64Array[], b: readonly Float64Array[]): number[][] =>
  a.map((row) => Array.from(b[0], (_, j) => row.reduce((sum, v, k) => sum + v * b[k][j], 0)))

describe('solveSquare', () => {
  it.each([1, 2, 7, 40])('of size %i: A X is B', (n) => {
    const [a, x] = [matrix(n, n, 10), matrix(n, 3, 900)]
    // a pivot of 0 on the diagonal
    a[0][0] = n > 1 ? 0 : 0.5
    const right = product(a, x).map((row) => Float64Array.from(row))
    expect(
      atOnce(
        solveSquare(
          a.map((row) => row.slice()),
          right,
        ),
      ),
    ).toBe(true)
    for (const [i, row] of right.entries()) for (const [j, v] of row.entries()) expect(v).toBeCloseTo(x[i][j], 8)
  })

  it('says that a matrix has no inverse', () => {
    const a = matrix(5, 5, 3)
    a[4] = a[0].map((v, i) => v - 2 * a[1][i])
    expect(atOnce(solveSquare(a, matrix(5, 1, 50)))).toBe(false)
    expect(atOnce(solveSquare([new Float64Array(2), new Float64Array(2)], matrix(2, 1, 1)))).toBe(false)
  })
})

describe('rowProduct', () => {
  it('is xᵀ M, in parts', () => {
    const [x, m] = [matrix(1, 200, 5)[0], matrix(200, 3, 20)]
    const steps = rowProduct(x, Float64Array.from(m.flatMap((row) => [...row])), 3)
    let parts = 0
    let found = steps.next()
    for (; !found.done; found = steps.next()) parts++
    expect(parts).toBe(3)
    const [expected] = product([x], m)
    for (const [j, v] of (found.value as Float64Array).entries()) expect(v).toBeCloseTo(expected[j], 10)
  })
})
