import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { gradientsOf } from '../../src'
import { attack, type Target, targetOf } from '../../src/attacks'
import {
  clipping,
  composed,
  type Defence,
  defended,
  dpSgd,
  gaussianNoise,
  laplaceNoise,
  pruning,
  quantised,
  signs,
  topK,
  withheld,
} from '../../src/defences'
import { squaredNorm } from '../../src/numbers/values'
import { convNet, denseNet, plain, sample } from '../attacks/matching/tiny'

let target: Target
let image: Float32Array
let names: string[]

beforeAll(async () => {
  await tf.setBackend('cpu')
  const model = convNet()
  // a smooth image: rows that fade from dark to light, which a prior can know
  const x = tf.tensor(
    Float32Array.from({ length: 36 }, (_, i) => 0.2 + 0.1 * Math.floor(i / 6)),
    [1, 6, 6, 1],
  )
  image = x.dataSync() as Float32Array
  target = await targetOf(model, plain(await gradientsOf(model, x, [2], { runtime: 'reference' })), {})
  names = target.trained.map(({ name }) => name)
  x.dispose()
})

async function attacked(defence: Defence, adaptive: boolean, seed = 1) {
  const shared = defended(target, defence, { seed, adaptive })
  const options = { labels: [2], restarts: 1, iterations: 40, ...(adaptive && defence.matching?.(shared)) }
  const outcome = await attack('gradient-matching', shared, options)
  const found = outcome.found.data!.dataSync()
  outcome.dispose()
  const error = image.reduce((sum, v, i) => sum + (v - found[i]) ** 2, 0) / image.length
  return { error, status: outcome.status, evidence: outcome.evidence }
}

describe('the attacker who knows of a defence', () => {
  it.each([
    ['clipping', () => clipping({ norm: 0.01 }), 1e-3, 10],
    ['clipping of each tensor', () => clipping({ norm: 0.05, per: 'tensor' }), 1e-3, 10],
    ['pruning', () => pruning({ part: 0.6 }), 1e-3, 10],
    ['pruning of all together', () => topK({ part: 0.4, per: 'all' }), 1e-3, 10],
    ['withheld', () => withheld([names[3]]), 1e-3, 10],
    ['noise', () => gaussianNoise({ relative: 0.1 }), 0.02, 3],
    ['clipping and noise', () => composed(clipping({ norm: 0.1 }), gaussianNoise({ relative: 0.05 })), 0.02, 3],
  ] as [string, () => Defence, number, number][])(
    'is closer than the one who does not: %s',
    async (_, make, most, times) => {
      const [knowing, ignorant] = [await attacked(make(), true), await attacked(make(), false)]
      expect(knowing.error).toBeLessThan(most)
      expect(ignorant.error).toBeGreaterThan(times * knowing.error)
    },
  )

  it('gets nothing from DP-SGD with as much noise as gradient, and calls nothing proven or matched', async () => {
    for (const seed of [1, 2]) {
      const { error, status } = await attacked(dpSgd({ clip: 1, noiseMultiplier: 1 }), true, seed)
      expect(['proven', 'matched']).not.toContain(status)
      // gray is 0.5 everywhere
      expect(error).toBeGreaterThan((0.5 * image.reduce((sum, v) => sum + (v - 0.5) ** 2, 0)) / image.length)
    }
  })

  it.each([
    ['clipping', () => composed(gaussianNoise({ std: 0.1 }), clipping({ norm: 0.01 }))],
    ['clipping of each tensor', () => composed(laplaceNoise({ std: 0.1 }), clipping({ norm: 0.01, per: 'tensor' }))],
    ['clipping of DP-SGD', () => composed(dpSgd({ clip: 1, noiseMultiplier: 1 }), clipping({ norm: 0.01 }))],
    ['clipping, in two layers', () => composed(composed(gaussianNoise({ std: 0.1 })), clipping({ norm: 0.01 }))],
    ['signs', () => composed(gaussianNoise({ relative: 1 }), signs())],
    ['signs of rounded numbers', () => composed(quantised('int8'), gaussianNoise({ std: 0.1 }), signs())],
    ['pruning', () => composed(gaussianNoise({ std: 1 }), pruning({ part: 0.9 }))],
  ] as [string, () => Defence][])('calls nothing a match where noise is followed by %s', async (_, make) => {
    for (const seed of [1, 2]) expect((await attacked(make(), true, seed)).status).toBe('failed')
  })

  it('no attack in closed form proves data that noise has changed', async () => {
    const model = denseNet()
    const x = sample([1, 8])
    const dense = await targetOf(model, plain(await gradientsOf(model, x, [2], { runtime: 'reference' })), {})
    const truth = x.dataSync()
    for (const relative of [1e-3, 0.01, 0.1, 0.3, 1])
      for (const defence of [
        gaussianNoise({ relative }),
        composed(gaussianNoise({ relative }), clipping({ norm: 1e-3 })),
      ])
        for (const seed of [1, 2, 3]) {
          const outcome = await attack('dense-inversion', defended(dense, defence, { seed }), { labels: [2] })
          const found = outcome.found.data?.dataSync()
          const error = found ? Array.from(truth).reduce((sum, v, i) => sum + (v - found[i]) ** 2, 0) / 8 : Infinity
          if (outcome.status === 'proven') expect(error, `${relative}, seed ${seed}`).toBeLessThan(1e-2)
          outcome.dispose()
        }
    x.dispose()
  })
})

describe('a target under a defence', () => {
  it('states the noise of each tensor, and a floor that proofs may use', () => {
    const size = (i: number) => target.gradients[i].length
    const absolute = defended(target, gaussianNoise({ std: 1e-3 }), { seed: 1 })
    for (const i of names.keys()) expect(absolute.lost[i] - target.lost[i]).toBeCloseTo(size(i) * 1e-6, 12)
    const relative = defended(target, gaussianNoise({ relative: 0.05 }), { seed: 1 })
    for (const [i, values] of target.gradients.entries()) {
      const squared = squaredNorm([values])
      // the attacker sees g + n alone
      expect(relative.lost[i] / (0.05 ** 2 * squared)).toBeGreaterThan(0.7)
      expect(relative.lost[i] / (0.05 ** 2 * squared)).toBeLessThan(1.4)
    }
    expect(absolute.rounding).toBeLessThanOrEqual(1e-4)
    expect(defended(target, gaussianNoise({ std: 10 }), { seed: 1 }).rounding).toBe(1e-4)
    expect(defended(target, gaussianNoise({ std: 10 }), { seed: 1, adaptive: false }).rounding).toBe(target.rounding)
    expect(defended(target, quantised('int8'), { seed: 1 }).settings.precision).toBe('int8')
    expect(defended(target, clipping({ norm: 1 }), { seed: 1 }).settings.scale).toBe('auto')
  })

  it('states no noise whose size is not known any more', () => {
    const floorOf = (...defences: Defence[]) => defended(target, composed(...defences), { seed: 1 }).lost
    const noise = gaussianNoise({ std: 0.01 })
    expect(floorOf(noise, clipping({ norm: 0.1 }))).toEqual(target.lost)
    expect(floorOf(noise, signs())).toEqual(target.lost)
    // in units of what is shared it is the same, clipped or not
    const relative = gaussianNoise({ relative: 0.1 })
    const [clipped, whole] = [floorOf(relative, clipping({ norm: 0.1 })), floorOf(relative)]
    const shared = defended(target, composed(relative, clipping({ norm: 0.1 })), { seed: 1 }).gradients
    const factor = (0.1 / Math.sqrt(squaredNorm(defended(target, relative, { seed: 1 }).gradients))) ** 2
    expect(Math.sqrt(squaredNorm(shared))).toBeCloseTo(0.1, 6)
    for (const [i, lost] of clipped.entries()) expect(lost / (factor * whole[i])).toBeCloseTo(1, 5)
    // noise after clipping is what it is said to be
    const [after, pruned] = [floorOf(clipping({ norm: 0.1 }), noise), floorOf(noise, pruning({ part: 0.75 }))]
    const filled = floorOf(noise, pruning({ part: 0.75 }), gaussianNoise({ std: 1e-5 }))
    for (const [i, { length }] of target.gradients.entries()) {
      // noise that comes later fills in what was dropped
      expect(filled[i]).toBeLessThanOrEqual(0.25 * length * 1e-4 + length * 1e-9)
      expect(after[i] - target.lost[i]).toBeCloseTo(length * 1e-4, 12)
      expect(pruned[i]).toBeCloseTo(Math.max(1, Math.round(0.25 * length)) * 1e-4, 12)
    }
  })

  it('gives a search no tolerance that it would refuse, however large the noise', () => {
    for (const std of [1, 100])
      for (let seed = 1; seed <= 25; seed++) {
        const defence = gaussianNoise({ std })
        expect(defence.matching!(defended(target, defence, { seed })).tolerance).toBeLessThan(1)
      }
    const one: Target = { ...target, gradients: target.gradients.map((v) => v.map(() => 1e-6)) }
    expect(gaussianNoise({ std: 1 }).matching!(gaussianNoise({ std: 1 }).adapt(one)).tolerance).toBeLessThan(1)
  })

  it('has no gradient that was withheld, and refuses names that there are not', () => {
    const shared = defended(target, withheld([names[1]]), { seed: 1 })
    expect(shared.trained.map(({ name }) => name)).toEqual(names.filter((_, i) => i !== 1))
    expect(shared.gradients).toHaveLength(3)
    expect(shared.dataGradients).toBe(shared.gradients)
    expect(shared.model.weights.filter(({ trainable }) => trainable)).toHaveLength(3)
    const refused = (defence: Defence, words: RegExp) =>
      expect(() => defended(target, defence, { seed: 1 })).toThrow(words)
    refused(withheld(['nothing']), /'withheld' cannot be applied here: there is no gradient of 'nothing'; there are/)
    refused(withheld(names), /it withholds every gradient/)
    const batch: Target = { ...target, settings: { ...target.settings, batchSize: 2 } }
    expect(() => defended(batch, dpSgd({ clip: 1, noiseMultiplier: 1 }), { seed: 1 })).toThrow(
      /the batch has 2 examples; each is clipped by itself/,
    )
    const short: Defence = { ...signs(), apply: (gradients) => gradients.slice(1) }
    refused(short, /returned 3 for 4 gradients/)
    refused({ ...signs(), apply: (gradients) => gradients.map((v) => v.map(() => 0)) }, /zeros alone/)
  })
})
