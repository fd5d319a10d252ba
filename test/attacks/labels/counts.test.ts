import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { layers, sequential } from '@tensorflow/tfjs-layers'
import { describe, expect, it } from 'vitest'
import { gradientsOf } from '../../../src'
import { labelCounts } from '../../../src/attacks/labels/counts'
import { atOnce } from '../../../src/numbers/steps'
import { callsOf } from '../../io/tensors/counting'
import { uniform } from '../../oracle'

/** A classifier with default weights, and the gradient of its last layer on random data. */
async function lastLayer(labels: number[], seed: number, reduction: 'mean' | 'sum') {
  const model = sequential()
  model.add(layers.dense({ inputShape: [20], units: 30, activation: 'sigmoid' }))
  model.add(layers.dense({ units: 10 }))
  const shapes = model.getWeights().map((w) => w.shape)
  const weights = shapes.map((shape, i) => {
    const size = shape.reduce((a, b) => a * b, 1)
    return tf.tensor(Float32Array.from(uniform(size, -0.2, 0.2, 10 * seed + i)), shape)
  })
  model.setWeights(weights)
  const data = tf.tensor(Float32Array.from(uniform(20 * labels.length, 0, 1, seed + 77)), [labels.length, 20])
  const shared = Object.values(await gradientsOf(model, data, labels, { reduction, runtime: 'reference' }))
  const [weightGradient, biasGradient] = shared.slice(-2).map((t) => t.dataSync() as Float32Array)
  const [weight, bias] = weights.slice(-2).map((t) => t.dataSync() as Float32Array)
  tf.dispose([weights, data, shared])
  model.dispose()
  return { weightGradient, biasGradient, weight, bias }
}

describe('labelCounts', () => {
  const batches = [
    [3, 3],
    [1, 7, 7, 7],
    [0, 0, 5, 5],
    [2, 2, 2, 2, 9, 4, 4, 1],
    [6, 6, 6, 6, 6, 6],
    [8, 1, 8, 1, 8, 1, 3, 3, 5, 0, 0, 0, 0, 9, 2, 7],
  ]
  const cases = batches.flatMap((labels) =>
    (['mean', 'sum'] as const).flatMap((reduction) => [1, 2, 3].map((seed) => ({ labels, reduction, seed }))),
  )

  it.each(cases)('finds $labels under a $reduction, seed $seed', async ({ labels, reduction, seed }) => {
    const layer = await lastLayer(labels, seed, reduction)
    const { counts, residual } = atOnce(labelCounts(layer, labels.length, reduction === 'mean' ? labels.length : 1))
    const expected = new Array(10).fill(0)
    for (const label of labels) expected[label]++
    expect(counts).toEqual(expected)
    expect(residual).toBeLessThan(0.05)
  })

  it('leaves much of a gradient unexplained that has another origin', async () => {
    const layer = await lastLayer([3, 3, 4], 1, 'mean')
    const noise = Float32Array.from(uniform(10, -1, 1, 5))
    const { residual } = atOnce(labelCounts({ ...layer, biasGradient: noise }, 8, 8))
    expect(residual).toBeGreaterThan(0.1)
  })

  it('costs one soft-max for all classes that are not there', () => {
    const [classes, width] = [2000, 512]
    const weight = Float32Array.from(uniform(width * classes, 0, 0.1))
    const biasGradient = new Float32Array(classes).fill(0.3 / classes)
    biasGradient[7] = -0.3
    const layer = { weight, weightGradient: weight, bias: biasGradient, biasGradient }
    // a soft-max takes one exponential a class: those of 2000 classes would be four million, and 2e9 multiplications
    const count = () => expect(atOnce(labelCounts(layer, 4, 4)).counts.reduce((a, b) => a + b)).toBe(4)
    expect(callsOf(Math, 'exp', count)).toBe(2 * classes)
  })
})
