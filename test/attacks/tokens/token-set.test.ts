import { describe, expect, it } from 'vitest'
import { sequenceLength, tiedTokenSet, tokenSet } from '../../../src/analytic'
import { thrown } from '../../io/thrown'

const table = (...rows: number[][]) => ({ data: Float64Array.from(rows.flat()), width: rows[0].length })

describe('the rows of a table', () => {
  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('are refused where one has %s', (bad) => {
    const broken = table([0, 0], [1, 2], [0, bad], [3, 0])
    for (const read of [
      () => tokenSet(broken),
      () => sequenceLength(broken),
      () => tiedTokenSet(broken, Float64Array.of(0.1, 0.2, 0.3, -0.6), 1),
    ]) {
      const error = thrown(read)
      expect([error.code, error.message]).toEqual([
        'invalid-gradients',
        expect.stringContaining(`row 2 of the table has ${bad}; every number must be finite`),
      ])
    }
    const bias = Float64Array.of(0.1, bad, 0.3, -0.6)
    expect(thrown(() => tiedTokenSet(table([1], [2], [3], [4]), bias, 1)).message).toContain(`of token 1 is ${bad}`)
  })

  it('count however small or large they are: squares neither vanish nor overflow', () => {
    const rows = table([0, 0], [1e-200, 0], [0, -5e-324], [1e200, 1e200], [0, 0])
    expect(tokenSet(rows)).toEqual([1, 2, 3])
    expect(sequenceLength(rows)).toBe(4)
    expect(tokenSet(rows, 1e-199)).toEqual([3])
  })

  it('must be rows, and a threshold a number', () => {
    for (const width of [0, 4, 1.5, Number.NaN])
      expect(thrown(() => tokenSet({ data: new Float32Array(6), width })).message).toContain(
        `a table of 6 numbers has no rows of ${width}`,
      )
    expect(thrown(() => tokenSet(table([1]), Number.NaN)).code).toBe('invalid-option')
    expect(thrown(() => tokenSet(table([1]), -1)).message).toMatch(/threshold is -1/)
  })
})
