import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { namedGradients } from '../../../src/client/shared/read-gradients'
import { activations } from '../../../src/models/bert'
import { bert, classGradients, randomBert, transformerOf } from '../../../src/text'

const CONFIG = { vocabularySize: 50, hidden: 16, heads: 2, layers: 2, intermediate: 24, positions: 8 }

describe('the first block of an encoder in numbers', () => {
  it.each(['gelu', 'gelu_new', 'relu'] as const)(
    'has %s as the model computes it, and its slope',
    async (activation) => {
      const plain = randomBert(CONFIG)
      const model = bert({ ...plain.config, activation }, plain.weights, 'mean')
      const shared = await classGradients(model, [[1, 2, 3]], [0])
      const block = await transformerOf(model).blockNumbers!(namedGradients(shared))
      const { value, derivative } = block!.activation
      const at = [-3.1, -0.7, -0.2, 0.3, 1.1, 2.9]
      const whole = tf.tidy(() => activations[activation](tf.tensor2d([at])).dataSync())
      for (const [i, x] of at.entries()) {
        expect(value(x)).toBeCloseTo(whole[i], 5)
        expect(derivative(x)).toBeCloseTo((value(x + 1e-5) - value(x - 1e-5)) / 2e-5, 6)
      }
      expect(block!.gradients.narrow.length).toBe(16 * 24)
      tf.dispose(shared)
      plain.dispose()
    },
  )

  it('is not there where the gradient of one of its matrices was not shared', async () => {
    const model = randomBert(CONFIG)
    const { 'encoder.layer.0.output.dense.weight': left, ...rest } = await classGradients(model, [[1, 2, 3]], [0])
    expect(await transformerOf(model).blockNumbers!(namedGradients(rest as tf.NamedTensorMap))).toBeUndefined()
    tf.dispose([left, rest])
    model.dispose()
  })
})
