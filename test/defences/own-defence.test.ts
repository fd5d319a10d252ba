import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { gradientsOf } from '../../src'
import { attack, targetOf } from '../../src/attacks'
import { gaussianNoise } from '../../src/defences'
import { type Defence, defended } from '../../src/defences/defence'
import { convNet, plain, sample } from '../attacks/matching/tiny'

/** A defence of a caller's own: the gradient is shared at half its size, which an attacker who knows of it fits. */
const half: Defence = {
  name: 'half',
  description: 'shares half the gradient',
  apply: (gradients) => gradients.map((values) => values.map((v) => v / 2)),
  adapt: (target) => ({ ...target, settings: { ...target.settings, scale: 'auto' } }),
}

describe("a defence of the caller's own", () => {
  const model = convNet()
  beforeAll(async () => {
    await tf.setBackend('cpu')
  })

  it('stops an attacker who does not know of it, and not one who does', async () => {
    const x = sample([1, 6, 6, 1])
    const gradients = plain(await gradientsOf(model, x, [2], { runtime: 'reference' }))
    const target = await targetOf(model, gradients, { runtime: 'reference' })
    const options = { restarts: 1, iterations: 60, labels: [2] }
    const errorOf = async (adaptive: boolean) => {
      const found = await attack('gradient-matching', defended(target, half, { seed: 1, adaptive }), options)
      const error = tf.tidy(() => tf.losses.meanSquaredError(x, found.found.data!).dataSync()[0])
      found.dispose()
      return { status: found.status, error }
    }
    const [knowing, ignorant] = [await errorOf(true), await errorOf(false)]
    expect(['matched', 'proven']).toContain(knowing.status)
    expect(knowing.error).toBeLessThan(1e-3)
    expect(ignorant.status).toBe('failed')
    expect(ignorant.error).toBeGreaterThan(10 * knowing.error)
    // what the client computed is left as it was
    expect([...target.gradients[0].slice(0, 4)]).toEqual(Array.from(Object.values(gradients)[0].data).slice(0, 4))
    x.dispose()
  })

  it('must leave every number finite in float32, and so must noise', async () => {
    const x = sample([1, 6, 6, 1])
    const gradients = await gradientsOf(model, x, [2], { runtime: 'reference' })
    const target = await targetOf(model, gradients)
    tf.dispose([x, gradients])
    const name = target.trained[0].name
    const broken = (value: number): Defence => ({
      ...half,
      apply: (all) => all.map((values, i) => values.map((v, k) => (i === 0 && k === 2 ? value : v))),
    })
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => defended(target, broken(value), { seed: 1 })).toThrow(
        `the defence 'half' returned ${value} at position 2 of the gradient of '${name}'; it must`,
      )
    for (const std of [1e308, 1e39])
      expect(() => defended(target, gaussianNoise({ std }), { seed: 1 })).toThrow(
        expect.objectContaining({ code: 'invalid-gradients', message: expect.stringContaining('gaussian-noise') }),
      )
    expect(defended(target, gaussianNoise({ std: 1e30 }), { seed: 1 }).gradients).toHaveLength(target.gradients.length)
  })

  it('draws the same random numbers for the same seed', async () => {
    const noise: Defence = {
      ...half,
      apply: (gradients, { normal }) => gradients.map((values) => values.map((v) => v + 1e-3 * normal())),
    }
    const x = sample([1, 6, 6, 1])
    const gradients = plain(await gradientsOf(model, x, [2], { runtime: 'reference' }))
    x.dispose()
    const target = await targetOf(model, gradients)
    const shared = (seed: number) => [...defended(target, noise, { seed }).gradients[0]]
    expect(shared(1)).toEqual(shared(1))
    expect(shared(1)).not.toEqual(shared(2))
  })
})
