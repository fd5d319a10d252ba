import { describe, expect, it } from 'vitest'
import { FLOAT32, floorsOf } from '../../src/measure/certainty/shared-residual'

/** Six tensors of norm 1, and a point that leaves this part of the squared norm of each. */
function left(part: number, tensors = 6) {
  const shared = Array.from({ length: tensors }, () => new Float64Array(4).fill(0.5))
  const reached = shared.map((values) => values.map((v) => v * (1 - Math.sqrt(part))))
  return floorsOf({ shared, reached, beside: [reached, reached], lost: shared.map(() => 0) })
}

describe('the floor of what was shared', () => {
  it('is that of one tensor where a search came as close as float32 goes', () => {
    // ‖r‖² of a tensor beside its floor of 1e-12 + 12 · 1e-12, over six of them
    expect(left(1e-12).floor).toBeCloseTo((FLOAT32 + 12e-12) / 6, 15)
    expect(left(9e-11).floor / ((FLOAT32 + 12 * 9e-11) / 6)).toBeCloseTo(1, 6)
  })

  it('counts what all tensors leave together where a search came to rest above that: a valley may hold all of it', () => {
    // in each direction of the valley, 1 + 6 · 12 · 2e-8 / (12 · 2e-8 + 1e-12) times as much
    expect(left(2e-8).floor / ((FLOAT32 + 12 * 2e-8) / 6)).toBeCloseTo(7, 4)
    expect(left(2e-8, 1).floor / (FLOAT32 + 12 * 2e-8)).toBeCloseTo(2, 4)
  })
})
