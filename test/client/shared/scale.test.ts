import { describe, expect, it } from 'vitest'
import { deepLeakage, gradientsOf, type LeakageOptions, type PlainTensor } from '../../../src'
import { leakageOptions } from '../../../src/attacks/matching/options'
import { scaleCause } from '../../../src/attacks/matching/scale-cause'
import { mse } from '../../../src/metrics'
import { convNet, plain, sample } from '../../attacks/matching/tiny'
import { ownership } from '../../tensors'
import { at, torch, torchNet, truth } from './client'

const own = ownership()

type Tensors = Record<string, PlainTensor>

const times = (tensors: Tensors, factor: number): Tensors =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { shape, data }]) => [
      name,
      { shape, data: Array.from(data, (v) => v * factor) },
    ]),
  )

/** What a client shares, times a factor. */
async function client(factor: number, options: LeakageOptions = {}) {
  const model = own(convNet())
  const x = own(sample([1, 6, 6, 1]))
  const gradients = plain(await gradientsOf(model, x, [2], { runtime: 'reference' }))
  const leak = async (more: LeakageOptions = {}) => {
    const all = { runtime: 'tfjs', restarts: 2, ...options, ...more } as const
    return own(await deepLeakage(model, times(gradients, factor), all))
  }
  return { model, x, shared: times(gradients, factor), leak }
}

const factors = [7, 0.25, -1, -0.01]

describe("scale: 'auto'", () => {
  it.each(factors)('fits %d at the true data, where the distance is 0', async (factor) => {
    const { model, x, shared } = await client(factor)
    const options: LeakageOptions = { labels: [2], scale: 'auto' }
    // what was shared was rounded to float32
    expect(await truth(model, shared, x.dataSync(), options)).toBeLessThan(1e-12)
    expect(await truth(model, shared, x.dataSync(), { ...options, distance: 'cosine' })).toBeLessThan(1e-12)
    const scale = await at(model, shared, options, (attack) => attack.scaleAt(Float64Array.from(x.dataSync())))
    expect(scale / factor).toBeCloseTo(1, 6)
  })

  it.each(factors)('recovers the data and the factor %d', async (factor) => {
    const { x, leak } = await client(factor, { labels: [2], scale: 'auto' })
    const { status, scale, data } = await leak()
    expect(status).toBe('converged')
    expect(scale! / factor).toBeCloseTo(1, 3)
    expect(mse(data.dataSync(), x.dataSync())).toBeLessThan(1e-4)
  })

  it('fits the factor of an update whose learning rate is not known', async () => {
    const model = torchNet()
    for (const thing of Object.values(model.weights)) own(thing)
    const shared = { after: torch.after['one step'] }
    const options: LeakageOptions = { batchSize: 5, labels: torch.labels, scale: 'auto', update: {} }
    expect(await truth(model, shared, torch.x.data, options)).toBeLessThan(1e-24)
    const scale = await at(model, shared, options, (attack) => attack.scaleAt(Float64Array.from(torch.x.data)))
    expect(scale).toBeCloseTo(0.3, 12)
  })
})

describe('a factor that is not fitted', () => {
  it('may be given', async () => {
    const { model, x, shared } = await client(-3)
    expect(await truth(model, shared, x.dataSync(), { labels: [2], scale: -3 })).toBeLessThan(1e-12)
  })

  it('is reported as given where the gradient was matched', async () => {
    const { leak } = await client(-3, { labels: [2], scale: -3 })
    expect(await leak()).toMatchObject({ status: 'converged', scale: -3, scaleHint: undefined })
  })

  it('makes a search stall, and is pointed at', async () => {
    const { leak } = await client(4, { labels: [2] })
    const { status, scale, scaleHint } = await leak()
    expect(status).not.toBe('converged')
    expect(scale).toBeGreaterThan(1.1)
    expect(scaleHint).toBe("other data match at another factor: scale: 4, or scale: 'auto'")
  })

  it('is not looked for after an attack that was cut short', async () => {
    const { leak } = await client(1)
    expect(await leak({ budget: { evaluations: 2 } })).toMatchObject({ status: 'budget', scale: undefined })
  })

  it.each([0, Number.NaN, 'fit', null])('is refused: %s', (scale) => {
    const options = { scale } as unknown as LeakageOptions
    expect(() => leakageOptions(options)).toThrow(/scale is .*; it must be 'auto' or a number other than 0/)
  })

  it.each([1e-200, 1e300])('is refused where it leaves no numbers: %s', async (scale) => {
    const { leak } = await client(1, { scale })
    await expect(leak()).rejects.toThrow(/scale is 1e.*: what was shared, divided by it, is zero or not finite/)
  })
})

describe('known causes', () => {
  const hint = (factor: number, options: LeakageOptions) => scaleCause(factor, leakageOptions(options))
  const auto = { scale: 'auto', batchSize: 8 } as const
  const local = { ...auto, update: { learningRate: 0.1, batchSize: 4 } }

  it.each<[number, LeakageOptions, RegExp | undefined]>([
    [1.001, auto, undefined],
    [8.01, auto, /reduction: 'sum'/],
    [0.125, { ...auto, reduction: 'sum' }, /reduction: 'mean'/],
    [4, local, /reduction: 'sum'/],
    [0.5, local, /mean over 2 local steps/],
    [0.5, auto, /half of this one/],
    [3.3, auto, undefined],
    [-0.01, auto, /sign is turned.*learningRate: 0.01/],
    [-1, auto, /sign is turned.*scale: -1/],
    [-8, auto, /sign is turned.*reduction: 'sum'/],
    [-1, local, /sign is turned.*update.sign/],
    [1.5, { batchSize: 8 }, /scale: 'auto' fits/],
    [-0.2, { batchSize: 8 }, /sign is turned.*scale: 'auto' fits/],
    [0.7, { update: { localSteps: 5, approach: 'one-step' } }, undefined],
  ])('%d', (factor, options, words) => {
    const found = hint(factor, options)
    if (words) expect(found).toMatch(words)
    else expect(found).toBeUndefined()
  })
})
