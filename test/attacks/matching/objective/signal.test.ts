import { describe, expect, it } from 'vitest'
import { type Prior, spectral, totalVariation } from '../../../../src'
import { tensor, valueAndGradients } from './evaluate'

const measure = (prior: Prior, shape: readonly number[], data: readonly number[]) =>
  valueAndGradients((x) => prior.measure(x), tensor(shape, ...data))

/** Two signals of six steps and two channels. */
const shape = [2, 6, 2]
const data = Array.from({ length: 24 }, (_, i) => Math.sin(1.7 * i) + 0.1 * i)

describe('priors of signals [batch, time, channels]', () => {
  it('totalVariation is the mean absolute difference along time, and not over channels or samples', async () => {
    const { value } = await measure(totalVariation(1), [2, 3, 2], [0, 9, 2, 9, 3, 9, 5, 1, 5, 3, 5, 1])
    // |2| + |1| and 0, 0 and |2| + |2|
    expect(value).toBeCloseTo((2 + 1 + 4) / 8, 2)
  })

  it.each([0.05, 0.25, 0.5])('spectral counts a wave of frequency %d as (2 sin πf)⁴ of its energy', async (f) => {
    const wave = Array.from({ length: 42 }, (_, t) => Math.cos(2 * Math.PI * f * t + 0.3))
    const { value } = await measure(spectral(1), [1, 42, 1], wave)
    const energy = wave.slice(1, -1).reduce((sum, v) => sum + v * v, 0) / 40
    expect(value).toBeCloseTo((2 * Math.sin(Math.PI * f)) ** 4 * energy, 12)
  })

  it('a line costs spectral nothing', async () => {
    const line = Array.from({ length: 7 }, (_, t) => 3 - 2 * t)
    expect((await measure(spectral(1), [1, 7, 1], line)).value).toBeCloseTo(0, 20)
  })

  it.each([totalVariation(1), spectral(1)])('$name has the derivative that differences give', async (prior) => {
    const { gradients } = await measure(prior, shape, data)
    for (const i of [0, 7, 13, 23]) {
      const at = async (step: number) =>
        (
          await measure(
            prior,
            shape,
            data.map((v, k) => (k === i ? v + step : v)),
          )
        ).value
      expect(gradients[0][i]).toBeCloseTo(((await at(1e-5)) - (await at(-1e-5))) / 2e-5, 8)
    }
  })

  it.each([
    [totalVariation(1), 1],
    [spectral(1), 2],
  ])('is zero where time is too short for a difference', async (prior, time) => {
    expect((await measure(prior, [1, time, 3], Array(3 * time).fill(2))).value).toBe(0)
  })

  it('spectral refuses what is not a batch of signals', async () => {
    await expect(measure(spectral(1), [1, 4], [1, 2, 3, 4])).rejects.toMatchObject({
      code: 'invalid-option',
      message: 'the prior spectral needs signals [batch, time, channels]; data is [1,4]',
    })
    expect(() => spectral(-1)).toThrow('weight is -1')
  })
})
