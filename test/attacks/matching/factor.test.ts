import * as tf from '@tensorflow/tfjs-core'
import { layers, type Sequential, sequential } from '@tensorflow/tfjs-layers'
import { describe, expect, it } from 'vitest'
import { deepLeakage, gradientsOf, type LeakageOptions } from '../../../src'
import { mse } from '../../../src/metrics'
import { ownership } from '../../tensors'
import { convNet, plain, sample, withUniformWeights } from './tiny'

const own = ownership()

/** The leak of a gradient times a factor. */
async function leakOf(model: Sequential, label: number, factor: number, options: LeakageOptions = {}, seed = 99) {
  const x = own(sample([1, ...(model.inputs[0].shape.slice(1) as number[])], seed))
  const gradients = await gradientsOf(model, x, [label])
  const shared = Object.fromEntries(
    Object.entries(plain(gradients)).map(([name, { shape, data }]) => [
      name,
      { shape, data: Float32Array.from(data as Float32Array, (v) => v * factor) },
    ]),
  )
  tf.dispose(gradients)
  const leak = own(await deepLeakage(model, shared, { restarts: 2, seed: 5, ...options }))
  return { leak, error: mse(leak.data.dataSync(), x.dataSync()) }
}

const twoClasses = () =>
  withUniformWeights(
    sequential({
      layers: [layers.dense({ inputShape: [12], units: 8, activation: 'sigmoid' }), layers.dense({ units: 2 })],
    }),
  )

describe('a factor that nobody stated, with labels that are searched', () => {
  it.each([0.5, 0.1, -0.3, -1])('of %s is not called a match of another label', async (factor) => {
    for (const label of [0, 2]) {
      const { leak, error } = await leakOf(own(convNet()), label, factor)
      expect(leak.status).not.toBe('converged')
      if (leak.status !== 'undetermined') continue
      // the data are right; the label and the factor are one unknown between them
      expect(error).toBeLessThan(1e-4)
      expect(leak.scale).toBeUndefined()
      expect(leak.scaleHint).toMatch(new RegExp(`label ${label} with a factor of ${factor} `))
      expect(leak.certainty!.undetermined.labels).toHaveLength(1)
      expect(leak.certainty!.undetermined.scale).toBe(true)
    }
  })

  it('is fitted to labels of one class, and no sign is called turned that is not', async () => {
    for (const factor of [1, 0.1, -0.3])
      for (const label of [0, 3]) {
        const { leak } = await leakOf(own(convNet()), label, factor, { scale: 'auto' })
        expect(leak.status).toBe('undetermined')
        expect(leak.labels).toEqual([label])
        expect(leak.scale! / factor).toBeCloseTo(1, 2)
        if (factor > 0) expect(leak.scaleHint ?? '').not.toMatch(/sign/)
      }
  })

  it('has two readings where there are two classes', async () => {
    const { leak } = await leakOf(own(twoClasses()), 1, 0.5)
    expect(leak.status).toBe('undetermined')
    expect(leak.scaleHint).toMatch(/label 1 with a factor of 0\.5 /)
    expect(leak.scaleHint).toMatch(/label 0 with a factor of -/)
  })

  it('is none where the caller states it, and where the labels are of one class each', async () => {
    const stated = await leakOf(own(convNet()), 2, 0.5, { scale: 0.5 })
    expect(stated.leak).toMatchObject({ status: 'converged', labels: [2], scale: 0.5, scaleHint: undefined })
    const none = await leakOf(own(convNet()), 2, 1)
    expect(none.leak).toMatchObject({ status: 'converged', labels: [2], scale: 1, scaleHint: undefined })
  })

  it('leaves a soft label as it is where the caller says that there is none', async () => {
    const model = own(twoClasses())
    const x = own(sample([1, 12]))
    const shared = await gradientsOf(model, x, own(tf.tensor([[0.3, 0.7]])))
    for (const tensor of Object.values(shared)) own(tensor)
    const leak = own(await deepLeakage(model, shared, { scale: 1, seed: 5 }))
    expect(leak.status).toBe('converged')
    expect(leak.labelProbabilities.dataSync()[1]).toBeCloseTo(0.7, 3)
  })
})

it('a factor that nobody stated, with known labels, is named where nothing matches without it', async () => {
  for (const factor of [0.1, 2]) {
    const { leak } = await leakOf(own(convNet()), 2, factor, { labels: [2] })
    expect(leak.status).not.toBe('converged')
    expect(leak.scaleHint).toContain("scale: 'auto'")
    expect(leak.scale! / factor).toBeCloseTo(1, 2)
  }
})
