import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lbfgs, type StrongWolfeOptions, strongWolfe, type Trial } from '../../src/optim'
import { type Objective, run } from './problems'

/** A function of one variable and its derivative. */
type Curve = (t: number) => readonly [value: number, slope: number]

function search(curve: Curve, step: number, options: Partial<StrongWolfeOptions> = {}) {
  const at = (t: number): Trial => {
    const [value, slope] = curve(t)
    return { step: t, value, slope, gradient: Float64Array.of(slope) }
  }
  const lineSearch = strongWolfe(options)
  const start = at(0)
  const trials: Trial[] = []
  let state = lineSearch.init({ start, step, reach: 1 })
  while (!state.accepted) {
    trials.push(at(state.step))
    state = lineSearch.step(state, trials.at(-1)!)
  }
  return { start, trials, accepted: state.accepted }
}

describe('strongWolfe', () => {
  it('accepts steps that satisfy the strong Wolfe conditions, on any wavy parabola', () => {
    const number = (min: number, max: number) => fc.double({ min, max, noNaN: true })
    fc.assert(
      fc.property(
        fc.record({ bend: number(0.1, 10), minimum: number(0.1, 20), wave: number(0, 3), frequency: number(0.1, 4) }),
        number(0.01, 30),
        ({ bend, minimum, wave, frequency }, step) => {
          const curve: Curve = (t) => [
            bend * (t - minimum) ** 2 + wave * Math.cos(frequency * t),
            2 * bend * (t - minimum) - wave * frequency * Math.sin(frequency * t),
          ]
          const { start, trials, accepted } = search(curve, step)
          expect(trials.length).toBeLessThan(26)
          expect(accepted.value).toBeLessThanOrEqual(start.value + 1e-4 * accepted.step * start.slope)
          expect(Math.abs(accepted.slope)).toBeLessThanOrEqual(0.9 * Math.abs(start.slope))
        },
      ),
      { numRuns: 500 },
    )
  })

  it('closes in on the minimum when little of the slope may be left', () => {
    const { accepted } = search((t) => [Math.cosh(t - 2), Math.sinh(t - 2)], 1, { remainingSlope: 0.001 })
    expect(accepted.step).toBeCloseTo(2, 2)
  })

  it('finds a cubic polynomial minimum in one interpolation', () => {
    const { trials, accepted } = search((t) => [t ** 3 - 3 * t, 3 * t * t - 3], 4, { remainingSlope: 1e-3 })
    expect(trials.length).toBe(2)
    expect(accepted.step).toBeCloseTo(1, 12)
  })

  it('bisects toward the start past trials that are NaN or infinite', () => {
    const cliff: Curve = (t) =>
      t < 0.3 ? [(t - 0.2) ** 2, 2 * (t - 0.2)] : [t < 3 ? Number.NaN : Infinity, Number.NaN]
    const { trials, accepted } = search(cliff, 8)
    expect(trials.slice(0, 6).map((trial) => trial.step)).toEqual([8, 4, 2, 1, 0.5, 0.25])
    expect(accepted.step).toBeLessThan(0.3)
    expect(accepted.value).toBeLessThan(0.04)
  })

  it('takes a value of minus infinity for an overflow, not for a minimum', () => {
    const { accepted } = search((t) => (t < 1 ? [-t, -1] : [-Infinity, -1]), 4)
    expect(accepted.step).toBeLessThan(1)
  })

  it('gives the start back when nothing finite lies ahead', () => {
    const { start, trials, accepted } = search((t) => (t === 0 ? [1, -1] : [Number.NaN, Number.NaN]), 1)
    expect(accepted).toBe(start)
    expect(trials.length).toBe(26)
  })

  it('gives up at a kink, with the best trial, once the bracket is shorter than the tolerance', () => {
    const kink: Curve = (t) => [Math.abs(t - 2), t < 2 ? -1 : 1]
    const counts = [1e-2, 1e-4].map((changeTolerance) => {
      const { trials, accepted } = search(kink, 1.7, { remainingSlope: 0.5, changeTolerance })
      expect(accepted.value).toBe(Math.min(...trials.map((trial) => trial.value)))
      expect(accepted.value).toBeLessThan(changeTolerance)
      return trials.length
    })
    expect(counts[0]).toBeLessThan(counts[1])
    expect(counts[1]).toBeLessThan(26)
  })

  it('gives up after its iterations on a slope without end', () => {
    const { trials, accepted } = search((t) => [-t, -1], 1, { iterations: 4 })
    expect(trials.map((trial) => trial.step)).toEqual([1, 10, 100, 1000, 10000])
    expect(accepted.step).toBe(10000)
  })
})

describe('lbfgs with strongWolfe', () => {
  it('crosses a region where the objective is NaN', () => {
    // −log x − log(1 − x) + (x − 0.9)²·50 is NaN outside (0, 1).
    const barrier: Objective = ([x]) => ({
      value: -Math.log(x) - Math.log(1 - x) + 50 * (x - 0.9) ** 2,
      gradient: Float64Array.of(x > 0 && x < 1 ? -1 / x + 1 / (1 - x) + 100 * (x - 0.9) : Number.NaN),
    })
    const states = run(lbfgs({ lineSearch: 'strong-wolfe', learningRate: 20 }), barrier, Float64Array.of(0.01))
    const trials = states.filter((state) => state.trial).map((state) => barrier(state.point).value)
    expect(trials.some((value) => !Number.isFinite(value))).toBe(true)
    expect(Math.abs(barrier(states.at(-1)!.point).gradient[0])).toBeLessThan(1e-3)
  })

  it('never ends an iteration higher than it began', () => {
    const bumpy: Objective = (x) => ({
      value: x.reduce((sum, xi) => sum + xi * xi + 3 * Math.sin(3 * xi), 0),
      gradient: x.map((xi) => 2 * xi + 9 * Math.cos(3 * xi)),
    })
    const states = run(lbfgs({ lineSearch: 'strong-wolfe' }), bumpy, Float64Array.of(4, -3, 2.5, 0.4))
    const values = states.filter((state) => !state.trial).map((state) => bumpy(state.point).value)
    expect(values.length).toBeGreaterThan(2)
    values.slice(1).forEach((value, k) => {
      expect(value).toBeLessThanOrEqual(values[k])
    })
  })
})
