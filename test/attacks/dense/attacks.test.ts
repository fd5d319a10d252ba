import * as tf from '@tensorflow/tfjs-core'
import { input, layers, model as modelOf } from '@tensorflow/tfjs-layers'
import { expect, it } from 'vitest'
import { attack, targetOf } from '../../../src/attacks'
import { gradientsOf } from '../../../src/index'
import { ownership } from '../../tensors'
import { numbers, plain, withUniformWeights } from '../matching/tiny'

const own = ownership()
const runtime = 'reference'

/** Two inputs, each behind a dense layer of its own. */
function twoInputs(width: number, units: number, activation: 'sigmoid' | 'relu') {
  const [a, b] = [input({ shape: [width], name: 'a' }), input({ shape: [4], name: 'b' })]
  const dense = (name: string) => layers.dense({ units, activation, name })
  const both = layers.concatenate().apply([dense('overA').apply(a), dense('overB').apply(b)] as never)
  const outputs = layers.dense({ units: 5, name: 'last' }).apply(both) as never
  return own(withUniformWeights(modelOf({ inputs: [a, b], outputs }) as never))
}

const data = (batch: number, width: number, seed: number) =>
  own(tf.tensor(numbers(batch * width, seed, -1, 1), [batch, width]))

it.each([4, 2])('an input of %i numbers that is known is not given back as the leak', async (width) => {
  const model = twoInputs(width, 10, 'sigmoid')
  const [a, b] = [data(1, width, 1), data(1, 4, 2)]
  const shared = plain(await gradientsOf(model, [a, b], [1], { runtime }))
  const outcome = own(await attack('dense-inversion', await targetOf(model, shared, { runtime, known: { a } })))
  expect(outcome.found.data?.shape).toEqual([1, 4])
  const found = outcome.found.data!.dataSync()
  expect(Math.max(...b.dataSync().map((v, i) => Math.abs(v - found[i])))).toBeLessThan(1e-4)
  expect(outcome).toMatchObject({ status: 'proven', found: { labels: [1] } })
})

it('candidates for single samples are of the input that is searched', async () => {
  const model = twoInputs(2, 60, 'relu')
  const [a, b] = [data(3, 2, 1), data(3, 4, 2)]
  const shared = plain(await gradientsOf(model, [a, b], [1, 0, 2], { runtime }))
  const target = await targetOf(model, shared, { runtime, batchSize: 3, known: { a } })
  const outcome = own(await attack('isolated-inputs', target))
  expect(outcome.status).toBe('partial')
  const rows = (await outcome.found.data!.array()) as number[][]
  const samples = (await b.array()) as number[][]
  const near = rows.filter((row) => samples.some((one) => one.every((v, i) => Math.abs(v - row[i]) < 1e-4)))
  expect(near.length).toBeGreaterThan(0)
})
