import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { deepLeakage, gradientsOf } from '../../src'
import { undeterminedWords } from '../../src/attacks/matching/undetermined-words'
import { certaintyReport } from '../../src/report/certainty-words'

const random = (shape: number[], seed: number) => tf.randomUniform(shape, -1, 1, 'float32', seed)
const runtime = 'reference'

describe('the words of a match that is not determined', () => {
  it('name other data that match as well', async () => {
    // (x − 0.5)² is the same on both sides of the middle
    const square = {
      inputShape: [5],
      weights: { w: random([5, 9], 1), v: random([9, 3], 2) },
      apply: (x: tf.Tensor, { w, v }: tf.NamedTensorMap) =>
        tf.matMul(tf.sigmoid(tf.matMul(tf.square(tf.sub(x, 0.5)), w)), v),
    }
    const x = tf.tensor([[0.1, 0.9, 0.3, 0.8, 0.05]])
    const leak = await deepLeakage(square, await gradientsOf(square, x, [1], { runtime }), { runtime, labels: [1] })
    expect(leak.status).toBe('undetermined')
    expect(undeterminedWords(leak)).toMatch(
      /^not determined: other data match as well \(\d+ found\), which differ in \d+ % of their numbers/,
    )
    expect(certaintyReport(leak)!.others).toBeGreaterThan(0)
    leak.dispose()
  })

  it('are none where everything is determined', async () => {
    const net = {
      inputShape: [5],
      weights: { w: random([5, 9], 1), b: random([9], 3), v: random([9, 3], 2) },
      apply: (x: tf.Tensor, { w, b, v }: tf.NamedTensorMap) => tf.matMul(tf.sigmoid(tf.add(tf.matMul(x, w), b)), v),
    }
    const x = tf.randomUniform([1, 5], 0, 1, 'float32', 4)
    const leak = await deepLeakage(net, await gradientsOf(net, x, [1], { runtime }), { runtime, labels: [1] })
    expect(leak.status).toBe('converged')
    expect(undeterminedWords(leak)).toBeUndefined()
    expect(certaintyReport(leak)).toMatchObject({ determined: true, others: 0 })
    leak.dispose()
  })
})
