import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { rouge } from '../../src/metrics'

describe('ROUGE', () => {
  it('is what counting by hand gives', () => {
    // 1 2 3 4 against 1 3 2 4 5: four tokens in common, no pair but none, a subsequence of three
    const { rouge1, rouge2, rougeL } = rouge([1, 2, 3, 4], [1, 3, 2, 4, 5])
    expect(rouge1).toBeCloseTo((2 * 4) / 9)
    expect(rouge2).toBe(0)
    expect(rougeL).toBeCloseTo((2 * 3) / 9)
    // a token counts as often as it occurs in both
    expect(rouge([7, 7, 7], [7, 8])).toEqual({ rouge1: 2 / 5, rouge2: 0, rougeL: 2 / 5 })
    expect(rouge([1, 2, 1, 2], [1, 2]).rouge2).toBeCloseTo(2 / 4)
    expect(rouge([], [1])).toEqual({ rouge1: 0, rouge2: 0, rougeL: 0 })
  })

  it('is symmetric, between 0 and 1, 1 for equal sequences, and ROUGE-L is at most ROUGE-1', () => {
    const tokens = fc.array(fc.nat(5), { maxLength: 12 })
    fc.assert(
      fc.property(tokens, tokens, (a, b) => {
        const measured = rouge(a, b)
        expect(measured).toEqual(rouge(b, a))
        for (const v of Object.values(measured)) expect(v >= 0 && v <= 1).toBe(true)
        expect(measured.rougeL).toBeLessThanOrEqual(measured.rouge1)
        if (a.length > 1) expect(rouge(a, a)).toEqual({ rouge1: 1, rouge2: 1, rougeL: 1 })
      }),
    )
  })
})
