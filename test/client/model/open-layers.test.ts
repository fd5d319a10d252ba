import '@tensorflow/tfjs-backend-cpu'
import { layers, sequential } from '@tensorflow/tfjs-layers'
import { expect, it } from 'vitest'
import { openModel } from '../../../src/client/model/open-model'

it('the input of a Sequential that was never used has its name', () => {
  const model = sequential()
  model.add(layers.dense({ inputShape: [3], units: 2, name: 'first' }))
  expect(model.built).toBe(false)
  expect(openModel(model).inputs).toEqual([{ name: 'first_input', shape: [3] }])
  model.dispose()
})
