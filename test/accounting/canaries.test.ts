import { describe, expect, it } from 'vitest'
import { auditMechanism, type Mechanism, reconstructionBound } from '../../src/accounting'
import { epsilonOfGaussian } from '../../src/accounting/gaussian'
import { random } from '../../src/numbers/random'

const C = 2

/** Clips each part of each example to C, adds them up, and adds noise to the sum. */
const gaussian =
  (noise: number, tensors = 1): Mechanism =>
  (examples, { normal }) => {
    const size = examples[0].length / tensors
    const sum = new Float64Array(examples[0].length)
    for (const example of examples)
      for (let t = 0; t < tensors; t++) {
        const part = example.subarray(t * size, (t + 1) * size)
        const factor = Math.min(1, C / Math.sqrt(part.reduce((s, v) => s + v * v, 0)))
        for (let i = 0; i < size; i++) sum[t * size + i] += factor * part[i]
      }
    return sum.map((v) => v + noise * C * normal())
  }

const claimOf = (sigma: number) => ({ epsilon: epsilonOfGaussian(1 / sigma, 1e-5), delta: 1e-5 })

describe('an audit by canaries', () => {
  it('stays below what an honest mechanism spends, in at least 95 of 100 runs', async () => {
    let below = 0
    let belowAny = 0
    for (let seed = 0; seed < 100; seed++) {
      const audit = await auditMechanism(gaussian(1), {
        ...{ dimensions: 600, norm: C, claim: claimOf(1), canaries: 30, seed },
      })
      if (!audit.spendsMore) below++
      if (audit.anyNoise <= audit.claim.epsilon) belowAny++
      expect(audit.epsilon <= audit.claim.epsilon).toBe(!audit.spendsMore)
    }
    expect(below).toBeGreaterThanOrEqual(95)
    expect(belowAny).toBeGreaterThanOrEqual(95)
  })

  const audited = (mechanism: Mechanism, sigma: number, norm = C) =>
    auditMechanism(mechanism, { dimensions: 3000, norm, claim: claimOf(sigma), seed: 5 })

  it('is close to the truth, and says so', async () => {
    const audit = await audited(gaussian(1), 1)
    expect(audit.spendsMore).toBe(false)
    expect(audit.epsilon).toBeGreaterThan(0.6 * audit.claim.epsilon)
    expect(audit.noiseMultiplier).toBeGreaterThan(1)
    expect(audit.noiseMultiplier).toBeLessThan(1.5)
    expect(audit.anyNoise).toBeLessThan(audit.epsilon)
    expect(audit.statement).toMatch(/with confidence 0.95, by 400 canaries .* not refuted, which is no proof/)
  })

  it.each([
    ['half the noise', gaussian(0.5), 1, C],
    ['a variance where a standard deviation is meant', gaussian(0.5 ** 2), 0.5, C],
    ['ε for each of four tensors without composition', gaussian(1, 4), 1, C * Math.sqrt(4)],
    ['no clipping at all', (examples, { normal }) => addedUp(examples).map((v) => v + C * normal()), 1, 3 * C],
    ['noise that is the same in two numbers', paired, 1, C],
  ] as [string, Mechanism, number, number][])('refutes %s', async (_, mechanism, sigma, norm) => {
    const audit = await audited(mechanism, sigma, norm)
    expect(audit.spendsMore).toBe(_ !== 'noise that is the same in two numbers')
    expect(audit.epsilon > audit.claim.epsilon).toBe(audit.spendsMore)
  })

  it('gives the same numbers for the same seed, for sum and mean alike, and keeps its canaries', async () => {
    const options = { dimensions: 500, norm: C, claim: claimOf(1), canaries: 50, seed: 9 }
    const one = await auditMechanism(gaussian(1), options)
    expect(await auditMechanism(gaussian(1), options)).toEqual(one)
    const overwriting: Mechanism = async (examples, random) => {
      const sum = await gaussian(1)(examples, random)
      for (const example of examples) example.fill(0)
      return Float64Array.from(sum, (v) => v / 50)
    }
    const mean = await auditMechanism(overwriting, options)
    expect({ ...mean }).toEqual(one)
  })

  it('says for which noise its bound holds, and rounds the bound down', async () => {
    const dimensions = 400
    const noisy: Mechanism = (examples, { normal }) => addedUp(examples).map((v) => v + normal())
    for (let seed = 0; seed < 30; seed++) {
      const claim = { epsilon: 0.5, delta: 1e-2 }
      const { statement, epsilon } = await auditMechanism(noisy, { dimensions, norm: 1, claim, canaries: 40, seed })
      expect(statement).toContain('for normal noise of a fixed size; the claim')
      expect(Number(/at least ([\d.e+-]+)/.exec(statement)![1])).toBeLessThanOrEqual(epsilon)
    }
  })

  it('refuses mechanisms that return something else', async () => {
    const options = { dimensions: 500, norm: C, claim: claimOf(1), canaries: 50 }
    const returning = (what: unknown) => auditMechanism((() => what) as Mechanism, options)
    await expect(returning(new Float64Array(3))).rejects.toThrow(/returned 3 numbers; it must return .* 500/)
    await expect(returning(new Float64Array(500))).rejects.toThrow(/zeros alone/)
    await expect(returning(new Float64Array(500).fill(Number.NaN))).rejects.toThrow(/NaN at position 0/)
    await expect(returning('word')).rejects.toThrow(/'word'/)
    await expect(auditMechanism(gaussian(1), { ...options, canaries: 501 })).rejects.toThrow(/at most 500/)
  })
})

function addedUp(examples: readonly Float64Array[]): Float64Array {
  const sum = new Float64Array(examples[0].length)
  for (const example of examples) for (let i = 0; i < sum.length; i++) sum[i] += example[i]
  return sum
}

/** The right amount of noise in a way that random directions cannot see: their limit. */
const paired: Mechanism = (examples, { normal }) => {
  const noise = Float64Array.from({ length: examples[0].length / 2 }, () => C * normal())
  return addedUp(examples).map((v, i) => v + noise[i >> 1])
}

describe('the reconstruction bound', () => {
  it('is the error of the attacker who reads the sample off the worst gradient', () => {
    const { normal, uniform } = random(3)
    const x = Float64Array.from({ length: 50 }, uniform)
    const norm = Math.hypot(...x)
    const [sigma, looks, trials] = [0.3, 4, 2000]
    let sum = 0
    for (let trial = 0; trial < trials; trial++)
      for (const v of x) {
        let found = 0
        for (let look = 0; look < looks; look++) found += (norm / C) * ((C * v) / norm + sigma * C * normal())
        sum += (found / looks - v) ** 2
      }
    const bound = reconstructionBound({ noiseMultiplier: sigma, norm, looks })
    expect(sum / (trials * x.length) / bound.meanSquaredError).toBeCloseTo(1, 1)
    expect(bound.psnr).toBeCloseTo(-10 * Math.log10(bound.meanSquaredError), 12)
    expect(reconstructionBound({ noiseMultiplier: sigma, norm, looks, range: 10 }).psnr).toBeCloseTo(
      bound.psnr + 20,
      10,
    )
    expect(() => reconstructionBound({ noiseMultiplier: 0, norm: 1 })).toThrow(/noiseMultiplier is 0/)
  })

  it('is one on unbiased attackers, and says so: a guess of zeros may be closer', () => {
    const [n, norm] = [784, 10]
    const { meanSquaredError, psnr, statement } = reconstructionBound({ noiseMultiplier: 1.0049, norm })
    expect(norm ** 2 / n).toBeLessThan(meanSquaredError)
    expect(statement).toMatch(/^no unbiased attacker .*; a biased one may, such as one who guesses zeros$/)
    const [, mse, decibels] = /MSE of (\S+) \((\S+) dB\)/.exec(statement)!
    expect(Number(mse)).toBeLessThanOrEqual(meanSquaredError)
    expect(Number(decibels)).toBeGreaterThanOrEqual(psnr)
    expect(Number(decibels)).toBeLessThan(psnr + 0.1)
  })
})
