import { describe, expect, it } from 'vitest'
import { rowBasis } from '../../../src/attacks/dager/row-basis'
import { random } from '../../../src/numbers/random'
import { atOnce } from '../../../src/numbers/steps'
import { flat } from '../../../src/numbers/values'
import { inner, lengthOf, orthogonalPart } from '../../../src/numbers/vectors'

describe('rowBasis', () => {
  it.each([
    ['more rows than columns', 20, 9],
    ['more columns than rows', 9, 20],
  ])('is orthonormal and has all rows in it, of %s', (_, rows, width) => {
    const { normal } = random(3)
    const vector = (n: number) => Float64Array.from({ length: n }, normal)
    // directions of very different sizes, as gradients have them
    const read = [1, 1e-2, 1e-4].map((size) => vector(width).map((v) => size * v))
    const mixed = Array.from({ length: rows }, () => {
      const by = vector(read.length)
      return Float64Array.from({ length: width }, (_, j) => read.reduce((sum, own, k) => sum + by[k] * own[j], 0))
    })
    const basis = atOnce(rowBasis(flat(mixed), width, 3))
    for (const [i, a] of basis.entries())
      for (const [j, b] of basis.entries()) expect(inner(a, b)).toBeCloseTo(i === j ? 1 : 0, 10)
    for (const own of read) expect(lengthOf(orthogonalPart(own, basis)) / lengthOf(own)).toBeLessThan(1e-6)
  })
})
