import { describe, expect, it } from 'vitest'
import { adam, lbfgs, type Optimizer, type OptimizerState, recover } from '../../src/optim'
import { type Objective, rosenbrock, run, sigmoids, startOf } from './problems'

/** Σ eˣ − x: minimum 1 per coordinate at 0, almost straight far to the left, overflow far to the right. */
const overflowing: Objective = (x) => ({
  value: x.reduce((sum, xi) => sum + Math.exp(xi) - xi, 0),
  gradient: x.map((xi) => Math.exp(xi) - 1),
})

/** Gradient descent without `restart`, answering late. */
const descent = (rate: number): Optimizer<OptimizerState> => ({
  name: 'descent',
  init: (point) => ({ point: point.slice(), iteration: 0, evaluations: 0 }),
  step: async ({ point, iteration, evaluations }, { gradient }) => ({
    point: point.map((x, i) => x - rate * gradient[i]),
    iteration: iteration + 1,
    evaluations: evaluations + 1,
  }),
})

describe('recover', () => {
  it('brings L-BFGS back from an overflow it would end in', () => {
    const start = Float64Array.of(-8, -2, -7)
    expect(run(lbfgs(), overflowing, start).at(-1)!.stopped).toBe('diverged')
    const last = run(recover(lbfgs()), overflowing, start).at(-1)!
    expect(last.recoveries).toBeGreaterThan(0)
    expect(last.stopped).not.toBe('diverged')
    expect(last.best.value).toBeCloseTo(3, 8)
  })

  it('brings L-BFGS back to a basin it would leave for a plateau', () => {
    const start = startOf('sigmoids', 12)
    expect(sigmoids(run(lbfgs(), sigmoids, start).at(-1)!.point).value).toBeGreaterThan(100)
    const last = run(recover(lbfgs(), { factor: 2 }), sigmoids, start).at(-1)!
    expect(last.recoveries).toBeGreaterThan(0)
    expect(last.best.value).toBeLessThan(1e-8)
  })

  it('changes nothing while nothing fails', () => {
    const start = startOf('rosenbrock', 10)
    const options = { lineSearch: 'strong-wolfe' } as const
    const plain = run(lbfgs(options), rosenbrock, start)
    const wrapped = run(recover(lbfgs(options)), rosenbrock, start)
    expect(wrapped.map((state) => state.inner)).toEqual(plain)
    expect(wrapped.map(({ iteration, evaluations, stopped }) => ({ iteration, evaluations, stopped }))).toEqual(
      plain.map(({ iteration, evaluations, stopped }) => ({ iteration, evaluations, stopped })),
    )
  })

  it('leaves the trials of a line search alone, however bad', () => {
    const optimizer = recover(lbfgs({ lineSearch: 'strong-wolfe', learningRate: 1e4 }))
    const states = run(optimizer, overflowing, Float64Array.of(-8, -2, -7))
    const trials = states.filter((state) => state.trial).map((state) => overflowing(state.point).value)
    expect(trials.some((value) => value === Infinity)).toBe(true)
    expect(states.at(-1)).toMatchObject({ recoveries: 0 })
    expect(states.at(-1)!.best.value).toBeCloseTo(3, 8)
  })

  it('keeps the best of all evaluations', () => {
    const states = run(recover(adam({ learningRate: 1 })), rosenbrock, Float64Array.of(-1.2, 1), 200)
    const values = states.map((state) => rosenbrock(state.point).value)
    states.slice(1).forEach((state, k) => {
      expect(state.best.value).toBe(Math.min(...values.slice(0, k + 1)))
      expect(rosenbrock(state.best.point).value).toBe(state.best.value)
    })
  })

  it('shortens the first step tenfold with every failure in a row, then stops as diverged at the best point', () => {
    // Only the start is finite.
    const spike: Objective = ([x]) => ({ value: x === 2 ? 1 : Number.NaN, gradient: Float64Array.of(1) })
    const states = run(recover(lbfgs(), { attempts: 3 }), spike, Float64Array.of(2))
    const steps = states.map((state) => 2 - state.point[0]).filter((step) => step !== 0)
    expect(steps.map((step) => Number(step.toPrecision(6)))).toEqual([1, 0.1, 0.01, 0.001])
    expect(states.at(-1)).toMatchObject({
      stopped: 'diverged',
      recoveries: 3,
      evaluations: 8,
      point: Float64Array.of(2),
    })
  })

  it('counts iterations and evaluations on', () => {
    const states = run(recover(adam({ learningRate: 30 })), rosenbrock, startOf('rosenbrock', 2), 100)
    expect(states.at(-1)!.recoveries).toBeGreaterThan(0)
    states.slice(1).forEach((state, k) => {
      const step = state.iteration - states[k].iteration
      expect(state.evaluations).toBe(k + 1)
      expect(step).toBe(state.recoveries > states[k].recoveries || state.stopped === 'diverged' ? 0 : 1)
    })
  })

  it('stops as diverged when the very first value is not finite', () => {
    const states = run(
      recover(lbfgs()),
      () => ({ value: Number.NaN, gradient: Float64Array.of(0) }),
      Float64Array.of(5),
    )
    expect(states.at(-1)).toMatchObject({ stopped: 'diverged', evaluations: 1, point: Float64Array.of(5) })
  })

  it('compares differences where the best value is negative', () => {
    const values = [-1, 7.9, 8.1]
    const optimizer = recover(adam())
    let state = optimizer.init(Float64Array.of(0))
    const recoveries = values.map((value) => {
      state = optimizer.step(state, { value, gradient: Float64Array.of(1) }) as typeof state
      return state.recoveries
    })
    expect(recoveries).toEqual([0, 0, 1])
  })

  it('with an infinite factor goes back from what is not finite alone', () => {
    const values = [1, 1e9, 0.5, 1e300, Number.POSITIVE_INFINITY, 2, 0, 1e-300, Number.NaN]
    const optimizer = recover(adam(), { factor: Number.POSITIVE_INFINITY })
    let state = optimizer.init(Float64Array.of(0))
    const recoveries = values.map((value) => {
      state = optimizer.step(state, { value, gradient: Float64Array.of(1) }) as typeof state
      return state.recoveries
    })
    expect(recoveries).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 2])
    expect(state).toMatchObject({ best: { value: 0 }, inner: { scale: 0.1 } })
  })

  it('can itself be restarted: it forgets the best, and the schedule goes on', () => {
    const optimizer = recover(adam({ steps: 10, decay: 'linear', epsilon: 1e-12 }))
    const slope: Objective = (x) => ({ value: 7 + x[0], gradient: Float64Array.of(1) })
    const half = run(optimizer, slope, Float64Array.of(0), 5).at(-1)!
    const again = optimizer.restart!(half, Float64Array.of(3), 0.5)
    expect(again).toMatchObject({ iteration: 5, evaluations: 5, failures: 0, best: { value: Infinity } })
    expect([...again.point]).toEqual([3])
    const next = optimizer.step(again, slope(again.point)) as typeof again
    // a rate of 0.1 halved by the schedule and once more by the scale
    expect(next.point[0]).toBeCloseTo(3 - 0.025, 9)
    expect(next).toMatchObject({ iteration: 6, best: { value: 10 } })
  })

  it('wraps an asynchronous optimizer without restart', async () => {
    const optimizer = recover(descent(1.5), { attempts: 2 })
    let state = optimizer.init(Float64Array.of(1, 2))
    const bowl: Objective = (x) => ({ value: x.reduce((s, v) => s + v * v, 0), gradient: x.map((v) => 2 * v) })
    while (!state.stopped) state = await optimizer.step(state, bowl(state.point))
    // x ← −2x quadruples the value each step: 5, 20, 80 > 10·5. Three times.
    expect(state).toMatchObject({ stopped: 'diverged', recoveries: 2, evaluations: 9, iteration: 6 })
    expect(Array.from(state.point)).toEqual([1, 2])
  })
})
