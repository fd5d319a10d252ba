import fc from 'fast-check'
import { expect, it } from 'vitest'
import { roundedDown, roundedUp } from '../../src/accounting/rounded'

it('rounds a bound to the side on which it holds, by less than one unit of the last digit', () => {
  expect([roundedDown(1.5064, 3), roundedDown(1.506, 4), roundedUp(1.5031, 3)]).toEqual(['1.50', '1.506', '1.51'])
  expect([roundedDown(0.99996, 3), roundedUp(0.99996, 3), roundedUp(9.991, 3)]).toEqual(['0.999', '1.00', '10.0'])
  expect([roundedDown(0, 3), roundedUp(Number.POSITIVE_INFINITY, 3)]).toEqual(['0.00', 'Infinity'])
  fc.assert(
    fc.property(fc.double({ min: 1e-12, max: 1e12, noNaN: true }), fc.integer({ min: 1, max: 6 }), (value, digits) => {
      const [down, up] = [Number(roundedDown(value, digits)), Number(roundedUp(value, digits))]
      expect(down).toBeLessThanOrEqual(value)
      expect(up).toBeGreaterThanOrEqual(value)
      expect((up - down) / value).toBeLessThan(1.01 * 10 ** (1 - digits))
    }),
  )
})
