import { EigenvalueDecomposition, Matrix } from 'ml-matrix'
import { describe, expect, it } from 'vitest'
import { atOnce } from '../../src/numbers/steps'
import { symmetricEigen } from '../../src/numbers/symmetric-eigen'
import { uniform } from '../oracle'

/** Σ u uᵀ over some random vectors u. */
function gram(size: number, rank: number): Float64Array[] {
  const values = uniform(size * rank, -1, 1, size + rank)
  return Array.from({ length: size }, (_, i) =>
    Float64Array.from({ length: size }, (_, j) => {
      let sum = 0
      for (let k = 0; k < rank; k++) sum += values[k * size + i] * values[k * size + j]
      return sum
    }),
  )
}

describe('eigenvalues of a symmetric matrix', () => {
  it.each([
    [1, 1],
    [2, 2],
    [5, 3],
    [24, 24],
    [40, 7],
  ])('of size %i and rank %i: those of another implementation, with their vectors', (size, rank) => {
    const matrix = gram(size, rank)
    const { values, vectors } = atOnce(symmetricEigen(matrix.map((row) => row.slice())))
    const other = new EigenvalueDecomposition(new Matrix(matrix.map((row) => [...row])), { assumeSymmetric: true })
    const expected = [...other.realEigenvalues].sort((a, b) => b - a)
    values.forEach((v, i) => {
      expect(v).toBeCloseTo(expected[i], 10)
      matrix.forEach((row, j) => {
        expect(row.reduce((sum, a, k) => sum + a * vectors[i][k], 0)).toBeCloseTo(v * vectors[i][j], 10)
      })
      for (let k = 0; k < size; k++)
        expect(vectors[i].reduce((sum, a, j) => sum + a * vectors[k][j], 0)).toBeCloseTo(i === k ? 1 : 0, 10)
    })
  })

  it('of a diagonal matrix, of zeros, and of equal values', () => {
    const diagonal = (list: number[]) => list.map((v, i) => Float64Array.from(list, (_, j) => (i === j ? v : 0)))
    for (const list of [
      [3, -1, 2],
      [0, 0, 0],
      [1, 1, 1, 1],
    ])
      expect([...atOnce(symmetricEigen(diagonal(list))).values]).toEqual([...list].sort((a, b) => b - a))
  })

  it.each([2 ** -1000, 2 ** -600, 2 ** 900])('of numbers %d times as large: as many times as large', (scale) => {
    const [one, many] = [gram(9, 4), gram(9, 4).map((row) => row.map((v) => v * scale))].map(
      (matrix) => atOnce(symmetricEigen(matrix)).values,
    )
    one.forEach((v, i) => {
      expect(Math.abs(many[i] / scale - v)).toBeLessThan(1e-13 * one[0])
    })
  })

  it('stops whenever the caller does not go on', () => {
    const steps = symmetricEigen(gram(24, 24))
    let count = 0
    for (; !steps.next().done; count++);
    expect(count).toBeGreaterThan(40)
  })
})
