import * as tf from '@tensorflow/tfjs-core'
import { expect, it } from 'vitest'
import { broadcastTo, where } from '../../src/runtime/tfjs/axes'
import { leavesNoTensors } from '../tensors'

leavesNoTensors()

/** Backends of GPUs do nothing of this above four axes; cpu does it all, so that it is the oracle. */
it.each([
  [
    [2, 1, 3, 1, 2],
    [2, 4, 3, 5, 2],
  ],
  [
    [3, 1],
    [2, 1, 2, 3, 4],
  ],
  [[], [1, 2, 1, 2, 1, 2]],
  [
    [2, 2],
    [3, 2, 2],
  ],
])('a tensor of shape %j is repeated to %j axis by axis', (from, to) => {
  tf.tidy(() => {
    const x = tf.randomUniform(from, 0, 1, 'float32', 1)
    const repeated = broadcastTo(x, to)
    expect(repeated.shape).toEqual(to)
    expect(repeated.dataSync()).toEqual(tf.broadcastTo(x, to as [number]).dataSync())
  })
})

it('a choice of five axes is that of one', () => {
  tf.tidy(() => {
    const shape = [2, 1, 3, 2, 2]
    const [a, b] = [1, 2].map((seed) => tf.randomUniform(shape, -1, 1, 'float32', seed))
    const chosen = where(tf.less(a, b), a, b)
    expect(chosen.shape).toEqual(shape)
    expect(chosen.dataSync()).toEqual(tf.minimum(a, b).dataSync())
  })
})
