import * as tf from '@tensorflow/tfjs-core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { deepLeakage, gradientsOf } from '../../../src'
import { magnitudeOf } from '../../../src/attacks/matching/objective/magnitude'
import { mse } from '../../../src/metrics'
import { convNet, sample } from './tiny'

/** A model that is sure of class 2 by this margin: all of its gradient has the size e^−margin. */
function sureNet(margin: number) {
  const model = convNet()
  const [kernel, bias, last] = model.getWeights()
  tf.tidy(() => model.setWeights([kernel, bias, tf.mul(last, 0.2), tf.tensor([0, 0, margin, 0])]))
  return model
}

describe('a gradient whose squares underflow in float32', () => {
  it.each(['l2', 'cosine', 'balanced', 'whitened'] as const)(
    'is matched by its data and by nothing else, by %s',
    async (distance) => {
      for (const margin of [45, 75]) {
        const model = sureNet(margin)
        const x = sample([1, 6, 6, 1])
        const shared = await gradientsOf(model, x, [2], { runtime: 'reference' })
        const norm = tf.tidy(() => tf.norm(Object.values(shared)[0]).dataSync()[0])
        expect(norm).toBeLessThan(1e-18)
        const leak = await deepLeakage(model, shared, { labels: [2], distance, restarts: 1, seed: 5 })
        // a start on the wrong side of every unit stays there: what counts is that it is not called a match
        if (leak.status === 'converged') expect(mse(leak.data.dataSync(), x.dataSync())).toBeLessThan(1e-6)
        expect(leak.status === 'converged' || leak.relativeLoss > 1e-7).toBe(true)
        if (distance === 'balanced') expect(leak.status).toBe('converged')
        leak.dispose()
        tf.dispose([x, shared])
        model.dispose()
      }
    },
  )
})

describe('the magnitude', () => {
  it('is an exact power of two that brings the largest number near 1, and 1 for ordinary sizes', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-30, max: 1e30, noNaN: true }), fc.integer({ min: 1, max: 5 }), (most, n) => {
        const gradients = [Float64Array.from({ length: n }, (_, i) => (most * (i + 1)) / n), Float64Array.of(-most / 3)]
        const magnitude = magnitudeOf(gradients)
        expect(Number.isInteger(Math.log2(magnitude))).toBe(true)
        if (most > 1e-6 && most < 1e6) expect(magnitude).toBe(1)
        expect(most * magnitude).toBeGreaterThan(2 ** -22)
        expect(most * magnitude).toBeLessThan(2 ** 22)
      }),
    )
    expect(magnitudeOf([new Float64Array(3)])).toBe(1)
  })
})
