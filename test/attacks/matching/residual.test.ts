import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { cosine, type Distance, deepLeakage, type FunctionalModel, gradientsOf, graph } from '../../../src'
import { attack, targetOf } from '../../../src/attacks'

const model: FunctionalModel = {
  inputShape: [6],
  weights: {
    w: tf.randomUniform([6, 8], -1, 1, 'float32', 1),
    v: tf.randomUniform([8, 4], -1, 1, 'float32', 3),
  },
  apply: (x, { w, v }) => tf.matMul(tf.sigmoid(tf.matMul(x, w!)), v!),
}
const secret = tf.randomUniform([1, 6], 0, 1, 'float32', 4)
const label = 2

/** It sees the length of the last matrix alone. */
const blind: Distance = {
  name: 'one length',
  measure: (gradients, shared) => {
    const [own, given] = [gradients, shared].map((all) => graph.inner(all[1]!, all[1]!))
    const difference = graph.sub(own!, given!)
    return graph.mul(difference, difference)
  },
}

const flat = (gradients: tf.NamedTensorMap): number[] => Object.values(gradients).flatMap((t) => [...t.dataSync()])
const norm = (values: readonly number[]): number => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0))

describe('the residual of what a search found', () => {
  const searches = { l2: 'l2', balanced: 'balanced', whitened: 'whitened', 'one length': blind } as const
  for (const [name, distance] of Object.entries(searches))
    it(`is ‖g − g*‖ / ‖g*‖ with the distance ${name}`, async () => {
      const shared = await gradientsOf(model, secret, [label])
      const leak = await deepLeakage(model, shared, {
        distance,
        labels: [label],
        optimizer: 'adam',
        iterations: 3,
        restarts: 1,
        init: 'normal',
      })
      const [own, given] = [flat(await gradientsOf(model, leak.data, [label])), flat(shared)]
      const residual = norm(own.map((v, i) => v - given[i]!)) / norm(given)
      expect(residual).toBeGreaterThan(1e-6)
      expect(leak.residual! / residual).toBeCloseTo(1, 3)
      leak.dispose()
    })

  it('is that of the factor that fits best, with a distance that sees none', async () => {
    const shared = await gradientsOf(model, secret, [label])
    const leak = await deepLeakage(model, shared, {
      ...{ distance: cosine(), labels: [label], optimizer: 'adam', iterations: 3, restarts: 1, init: 'normal' },
    })
    const [own, given] = [flat(await gradientsOf(model, leak.data, [label])), flat(shared)]
    const dot = own.reduce((sum, v, i) => sum + v * given[i]!, 0)
    // sin of the angle between the two
    expect(leak.residual).toBeCloseTo(Math.sqrt(1 - (dot / norm(own) / norm(given)) ** 2), 4)
    leak.dispose()
  })

  it('is said where a distance of the caller’s takes other gradients for the shared one', async () => {
    const target = await targetOf(model, await gradientsOf(model, secret, [label]))
    const found = await attack('gradient-matching', target, {
      distance: blind,
      labels: [label],
      init: 'normal',
      restarts: 1,
    })
    expect(found.evidence.residual).toBeGreaterThan(0.05)
    expect(found.status).not.toBe('proven')
    expect(found.reason).toMatch(/as far as the distance tells \(relative loss .*\), and ‖g − g\*‖ is 0\.\d+ of ‖g\*‖/)
    found.dispose()
  })
})
