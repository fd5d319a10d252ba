import { describe, expect, it } from 'vitest'
import { normOf } from '../../src/numbers/norms'
import { random } from '../../src/numbers/random'
import { atOnce } from '../../src/numbers/steps'
import {
  fittedFactor,
  innerProduct,
  meanOfTwo,
  relativeDistance,
  relativeOf,
  squaresApart,
} from '../../src/numbers/stretches'
import { flat } from '../../src/numbers/values'

/** More numbers than are gone through between two yields, and a tensor of none. */
const SIZES = [5, 0, 300_000, 1]

function tensors(seed: number): Float64Array[] {
  const { normal } = random(1, seed)
  return SIZES.map((size) => Float64Array.from({ length: size }, () => normal()))
}

const [a, b] = [tensors(1), tensors(2)]
const [one, other] = [flat(a), flat(b)]

describe('comparisons of large gradients', () => {
  it('give what the plain formulas give', () => {
    const product = one.reduce((sum, v, i) => sum + v * other[i], 0)
    const factor = product / one.reduce((sum, v) => sum + v * v, 0)
    expect(atOnce(innerProduct(a, b))).toBeCloseTo(product, 8)
    expect(atOnce(fittedFactor(a, b))).toBeCloseTo(factor, 12)
    const off = normOf([one.map((v, i) => 2 * v - other[i])]) / normOf([other])
    expect(atOnce(relativeDistance(a, b, 2))).toBeCloseTo(off, 12)
    expect(flat(atOnce(meanOfTwo(a, b)))).toEqual(one.map((v, i) => (v + other[i]) / 2))
    const own = normOf([a[2].map((v, i) => v - b[2][i])]) / normOf([b[2]])
    expect(relativeOf(atOnce(squaresApart(a, b)), [2])).toBeCloseTo(own, 12)
  })

  it('rest on the way', () => {
    expect([...squaresApart(a, b)].length).toBeGreaterThan(2)
    expect([...meanOfTwo(a, b)].length).toBeGreaterThan(2)
  })

  it('hold for numbers whose squares are zero or infinite', () => {
    for (const unit of [1e-200, 1e200]) {
      const [x, y] = [[Float64Array.of(3 * unit, 0)], [Float64Array.of(3 * unit, 4 * unit)]]
      expect(atOnce(relativeDistance(x, y))).toBeCloseTo(4 / 5, 12)
      const off = atOnce(relativeDistance([Float64Array.of(1, 2)], [Float64Array.of(unit, 2 * unit)]))
      expect(off / Math.abs(1 / unit - 1)).toBeCloseTo(1, 12)
    }
  })

  it('of nothing are zero, and of something against nothing without a limit', () => {
    const [zero, some] = [[new Float64Array(2)], [Float64Array.of(0, 1)]]
    expect(atOnce(relativeDistance(zero, zero))).toBe(0)
    expect(atOnce(relativeDistance(some, zero))).toBe(Number.POSITIVE_INFINITY)
    expect(atOnce(fittedFactor(zero, some))).toBe(1)
  })
})
