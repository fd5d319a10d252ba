import * as tf from '@tensorflow/tfjs-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { gradientsOf, inferLabels } from '../../../src'
import { convNet, denseNet, plain, sample } from '../matching/tiny'

describe('inferLabels', () => {
  const [model, unbiased] = [convNet(), denseNet({ bias: false })]
  beforeAll(async () => {
    await tf.setBackend('cpu')
  })
  afterAll(() => {
    model.dispose()
    unbiased.dispose()
  })

  async function labelsOf(net: typeof model, labels: number[], batchSize = labels.length) {
    const x = sample([labels.length, ...(net.inputs[0].shape.slice(1) as number[])])
    const shared = plain(await gradientsOf(net, x, labels, { runtime: 'reference' }))
    x.dispose()
    const before = tf.memory().numTensors
    try {
      return await inferLabels(net, shared, { batchSize })
    } finally {
      expect(tf.memory().numTensors).toBe(before)
    }
  }

  it('reads distinct labels off the signs of the bias gradient', async () => {
    expect(await labelsOf(model, [3, 1])).toEqual({ labels: [1, 3], rule: 'bias-signs', confidence: 1 })
  })

  it('counts labels that repeat, and says how much of the gradient they explain', async () => {
    const { labels, rule, confidence } = await labelsOf(model, [2, 2, 0])
    expect({ labels, rule }).toEqual({ labels: [0, 2, 2], rule: 'iLRG' })
    expect(confidence).toBeGreaterThan(0.9)
    expect(confidence).toBeLessThan(1)
  })

  it('reads one label off a layer without a bias', async () => {
    expect(await labelsOf(unbiased, [3])).toEqual({ labels: [3], rule: 'row-products', confidence: 1 })
  })

  it('says why it cannot', async () => {
    await expect(labelsOf(model, [3, 1, 0], 1)).rejects.toMatchObject({ code: 'labels', message: /more samples/ })
  })
})
