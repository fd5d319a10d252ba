import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type LineSearch, type LineSearchState, lbfgs, type Optimizer } from '../../src/optim'
import type { Pairs } from '../../src/optim/two-loop'
import { beale, himmelblau, type Objective, quadratic, quartic, rosenbrock, run, startOf } from './problems'

const wolfe = { lineSearch: 'strong-wolfe' } as const

describe('lbfgs finds minima', () => {
  it.each([
    ['Rosenbrock in 2 dimensions', rosenbrock, startOf('rosenbrock', 2), 1e-8],
    ['Rosenbrock in 100 dimensions', rosenbrock, startOf('rosenbrock', 100), 1e-8],
    ['a quadratic of condition 1,000', quadratic, startOf('quadratic', 50), 1e-8],
    ['Beale', beale, Float64Array.of(1, 1), 1e-8],
    ['Himmelblau', himmelblau, Float64Array.of(-0.3, -0.9), 1e-8],
  ] as const)('%s, with strong Wolfe', (_, objective, start, tolerance) => {
    const last = run(lbfgs(wolfe), objective, start).at(-1)!
    expect(['gradient', 'direction']).toContain(last.stopped)
    expect(objective(last.point).value).toBeLessThan(tolerance)
  })

  it.each([
    ['Rosenbrock in 100 dimensions', rosenbrock, startOf('rosenbrock', 100)],
    ['a quadratic of condition 1,000', quadratic, startOf('quadratic', 50)],
    ['Beale', beale, Float64Array.of(1, 1)],
  ] as const)('%s, without a line search', (_, objective, start) => {
    expect(objective(run(lbfgs(), objective, start).at(-1)!.point).value).toBeLessThan(1e-8)
  })

  it('the quartic, whose Hessian almost vanishes at the minimum', () => {
    const last = run(lbfgs(wolfe), quartic, startOf('quartic', 8)).at(-1)!
    expect(Math.max(...quartic(last.point).gradient.map(Math.abs))).toBeLessThan(1e-4)
  })

  it('the right one of two coordinates when the other has no effect', () => {
    const objective: Objective = ([x]) => ({ value: (x - 3) ** 2, gradient: Float64Array.of(2 * (x - 3), 0) })
    const last = run(lbfgs(), objective, Float64Array.of(-1, 7)).at(-1)!
    expect(last.point[0]).toBeCloseTo(3, 9)
    expect(last.point[1]).toBe(7)
  })

  it('any convex quadratic, with a full history', () => {
    const vector = (length: number, min: number, max: number) =>
      fc.array(fc.double({ min, max, noNaN: true }), { minLength: length, maxLength: length })
    const problem = fc.integer({ min: 1, max: 8 }).chain((n) => fc.tuple(vector(n * n, -1, 1), vector(n, -5, 5)))
    fc.assert(
      fc.property(problem, ([entries, minimum]) => {
        const n = minimum.length
        // ½(x − x*)ᵀ(AᵀA + I)(x − x*)
        const objective: Objective = (x) => {
          const e = x.map((xi, i) => xi - minimum[i])
          const Ae = Array.from(e, (_, r) => e.reduce((sum, ei, c) => sum + entries[r * n + c] * ei, 0))
          const gradient = e.map((ei, c) => ei + Ae.reduce((sum, a, r) => sum + entries[r * n + c] * a, 0))
          return { value: 0.5 * gradient.reduce((sum, g, i) => sum + g * e[i], 0), gradient }
        }
        const optimizer = lbfgs({ ...wolfe, gradientTolerance: 1e-8, changeTolerance: 0 })
        const last = run(optimizer, objective, new Float64Array(n), 300).at(-1)!
        expect(last.stopped).toBe('gradient')
        // The smallest eigenvalue is at least 1, so ‖x − x*‖ ≤ ‖∇f‖.
        for (let i = 0; i < n; i++) expect(Math.abs(last.point[i] - minimum[i])).toBeLessThan(1e-7)
      }),
      { numRuns: 60 },
    )
  })
})

describe('lbfgs stops', () => {
  it('at once at a stationary point, which it does not leave', () => {
    const [, last, ...more] = run(lbfgs(), rosenbrock, Float64Array.of(1, 1))
    expect(more).toEqual([])
    expect(last).toMatchObject({ stopped: 'gradient', iteration: 1, evaluations: 1, point: Float64Array.of(1, 1) })
  })

  it('when the slope is too small to be worth a step', () => {
    const flat: Objective = (x) => ({ value: 1e-6 * x[0], gradient: Float64Array.of(1e-6) })
    expect(run(lbfgs(), flat, Float64Array.of(2)).at(-1)).toMatchObject({ stopped: 'direction', evaluations: 1 })
  })

  it('when a line search finds nothing better twice in a row', () => {
    // The gradient is a lie: the value rises along −g.
    const lie: Objective = ([x]) => ({ value: -x, gradient: Float64Array.of(1) })
    const states = run(lbfgs(wolfe), lie, Float64Array.of(0))
    expect(states.at(-1)).toMatchObject({ stopped: 'line-search', iteration: 2, point: Float64Array.of(0) })
  })

  it('on a gradient that is not finite, without moving', () => {
    const states = run(lbfgs(), () => ({ value: 1, gradient: Float64Array.of(Number.NaN) }), Float64Array.of(4))
    expect(states.at(-1)).toMatchObject({ stopped: 'diverged', evaluations: 1, point: Float64Array.of(4) })
  })
})

describe('lbfgs keeps to its options', () => {
  it('never holds more than historySize pairs, and drops the oldest', () => {
    const states = run(lbfgs({ ...wolfe, historySize: 3 }), rosenbrock, startOf('rosenbrock', 10), 60)
    expect(Math.max(...states.map((state) => (state.curvature as Pairs).pairs.length))).toBe(3)
    states.slice(1).forEach((state, k) => {
      const before = (states[k].curvature as Pairs).pairs
      const now = (state.curvature as Pairs).pairs
      if (now !== before && before.length === 3) expect(now.slice(0, 2)).toEqual(before.slice(1))
    })
  })

  it('leaves out pairs of negative curvature', () => {
    const concave: Objective = ([x]) => ({ value: Math.cos(x), gradient: Float64Array.of(-Math.sin(x)) })
    const states = run(lbfgs({ learningRate: 0.1 }), concave, Float64Array.of(0.1), 5)
    expect((states.at(-1)!.curvature as Pairs).pairs).toEqual([])
    expect(states.at(-1)!.point[0]).toBeGreaterThan(0.11)
  })

  it('takes a first step of length min(1, 1/‖g‖₁)·learningRate, times the scale after a restart', () => {
    const objective: Objective = (x) => ({ value: 0, gradient: x.map((xi) => 4 * xi) })
    const optimizer = lbfgs({ learningRate: 0.5 })
    const start = Float64Array.of(1, -1)
    const state = optimizer.step(optimizer.init(start), objective(start))
    expect(Array.from(state.point)).toEqual([1 - 4 * (0.5 / 8), -1 + 4 * (0.5 / 8)])
    const restarted = optimizer.restart!(state, start, 0.1)
    expect(restarted).toMatchObject({ point: start, evaluations: 1, curvature: { pairs: [] } })
    expect(optimizer.step(restarted, objective(start)).point[0]).toBeCloseTo(1 - 4 * (0.05 / 8), 14)
  })

  it("uses a caller's own line search", () => {
    // Backtracking: halve until the value is lower.
    const backtracking: LineSearch<LineSearchState & { limit: number }> = {
      name: 'backtracking',
      init: (ray) => ({ step: ray.step, limit: ray.start.value }),
      step: (state, trial) =>
        trial.value < state.limit ? { ...state, accepted: trial } : { ...state, step: state.step / 2 },
    }
    const states = run(lbfgs({ lineSearch: backtracking }), beale, Float64Array.of(1, 1), 200)
    expect(beale(states.at(-1)!.point).value).toBeLessThan(1e-8)
  })

  it('fits the general interface', async () => {
    const optimizer: Optimizer = lbfgs(wolfe)
    let state = optimizer.init(Float64Array.of(-1.2, 1))
    while (!state.stopped) state = await optimizer.step(state, rosenbrock(state.point))
    expect(state.point[1]).toBeCloseTo(1, 4)
  })
})
