import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type AdamOptions, adam, type LbfgsOptions, lbfgs, strongWolfe } from '../../src/optim'
import { objectives, run, startOf } from './problems'

interface Traces {
  lbfgs: {
    function: string
    n: number
    options: Partial<LbfgsOptions>
    values: number[]
    projections: number[]
    iterationEnds: number[]
    stuck: boolean
  }[]
  lineSearch: {
    bend: number
    minimum: number
    wave: number
    frequency: number
    step: number
    remainingSlope: number
    trials: number[]
    accepted: number
  }[]
  adam: { function: string; n: number; options: Partial<AdamOptions>; points: number[][] }[]
}

const traces: Traces = JSON.parse(readFileSync(new URL('torch-traces.json', import.meta.url), 'utf8'))

/** Largest |aᵢ − bᵢ| / max(1, |bᵢ|). */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length)
  return Math.max(...Array.from(a, (v, i) => Math.abs(v - b[i]) / Math.max(1, Math.abs(b[i]))))
}

describe('lbfgs is torch.optim.LBFGS', () => {
  it.each(
    traces.lbfgs.map((trace) => [`${trace.function} ${trace.n} ${JSON.stringify(trace.options)}`, trace] as const),
  )('%s', (_, trace) => {
    const objective = objectives[trace.function]
    const states = run(lbfgs(trace.options), objective, startOf(trace.function, trace.n), trace.values.length)
    const evaluated = states.slice(0, trace.values.length).map((state) => state.point)
    const values = evaluated.map((point) => objective(point).value)
    const projections = evaluated.map((point) => point.reduce((sum, x, i) => sum + Math.cos(i + 1) * x, 0))
    expect(distance(values, trace.values)).toBeLessThan(1e-9)
    expect(distance(projections, trace.projections)).toBeLessThan(1e-9)
    const ends = states.filter((state, k) => k > 0 && state.iteration > states[k - 1].iteration)
    expect(ends.map((state) => state.evaluations)).toEqual(trace.iterationEnds)
    // Where PyTorch would go on evaluating one point for ever.
    expect(states.at(-1)!.stopped !== undefined).toBe(trace.stuck)
  })
})

describe('strongWolfe is the _strong_wolfe of torch.optim.LBFGS', () => {
  it('trial for trial on wavy parabolas', () => {
    for (const { bend, minimum, wave, frequency, step, remainingSlope, trials, accepted } of traces.lineSearch) {
      const at = (t: number) => {
        const slope = 2 * bend * (t - minimum) - wave * frequency * Math.sin(frequency * t)
        const value = bend * (t - minimum) ** 2 + wave * Math.cos(frequency * t)
        return { step: t, value, slope, gradient: Float64Array.of(slope) }
      }
      const search = strongWolfe({ remainingSlope })
      const tried: number[] = []
      let state = search.init({ start: at(0), step, reach: 1 })
      while (!state.accepted) {
        tried.push(state.step)
        state = search.step(state, at(state.step))
      }
      expect(distance(tried, trials)).toBeLessThan(1e-9)
      expect(state.accepted.step).toBeCloseTo(accepted, 9)
    }
  })
})

describe('adam is torch.optim.Adam and AdamW', () => {
  it.each(traces.adam.map((trace) => [`${trace.function} ${JSON.stringify(trace.options)}`, trace] as const))(
    '%s',
    (_, trace) => {
      const objective = objectives[trace.function]
      const states = run(adam(trace.options), objective, startOf(trace.function, trace.n), trace.points.length)
      trace.points.forEach((point, k) => {
        expect(distance(states[k + 1].point, point)).toBeLessThan(1e-12)
      })
    },
  )
})
