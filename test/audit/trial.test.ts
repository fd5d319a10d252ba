import * as tf from '@tensorflow/tfjs-core'
import { expect, it } from 'vitest'
import { type AuditOptions, audit } from '../../src/audit'
import { gaussianNoise } from '../../src/defences'

it('the utility of a defence is finite where a layer has a gradient of zeros', async () => {
  // no unit of the first layer is on
  const weights = { w: tf.ones([2, 3]), b: tf.fill([3], -50), v: tf.ones([3, 3]), c: tf.tensor1d([0.1, 0.2, 0.3]) }
  const model = {
    inputShape: [2],
    weights,
    apply: (x: tf.Tensor, { w, b, v, c }: tf.NamedTensorMap) =>
      tf.add(tf.matMul(tf.relu(tf.add(tf.matMul(x, w), b)), v), c),
  }
  const options: AuditOptions = {
    model,
    data: { x: tf.tensor2d([[0.2, 0.7]]), labels: [1] },
    attacks: ['label-inference'],
    defences: [gaussianNoise({ std: 0.01 })],
    training: { runtime: 'reference' },
  }
  const { records } = await audit(options)
  const utilities = records.flatMap(({ utility }) => utility ?? [])
  expect(utilities).toHaveLength(2)
  for (const { cosine, relativeError } of utilities) {
    expect(cosine).toBeGreaterThan(0.9)
    // of the one tensor with a gradient: noise of 0.01 on numbers of about 0.3 to 0.7
    expect(relativeError).toBeGreaterThan(0)
    expect(relativeError).toBeLessThan(0.1)
  }
  tf.dispose([weights, options.data!.x])
})
