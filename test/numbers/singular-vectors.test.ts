import { Matrix, SVD } from 'ml-matrix'
import { describe, expect, it } from 'vitest'
import { pseudoInverse, singularVectors } from '../../src/numbers/singular-vectors'
import { atOnce } from '../../src/numbers/steps'
import { uniform } from '../oracle'

const rowsOf = (values: ArrayLike<number>, columns: number): Float64Array[] =>
  Array.from({ length: values.length / columns }, (_, i) =>
    Float64Array.from({ length: columns }, (_, j) => values[i * columns + j]),
  )

const random = (rows: number, columns: number): Float64Array[] =>
  rowsOf(uniform(rows * columns, -1, 1, 100 * rows + columns), columns)

const product = (a: readonly Float64Array[], b: readonly Float64Array[]): Float64Array[] =>
  a.map((row) => b[0].map((_, j) => row.reduce((sum, v, k) => sum + v * b[k][j], 0)))

const largest = (rows: readonly Float64Array[]): number => Math.max(...rows.flatMap((row) => [...row].map(Math.abs)))

/** The largest difference, relative to the largest number of the first. */
const away = (a: readonly Float64Array[], b: readonly Float64Array[]): number =>
  largest(a.map((row, i) => row.map((v, j) => v - b[i][j]))) / (largest(a) || 1)

/** Every row nearly the same, as the features of one sentence's tokens are. */
const alike = random(9, 24).map((row, _, all) => row.map((v, j) => all[0][j] + 1e-7 * v))

const matrices: Record<string, Float64Array[]> = {
  'one number': [Float64Array.of(-3)],
  'more rows than columns': random(12, 5),
  'more columns than rows': random(5, 12),
  square: random(20, 20),
  'of rank 3': product(random(14, 3), random(3, 10)),
  'of equal rows': Array.from({ length: 6 }, () => Float64Array.of(1, -2, 3, 0.1)),
  'of nearly equal rows': alike,
  'of equal singular values': Array.from({ length: 5 }, (_, i) =>
    Float64Array.from({ length: 7 }, (_, j) => +(i === j)),
  ),
  'of rows of very different sizes': random(8, 11).map((row, i) => row.map((v) => v * 10 ** (-4 * i))),
  'of large numbers': random(6, 4).map((row) => row.map((v) => 1e200 * v)),
  zero: [new Float64Array(3), new Float64Array(3)],
}

describe('singular values and vectors', () => {
  it.each(Object.entries(matrices))(
    'of a matrix, %s: those of another implementation, with their vectors',
    (_, rows) => {
      const { values, left, right } = atOnce(singularVectors(rows))
      const other = new SVD(new Matrix(rows.map((row) => [...row])), { autoTranspose: true })
      const top = other.diagonal[0] || 1
      values.forEach((v, k) => {
        expect(Math.abs(v - other.diagonal[k])).toBeLessThan(1e-14 * top)
      })
      const scaled = right.map((row, k) => row.map((v) => v * values[k]))
      expect(away(rows, product(transposed(left), scaled))).toBeLessThan(1e-14)
      for (const vectors of [left, right])
        for (const [i, a] of vectors.entries())
          for (const [k, b] of vectors.entries())
            if (values[i] > 0 && values[k] > 0)
              expect(a.reduce((sum, v, j) => sum + v * b[j], 0)).toBeCloseTo(i === k ? 1 : 0, 12)
    },
  )

  // the decomposition of ml-matrix never ends here: what it compares with is below the smallest number
  it('of numbers below the normal ones', () => {
    const rows = random(7, 9)
    const { values, right } = atOnce(singularVectors(rows))
    const tiny = atOnce(singularVectors(rows.map((row) => row.map((v) => v * 2 ** -1030))))
    tiny.values.forEach((v, k) => {
      expect(v / 2 ** -1030 / values[k]).toBeCloseTo(1, 9)
      expect(Math.abs(right[k].reduce((sum, a, j) => sum + a * tiny.right[k][j], 0))).toBeCloseTo(1, 9)
    })
  })

  it('leave the matrix as it was', () => {
    const rows = random(4, 6)
    const before = rows.map((row) => row.slice())
    atOnce(singularVectors(rows))
    expect(rows).toEqual(before)
  })
})

describe('the pseudo-inverse', () => {
  it.each(Object.entries(matrices).filter(([name]) => !name.includes('sizes')))('of a matrix, %s', (_, a) => {
    const inverse = atOnce(pseudoInverse(a))
    expect(inverse.map((row) => row.length)).toEqual([...a[0]].map(() => a.length))
    // Moore and Penrose: A A⁺ A = A and A⁺ A A⁺ = A⁺
    expect(away(a, product(product(a, inverse), a))).toBeLessThan(1e-8)
    expect(away(inverse, product(product(inverse, a), inverse))).toBeLessThan(1e-8)
  })
})

const transposed = (rows: readonly Float64Array[]): Float64Array[] =>
  Array.from({ length: rows[0].length }, (_, j) => Float64Array.from(rows, (row) => row[j]))
