import { describe, expect, it } from 'vitest'
import { gaussNewton } from '../../../src/attacks/dager/gauss-newton'
import { atOnce, type Steps } from '../../../src/numbers/steps'

describe('gaussNewton', () => {
  /** Where a circle of radius 2 meets a line at a height, scaled so that a mistake in J shows. */
  const meet = (height: number, x: Float64Array) => {
    let asked = 0
    const at = (v: Float64Array) => {
      asked++
      return { x: v, left: Float64Array.of(v[0] ** 2 + v[1] ** 2 - 4, 3 * (v[1] - height)) }
    }
    function* jacobian({ x: v }: { x: Float64Array }): Steps<Float64Array[]> {
      yield
      return [Float64Array.of(2 * v[0], 0), Float64Array.of(2 * v[1], 3)]
    }
    return { end: atOnce(gaussNewton(at(x), at, jacobian)), asked: () => asked }
  }

  it('solves equations, from either side', () => {
    for (const side of [1, -1]) {
      const { end } = meet(1, Float64Array.of(5 * side, -3))
      expect(end.x[0]).toBeCloseTo(side * Math.sqrt(3), 6)
      expect(end.x[1]).toBeCloseTo(1, 6)
    }
  })

  it('returns the nearest point where there is no solution, and gives up soon', () => {
    const { end, asked } = meet(5, Float64Array.of(1, 1))
    expect(Math.hypot(...end.left)).toBeGreaterThan(3)
    expect(asked()).toBeLessThan(30)
  })

  it('leaves a point that solves them as it is', () => {
    const start = Float64Array.of(Math.sqrt(3), 1)
    expect(meet(1, start).end.x).toEqual(start)
  })
})
