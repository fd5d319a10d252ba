import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AdamOptions, adam } from '../../src/optim'
import { himmelblau, type Objective, quadratic, run, startOf } from './problems'

/** f = gᵀx: the gradient is g everywhere. */
const linear = (...g: number[]): Objective => {
  return (x) => ({ value: x.reduce((sum, xi, i) => sum + g[i] * xi, 0), gradient: Float64Array.from(g) })
}

/** The steps −Δx of a run in one dimension on f = x. */
function steps(options: Partial<AdamOptions>, count: number, objective = linear(1)): number[] {
  const states = run(adam(options), objective, Float64Array.of(0), count)
  return states.slice(1).map((state, k) => states[k].point[0] - state.point[0])
}

describe('adam', () => {
  it('takes the first two steps of the closed form', () => {
    const objective: Objective = ([x]) => ({ value: x * x, gradient: Float64Array.of(2 * x) })
    const [, first, second] = run(adam({ epsilon: 1e-3 }), objective, Float64Array.of(3), 2)
    // m̂ = g and √v̂ = |g| after one step.
    expect(first.point[0]).toBeCloseTo(3 - (0.1 * 6) / (6 + 1e-3), 12)
    const g = 2 * first.point[0]
    const mean = (0.9 * 0.1 * 6 + 0.1 * g) / (1 - 0.81)
    const square = (0.999 * 0.001 * 36 + 0.001 * g * g) / (1 - 0.999 ** 2)
    expect(second.point[0]).toBeCloseTo(first.point[0] - (0.1 * mean) / (Math.sqrt(square) + 1e-3), 12)
  })

  it('does not see the scale of the objective', () => {
    fc.assert(
      fc.property(fc.integer({ min: -20, max: 20 }), (exponent) => {
        const scaled: Objective = (x) => {
          const { value, gradient } = himmelblau(x)
          return { value: 2 ** exponent * value, gradient: gradient.map((g) => 2 ** exponent * g) }
        }
        const path = (f: Objective) => run(adam({ epsilon: 1e-300 }), f, Float64Array.of(1, 1), 20).at(-1)!.point
        expect(Array.from(path(scaled))).toEqual(Array.from(path(himmelblau)))
      }),
      { numRuns: 20 },
    )
  })

  it('minimises Himmelblau and an ill-conditioned quadratic', () => {
    const schedule = { steps: 800, decay: 'linear' } as const
    expect(himmelblau(run(adam(schedule), himmelblau, Float64Array.of(1, 1), 800).at(-1)!.point).value).toBeLessThan(
      1e-8,
    )
    const last = run(adam(schedule), quadratic, startOf('quadratic', 20), 800).at(-1)!
    expect(quadratic(last.point).value).toBeLessThan(1e-4)
  })

  it('counts one evaluation per iteration', () => {
    expect(run(adam(), himmelblau, Float64Array.of(0, 0), 17).at(-1)).toMatchObject({ iteration: 17, evaluations: 17 })
  })

  it('sees only signs with gradientSign sign', () => {
    const states = run(adam({ gradientSign: 'sign' }), linear(1e-6, -5e4, 0), new Float64Array(3), 10)
    const { point } = states.at(-1)!
    expect(point[0]).toBeCloseTo(-1, 6)
    expect(point[1]).toBeCloseTo(1, 6)
    expect(point[2]).toBe(0)
  })

  it('turns from tanh to the gradient itself with gradientSign soft', () => {
    // With β₁ = 0 and β₂ = 0.999, m is the gradient that Adam saw.
    const states = run(adam({ gradientSign: 'soft', steps: 4, beta1: 0 }), linear(3), Float64Array.of(0), 6)
    const seen = states.slice(1).map((state) => state.mean[0])
    const expected = [1, 0.75, 0.5, 0.25].map((s) => Math.tanh(3 * s) / s)
    for (let t = 0; t < 4; t++) expect(seen[t]).toBeCloseTo(expected[t], 12)
    expect(seen[4]).toBeCloseTo(3, 12)
  })

  it('clips the norm of the gradient, and leaves a shorter one alone', () => {
    const seen = (gradientClip: number) =>
      run(adam({ gradientClip, beta1: 0 }), linear(3, 4), new Float64Array(2), 1).at(-1)!.mean
    expect(seen(1)[0]).toBeCloseTo(0.6, 12)
    expect(seen(1)[1]).toBeCloseTo(0.8, 12)
    expect(Array.from(seen(6))).toEqual([3, 4])
  })

  it('decays ×0.1 at 3/8, 5/8 and 7/8 of the steps', () => {
    const taken = steps({ decay: 'step', steps: 16, epsilon: 1e-12 }, 16)
    const expected = Array.from({ length: 16 }, (_, t) => 0.1 * 0.1 ** (t < 6 ? 0 : t < 10 ? 1 : t < 14 ? 2 : 3))
    taken.forEach((step, t) => {
      expect(step / expected[t]).toBeCloseTo(1, 9)
    })
  })

  it('warms up, decays linearly to zero, evaluates the last point and stops', () => {
    const options = { decay: 'linear', steps: 6, warmup: 2, epsilon: 1e-12 } as const
    const taken = steps(options, 100)
    expect(taken.map((step) => Number(step.toFixed(9)))).toEqual([0.05, 0.1, 0.1, 0.075, 0.05, 0.025, 0])
    expect(run(adam(options), linear(1), Float64Array.of(0)).at(-1)).toMatchObject({ stopped: 'step', evaluations: 7 })
  })

  it('decays along half a cosine to zero, after the warm-up', () => {
    const options = { decay: 'cosine', steps: 10, warmup: 2, epsilon: 1e-12 } as const
    const taken = steps(options, 100)
    const expected = Array.from({ length: 11 }, (_, t) =>
      t < 2 ? 0.05 * (t + 1) : 0.05 * (1 + Math.cos((Math.PI * (t - 2)) / 8)),
    )
    taken.forEach((step, t) => {
      expect(step).toBeCloseTo(expected[t], 9)
    })
    expect(run(adam(options), linear(1), Float64Array.of(0)).at(-1)).toMatchObject({ stopped: 'step', evaluations: 11 })
  })

  it('projects every new point, into a copy', () => {
    const buffer = new Float64Array(2)
    const box = (point: Float64Array) => {
      point.forEach((x, i) => {
        buffer[i] = Math.min(1, Math.max(-1, x))
      })
      return buffer
    }
    const states = run(adam({ learningRate: 0.4, project: box }), linear(-1, 1), new Float64Array(2), 5)
    buffer.fill(99)
    expect(Array.from(states.at(-1)!.point)).toEqual([1, -1])
    expect(states[2].point[0]).toBeCloseTo(0.8, 6)
  })

  it('stops on a gradient that is not finite, without moving', () => {
    const states = run(adam(), () => ({ value: 1, gradient: Float64Array.of(Infinity) }), Float64Array.of(2))
    expect(states.at(-1)).toMatchObject({ stopped: 'diverged', point: Float64Array.of(2) })
  })

  it('goes on with its schedule and a scaled rate after a restart', () => {
    const optimizer = adam({ decay: 'linear', steps: 10, epsilon: 1e-12 })
    const half = run(optimizer, linear(1), Float64Array.of(0), 5).at(-1)!
    const restarted = optimizer.restart!(half, Float64Array.of(0), 0.1)
    expect(restarted).toMatchObject({ iteration: 5, evaluations: 5, age: 0 })
    expect(optimizer.step(restarted, linear(1)(restarted.point)).point[0]).toBeCloseTo(-0.1 * 0.1 * 0.5, 9)
  })
})
