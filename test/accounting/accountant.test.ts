import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { epsilonOf, noiseMultiplierFor } from '../../src/accounting'
import { epsilonOfGaussian } from '../../src/accounting/gaussian'
import { leastNoise } from '../../src/accounting/least-noise'
import { rdpOfStep } from '../../src/accounting/rdp'

/** ln ∫ N(z; 0, σ²) (1 − q + q e^((2z − 1) / 2σ²))^α dz / (α − 1) by the trapezoidal rule: no series, no error function. */
function byQuadrature(q: number, sigma: number, order: number): number {
  const step = sigma / 200
  let sum = 0
  for (let z = -40 * sigma; z <= 40 * sigma + order + 1; z += step)
    sum += Math.exp(
      (-z * z) / (2 * sigma ** 2) + order * Math.log(1 - q + q * Math.exp((2 * z - 1) / (2 * sigma ** 2))),
    )
  return Math.log((sum * step) / (sigma * Math.sqrt(2 * Math.PI))) / (order - 1)
}

describe('the Rényi divergence of the sampled Gaussian mechanism', () => {
  it.each([
    [0.04, 1.5, 2.3],
    [0.04, 1.5, 1.05],
    [0.01, 0.6, 5.5],
    [0.5, 1, 3.7],
    [0.9, 2, 10.9],
    [0.04, 1.5, 7],
    [1e-3, 0.8, 9.1],
    [0.2, 0.5, 2],
  ])('is its integral for q = %d, σ = %d at order %d', (q, sigma, order) => {
    expect(rdpOfStep(q, sigma, order) / byQuadrature(q, sigma, order)).toBeCloseTo(1, 8)
  })

  it('is α / 2σ² where every example takes part', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.1, max: 20, noNaN: true }),
        fc.double({ min: 1.01, max: 60, noNaN: true }),
        (s, a) => {
          expect(rdpOfStep(1, s, a)).toBeCloseTo(a / (2 * s * s), 12)
          // and is continuous there, for the series too
          expect(rdpOfStep(1 - 1e-9, s, a) / rdpOfStep(1, s, a)).toBeCloseTo(1, 5)
        },
      ),
      { numRuns: 30 },
    )
  })
})

describe('ε of the values that Opacus tests', () => {
  it('Rényi: 2,250 steps with q = 0.04, σ = 1.5', () => {
    const { epsilon, accountant, order } = epsilonOf(
      { noiseMultiplier: 1.5, sampleRate: 0.04, steps: 2250 },
      { delta: 1e-5, accountant: 'rdp' },
    )
    expect(epsilon).toBeCloseTo(7.32911117143, 6)
    expect({ accountant, order }).toEqual({ accountant: 'rdp', order: 3.9 })
  })

  // Opacus gives the upper end of its bounds, 0.01 above the estimate; δ is 1e-6 but in the first row
  it.each([
    [1.5, 0.04, 2249, 1e-5, 6.777395712150674],
    [0.8, 0.001, 100, 1e-6, 0.27040336405801868],
    [1.5, 0.001, 100, 1e-6, 0.0393694193095203],
    [0.8, 0.2, 100, 1e-6, 24.3336641779],
    [3, 0.2, 100, 1e-6, 3.38122051],
  ])('privacy loss variable: σ = %d, q = %d, %d steps', (noiseMultiplier, sampleRate, steps, delta, golden) => {
    const { epsilon, bounds } = epsilonOf({ noiseMultiplier, sampleRate, steps }, { delta })
    const { lower, estimate, upper } = bounds!
    expect(epsilon).toBe(upper)
    expect(Math.abs(estimate - (golden - 0.01))).toBeLessThan(1.2e-3)
    expect(lower).toBeLessThan(golden - 0.01)
    expect(upper).toBeGreaterThan(estimate)
    expect(upper - lower).toBeLessThan(0.01 * upper + 5e-3)
  })

  it('noise multipliers for ε = 8', () => {
    const given = { epsilon: 8, delta: 1e-5, sampleRate: 0.04 }
    const rdp = (steps: number) => noiseMultiplierFor({ ...given, steps, accountant: 'rdp' })
    expect(rdp(2250).noiseMultiplier / 1.416).toBeCloseTo(1, 3)
    expect(rdp(2000).noiseMultiplier / 1.3562).toBeCloseTo(1, 3)
    expect(rdp(2000).spent.epsilon).toBeLessThanOrEqual(8)
    // the other way round for the slower accountant: what Opacus finds gives 8
    const { bounds } = epsilonOf({ noiseMultiplier: 1.34765625, sampleRate: 0.04, steps: 2250 }, { delta: 1e-5 })
    expect(bounds!.estimate / 8).toBeCloseTo(1, 2)
    const { noiseMultiplier, spent } = noiseMultiplierFor({ epsilon: 3, delta: 1e-5, sampleRate: 0.1, steps: 20 })
    expect(spent.accountant).toBe('prv')
    expect(spent.epsilon).toBeLessThanOrEqual(3)
    expect(spent.epsilon).toBeGreaterThan(0.998 * 3)
    expect(epsilonOf({ noiseMultiplier, sampleRate: 0.1, steps: 20 }, { delta: 1e-5 })).toEqual(spent)
  })
})

describe('the least noise', () => {
  /** σ of one Gaussian step in closed form. */
  const sigmaOf = (epsilon: number, delta: number): number => {
    let [low, high] = [0.01, 1e4]
    for (let i = 0; i < 60; i++) {
      const middle = Math.sqrt(low * high)
      if (epsilonOfGaussian(1 / middle, delta) > epsilon) low = middle
      else high = middle
    }
    return high
  }

  it.each([
    [0.003, 1e-5],
    [0.01, 1e-10],
    [2.5e-4, 1e-5],
    [30, 1e-5],
  ])('is found for ε that Rényi orders do not reach, and for large ones: ε = %d, δ = %d', (epsilon, delta) => {
    const { noiseMultiplier, spent } = noiseMultiplierFor({ epsilon, delta })
    expect(spent.epsilon).toBeLessThanOrEqual(epsilon)
    expect(spent.epsilon).toBeGreaterThan(0.998 * epsilon)
    const exact = sigmaOf(epsilon, delta)
    expect(noiseMultiplier).toBeGreaterThan(exact)
    expect(noiseMultiplier).toBeLessThan(1.01 * exact)
  })

  it('takes few looks at what noise spends, and finds none beyond the ends', () => {
    for (const start of [1e-2, 1, 1e4]) {
      let looks = 0
      const at = (noise: number) => {
        looks++
        return { noise, far: Math.log((3 / noise + 0.4 / noise ** 2) / 8) }
      }
      const found = leastNoise(at, 1e-4, { noise: start, far: 0, slope: -1 })!
      expect(found.far).toBeLessThanOrEqual(0)
      expect(found.far).toBeGreaterThanOrEqual(-1e-4)
      expect(looks).toBeLessThanOrEqual(8)
    }
    // ε jumps where a grid changes, and is 0 from some noise on
    const jump = leastNoise((noise) => ({ noise, far: noise < 3 ? 0.1 : -0.1 }), 1e-3, undefined)!
    expect(jump.noise / 3).toBeCloseTo(1, 4)
    const cliff = leastNoise((noise) => ({ noise, far: noise < 3 ? 1 / noise : -745 }), 1e-3, undefined)!
    expect(cliff.noise / 3).toBeCloseTo(1, 4)
    expect(leastNoise((noise) => ({ noise, far: 1 / noise }), 1e-3, undefined)).toBeUndefined()
    expect(leastNoise((noise) => ({ noise, far: -noise }), 1e-3, undefined)).toBeUndefined()
  })
})

describe('ε', () => {
  it('does not fall with more steps, however far each loss lies below 0 most of the time', () => {
    const phase = (steps: number) => ({ noiseMultiplier: 0.5, sampleRate: 1e-5, steps })
    const [few, more, most] = [7e5, 8e5, 1e6].map((steps) => epsilonOf(phase(steps), { delta: 1e-6 }).bounds!)
    for (const [before, after] of [
      [few, more],
      [more, most],
    ])
      for (const which of ['lower', 'estimate', 'upper'] as const) expect(after[which]).toBeGreaterThan(before[which])
    const rdp = epsilonOf(phase(1e6), { delta: 1e-6, accountant: 'rdp' }).epsilon
    expect(most.lower).toBeLessThan(rdp)
    expect(most.upper).toBeLessThan(rdp)
  })

  it.each([
    [1, 1],
    [3, 1],
    [2, 50],
    [0.4, 2],
  ])(
    'is that of the Gaussian mechanism in closed form without sampling: σ = %d, %d steps',
    (noiseMultiplier, steps) => {
      const exact = epsilonOfGaussian(Math.sqrt(steps) / noiseMultiplier, 1e-5)
      const { bounds } = epsilonOf({ noiseMultiplier, steps }, { delta: 1e-5 })
      expect(bounds!.estimate / exact).toBeCloseTo(1, 3)
      expect(bounds!.lower).toBeLessThan(exact)
      expect(bounds!.upper).toBeGreaterThan(exact)
      const rdp = epsilonOf({ noiseMultiplier, steps }, { delta: 1e-5, accountant: 'rdp' }).epsilon
      expect(rdp).toBeGreaterThan(exact)
      expect(rdp).toBeLessThan(1.25 * exact)
    },
  )

  it('falls with σ and δ, and grows with the steps and with q', () => {
    const sigma = fc.double({ min: 0.4, max: 8, noNaN: true })
    const q = fc.double({ min: 1e-4, max: 0.9, noNaN: true })
    const steps = fc.integer({ min: 1, max: 5000 })
    const of = (noiseMultiplier: number, sampleRate: number, steps: number, delta = 1e-5) =>
      epsilonOf({ noiseMultiplier, sampleRate, steps }, { delta, accountant: 'rdp' }).epsilon
    fc.assert(
      fc.property(sigma, q, steps, (s, rate, t) => {
        const here = of(s, rate, t)
        const slack = here * 1e-9
        expect(of(1.2 * s, rate, t)).toBeLessThanOrEqual(here + slack)
        expect(of(s, rate, t, 1e-4)).toBeLessThanOrEqual(here + slack)
        expect(of(s, rate, 2 * t)).toBeGreaterThanOrEqual(here - slack)
        expect(of(s, 1.1 * rate, t)).toBeGreaterThanOrEqual(here - slack)
      }),
      { numRuns: 12 },
    )
  })

  it('by the privacy loss variable is at most that by Rényi divergences, and both compose phases', () => {
    const phases = [
      { noiseMultiplier: 1, sampleRate: 0.02, steps: 100 },
      { noiseMultiplier: 2, sampleRate: 0.1, steps: 50 },
    ]
    const one = (accountant: 'rdp' | 'prv', steps: typeof phases) => epsilonOf(steps, { delta: 1e-6, accountant })
    const [rdp, prv] = [one('rdp', phases), one('prv', phases)]
    expect(prv.bounds!.estimate).toBeLessThan(rdp.epsilon)
    for (const phase of phases) expect(rdp.epsilon).toBeGreaterThan(one('rdp', [phase]).epsilon)
    // one phase in two parts is one phase
    const halves = [1, 2].map(() => ({ ...phases[1], steps: 25 }))
    const [whole, parts] = [one('prv', [phases[1]]), one('prv', halves)]
    expect(prv.bounds!.lower).toBeGreaterThan(whole.bounds!.upper)
    expect(parts.bounds!.estimate).toBeCloseTo(whole.bounds!.estimate, 8)
    expect(one('rdp', halves).epsilon).toBeCloseTo(one('rdp', [phases[1]]).epsilon, 10)
    expect(rdp.statement).toMatch(/^ε = \S+ at δ = 0.000001 by Rényi accounting, .*100 steps .* then 50 steps/)
    expect(prv.statement).toMatch(/by the privacy loss random variable/)
  })

  it('refuses what cannot be meant', () => {
    const good = { noiseMultiplier: 1, sampleRate: 0.1, steps: 10 }
    expect(() => epsilonOf([], { delta: 1e-5 })).toThrow(/one at least/)
    expect(() => epsilonOf({ ...good, sampleRate: 0 }, { delta: 1e-5 })).toThrow(/sampleRate is 0; it must be/)
    expect(() => epsilonOf({ ...good, sampleRate: 1e-13 }, { delta: 1e-5 })).toThrow(/must be a number from 1e-12 to 1/)
    expect(() => epsilonOf({ ...good, noiseMultiplier: 0 }, { delta: 1e-5 })).toThrow(/noiseMultiplier is 0; it must/)
    expect(() => epsilonOf({ ...good, steps: 1.5 }, { delta: 1e-5 })).toThrow(/steps is 1.5; it must be a whole/)
    expect(() => epsilonOf(good, { delta: 1 })).toThrow(/delta is 1; it must be/)
    expect(() => epsilonOf(good, { delta: 1e-12 })).toThrow(/delta is 1e-12; it must be .* with accountant 'prv'/)
    expect(epsilonOf(good, { delta: 1e-12, accountant: 'rdp' }).epsilon).toBeGreaterThan(0)
    expect(() => epsilonOf(good, { delta: 1e-5, accountant: 'gdp' as 'rdp' })).toThrow(/'rdp' or 'prv'/)
    expect(() => noiseMultiplierFor({ epsilon: 1e-9, delta: 1e-9, steps: 1e6, accountant: 'rdp' })).toThrow(
      /no noise from/,
    )
  })
})
