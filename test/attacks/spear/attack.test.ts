import * as tf from '@tensorflow/tfjs-core'
import { layers, sequential } from '@tensorflow/tfjs-layers'
import { expect, it } from 'vitest'
import { attack, targetOf } from '../../../src/attacks'
import { gradientsOf } from '../../../src/index'
import { ownership } from '../../tensors'
import { plain, sample, withUniformWeights } from '../matching/tiny'

const own = ownership()
const runtime = 'reference'

it.each([
  [1, 'proven', '1 sample'],
  [2, 'partial', '1 of 2'],
])('one sample %i times over: %s', async (times, status, words) => {
  const model = sequential()
  model.add(layers.dense({ inputShape: [4], units: 9, activation: 'relu' }))
  model.add(layers.dense({ units: 3 }))
  own(withUniformWeights(model))
  const x = own(tf.tidy(() => tf.tile(sample([1, 4]), [times, 1])))
  const shared = plain(await gradientsOf(model, x, new Array<number>(times).fill(1), { runtime }))
  const target = await targetOf(model, shared, { runtime, batchSize: times })
  const outcome = own(await attack('spear', target, { draws: 3000 }))
  expect(outcome).toMatchObject({ status, reason: expect.stringContaining(words) })
})
