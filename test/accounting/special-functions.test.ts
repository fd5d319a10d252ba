import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fourier, timesPower } from '../../src/accounting/fourier'
import {
  incompleteBeta,
  logAdd,
  logErfc,
  logSubtract,
  lowerBound,
  normalCdf,
  normalQuantile,
} from '../../src/accounting/special-functions'

describe('special functions', () => {
  it('erfc has the values of Abramowitz and Stegun, and its tail', () => {
    for (const [x, erfc] of [
      [0.5, 0.4795001221869535],
      [1, 0.15729920705028513],
      [2, 0.004677734981047266],
      [5, 1.5374597944280349e-12],
      [-1, 1.8427007929497148],
    ])
      expect(Math.exp(logErfc(x)) / erfc).toBeCloseTo(1, 12)
    // erfc x → e^(−x²) / (x √π) (1 − 1/2x²)
    expect(logErfc(1e3)).toBeCloseTo(-1e6 - Math.log(1e3 * Math.sqrt(Math.PI)), 5)
    expect(logErfc(2 - 1e-12)).toBeCloseTo(logErfc(2), 10)
  })

  it('the normal quantile is the inverse of its distribution', () => {
    expect(normalQuantile(0.975)).toBeCloseTo(1.959963984540054, 12)
    fc.assert(
      fc.property(fc.double({ min: 1e-12, max: 1 - 1e-6, noNaN: true }), (p) => {
        expect(normalCdf(normalQuantile(p)) / p).toBeCloseTo(1, 9)
      }),
    )
  })

  it('the incomplete beta function is a sum of binomial probabilities', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 0.999, noNaN: true }), fc.integer({ min: 1, max: 40 }), (p, n) => {
        // P(Binomial(n, p) ≥ k) = I_p(k, n − k + 1)
        const choose = (k: number): number => (k === 0 ? 1 : (choose(k - 1) * (n - k + 1)) / k)
        for (const k of [1, Math.ceil(n / 2), n]) {
          let sum = 0
          for (let i = k; i <= n; i++) sum += choose(i) * p ** i * (1 - p) ** (n - i)
          expect(incompleteBeta(p, k, n - k + 1)).toBeCloseTo(sum, 11)
        }
      }),
      { numRuns: 50 },
    )
  })

  it("Clopper and Pearson's bound covers at least its confidence, by enumeration", () => {
    expect(lowerBound(8, 10, 0.975)).toBeCloseTo(0.4439045376923585, 10)
    expect(lowerBound(0, 10, 0.95)).toBe(0)
    expect(lowerBound(10, 10, 0.95)).toBeCloseTo(0.05 ** (1 / 10), 12)
    const n = 20
    const bounds = Array.from({ length: n + 1 }, (_, k) => lowerBound(k, n, 0.9))
    for (const p of [0.05, 0.3, 0.5, 0.77, 0.99]) {
      let covered = 0
      for (let k = 0, c = 1; k <= n; c = (c * (n - k)) / (k + 1), k++)
        if (bounds[k] <= p) covered += c * p ** k * (1 - p) ** (n - k)
      expect(covered).toBeGreaterThanOrEqual(0.9)
    }
  })

  it('sums and differences of logarithms', () => {
    expect(logAdd(1000, 1000)).toBeCloseTo(1000 + Math.LN2, 12)
    expect(logAdd(Number.NEGATIVE_INFINITY, 3)).toBe(3)
    expect(logSubtract(Math.log(5), Math.log(3))).toBeCloseTo(Math.LN2, 12)
    expect(logSubtract(2, 2)).toBe(Number.NEGATIVE_INFINITY)
  })

  it('the Fourier transform is its sum, and a power of it a convolution', () => {
    const size = 16
    const re = Float64Array.from({ length: size }, (_, i) => Math.sin(i * i))
    const im = Float64Array.from({ length: size }, (_, i) => Math.cos(3 * i))
    const sums = Array.from({ length: size }, (_, k) => {
      let [a, b] = [0, 0]
      for (let n = 0; n < size; n++) {
        const angle = (-2 * Math.PI * k * n) / size
        a += re[n] * Math.cos(angle) - im[n] * Math.sin(angle)
        b += re[n] * Math.sin(angle) + im[n] * Math.cos(angle)
      }
      return [a, b]
    })
    const given = { re: re.slice(), im: im.slice() }
    fourier(given)
    for (const [k, [a, b]] of sums.entries()) {
      expect(given.re[k]).toBeCloseTo(a, 12)
      expect(given.im[k]).toBeCloseTo(b, 12)
    }
    // five throws of a coin
    const coin = { re: Float64Array.from({ length: size }, (_, i) => (i < 2 ? 0.5 : 0)), im: new Float64Array(size) }
    fourier(coin)
    const product = { re: new Float64Array(size).fill(1), im: new Float64Array(size) }
    timesPower(product, coin, 5)
    fourier(product, true)
    expect([...product.re].slice(0, 7).map((v) => Math.round((v / size) * 32 * 1e9) / 1e9)).toEqual([
      1, 5, 10, 10, 5, 1, 0,
    ])
  })
})
