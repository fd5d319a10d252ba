import { expect, it } from 'vitest'
import { solvePositive } from '../../src/numbers/positive-definite'
import { atOnce } from '../../src/numbers/steps'
import { uniform } from '../oracle'

const n = 7
const rows = Array.from({ length: n }, (_, i) => Array.from(uniform(n, -1, 1, i + 1)))
/** R Rᵀ + I/10 */
const matrix = rows.map((a, i) =>
  Float64Array.from(rows, (b, j) => a.reduce((sum, v, k) => sum + v * b[k], 0) + (i === j ? 0.1 : 0)),
)
const copied = () => matrix.map((row) => row.slice())

it('solves for several right sides: the matrix times what is found is what was given', () => {
  const given = [3, 4].map((seed) => Float64Array.from(uniform(n, -1, 1, seed)))
  const found = given.map((column) => column.slice())
  expect(atOnce(solvePositive(copied(), found))).toBe(true)
  for (const [c, x] of found.entries())
    for (const [i, row] of matrix.entries())
      expect(row.reduce((sum, v, j) => sum + v * x[j], 0)).toBeCloseTo(given[c][i], 12)
})

it('says that a matrix is not positive definite', () => {
  const indefinite = copied()
  indefinite[4][4] = -1
  expect(atOnce(solvePositive(indefinite, [new Float64Array(n)]))).toBe(false)
})
