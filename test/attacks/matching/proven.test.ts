import * as tf from '@tensorflow/tfjs-core'
import { initializers, layers, sequential } from '@tensorflow/tfjs-layers'
import { describe, expect, it } from 'vitest'
import { gradientsOf } from '../../../src'
import { attack, targetOf } from '../../../src/attacks'

/** How an attack on two samples behind seven units ended, and how far any number is from the client's. */
async function ended(seed: number, tolerance: number) {
  const kernelInitializer = (k: number) => initializers.glorotNormal({ seed: 10 * seed + k })
  const model = sequential({
    layers: [
      layers.dense({ units: 7, activation: 'sigmoid', inputShape: [4], kernelInitializer: kernelInitializer(1) }),
      layers.dense({ units: 1, activation: 'sigmoid', kernelInitializer: kernelInitializer(2) }),
    ],
  })
  const x = tf.randomUniform([2, 4], 0, 1, 'float32', seed + 50)
  const training = { criterion: 'binaryCrossEntropy', runtime: 'tfjs' } as const
  const gradients = await gradientsOf(model, x, [1, 0], training)
  const target = await targetOf(model, gradients, { ...training, batchSize: 2 })
  const options = { labels: [1, 0], restarts: 2, iterations: 150, tolerance }
  const { status, reason, found, dispose } = await attack('gradient-matching', target, options)
  const [truth, data] = [x.arraySync() as number[][], found.data!.arraySync() as number[][]]
  const far = (order: readonly number[]) =>
    Math.max(...order.flatMap((from, i) => truth[i].map((v, k) => Math.abs(v - data[from][k]))))
  const off = Math.min(far([0, 1]), far([1, 0]))
  dispose()
  tf.dispose([x, Object.values(gradients)])
  model.dispose()
  return { status, reason, off }
}

describe('a match that is proven', () => {
  it('is off by at most a hundredth of the range; where the loss that is left may move it further, it is matched', async () => {
    const outcomes = []
    for (const seed of [0, 3, 5]) for (const tolerance of [1e-13, 9e-9]) outcomes.push(await ended(seed, tolerance))
    const proven = outcomes.filter(({ status }) => status === 'proven')
    const matched = outcomes.filter(({ status }) => status === 'matched')
    expect([proven.length > 0, matched.length > 0]).toEqual([true, true])
    for (const { off } of proven) expect(off).toBeLessThan(0.01)
    for (const { reason } of matched) expect(reason).toMatch(/may be off by [\d.]+ % of their range/)
  })

  it('names no label where its target is half one class and half another', async () => {
    const model = sequential({
      layers: [
        layers.dense({
          units: 8,
          activation: 'tanh',
          inputShape: [4],
          kernelInitializer: initializers.glorotNormal({ seed: 1 }),
        }),
        layers.dense({ units: 3, kernelInitializer: initializers.glorotNormal({ seed: 2 }) }),
      ],
    })
    // the same sample twice, with two labels, told as one
    const row = tf.randomUniform([1, 4], 0, 1, 'float32', 3)
    const gradients = await gradientsOf(model, tf.concat([row, row]), [0, 2])
    const { status, reason, found, dispose } = await attack('gradient-matching', await targetOf(model, gradients), {
      restarts: 1,
    })
    expect(status).toBe('proven')
    expect(found.labels).toBeUndefined()
    expect(reason).toContain('its targets are no single classes')
    const off = found.data!.dataSync().map((v, i) => Math.abs(v - row.dataSync()[i]))
    expect(Math.max(...off)).toBeLessThan(0.01)
    dispose()
    tf.dispose([row, Object.values(gradients)])
    model.dispose()
  })
})
