import { describe, expect, it } from 'vitest'
import { random } from '../../src/numbers/random'

const draws = (count: number, draw: () => number): number[] => Array.from({ length: count }, draw)

describe('random', () => {
  it('gives the same numbers in every version', () => {
    expect(draws(4, random(1234, 0).uniform)).toMatchInlineSnapshot(`
      [
        0.2825723222922534,
        0.8412573696114123,
        0.5761133623309433,
        0.8243477426003665,
      ]
    `)
    expect(draws(4, random(1234, 0).normal)).toMatchInlineSnapshot(`
      [
        0.44210200858802784,
        -0.684625505002353,
        0.5900212468955601,
        -1.1698091191235265,
      ]
    `)
  })

  it('gives another stream for every seed and every part of it', () => {
    const seeds = [
      [0],
      [1],
      [-1],
      [2 ** 32 - 1],
      [2 ** 32],
      [2 ** 32 + 1],
      [2 ** 52],
      [-(2 ** 52)],
      [0, 1],
      [1, 0],
      [1, 1],
    ]
    const firsts = seeds.map((seed) => random(...seed).uniform())
    expect(new Set(firsts).size).toBe(seeds.length)
  })

  it('is uniform in [0, 1)', () => {
    const values = draws(20_000, random(5).uniform)
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...values)).toBeLessThan(1)
    // four standard errors of the count in a tenth
    for (let k = 0; k < 10; k++) {
      const count = values.filter((v) => Math.floor(10 * v) === k).length
      expect(Math.abs(count - 2000)).toBeLessThan(4 * Math.sqrt(20_000 * 0.09))
    }
  })

  it('is normal: mean, variance, kurtosis within five standard errors', () => {
    const n = 20_000
    const values = draws(n, random(5).normal)
    const moment = (k: number) => values.reduce((sum, v) => sum + v ** k, 0) / n
    expect(Math.abs(moment(1))).toBeLessThan(5 / Math.sqrt(n))
    expect(Math.abs(moment(2) - 1)).toBeLessThan(5 * Math.sqrt(2 / n))
    expect(Math.abs(moment(4) - 3)).toBeLessThan(5 * Math.sqrt(96 / n))
  })

  it('gives neighbouring restarts unrelated streams', () => {
    const [a, b] = [random(1234, 0), random(1234, 1)]
    const n = 20_000
    const product = draws(n, () => a.normal() * b.normal()).reduce((sum, v) => sum + v, 0) / n
    expect(Math.abs(product)).toBeLessThan(5 / Math.sqrt(n))
  })
})
