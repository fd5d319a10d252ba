import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, expect, it } from 'vitest'
import { modelFromGraphModel, modelFromOnnx } from '../../src/models'
import { fromPretrained, randomBert, randomGpt, randomLlama } from '../../src/text'

const file = gunzipSync(readFileSync(new URL('onnx/pytorch/mlp.onnx.gz', import.meta.url)))
const noBackend = expect.objectContaining({
  code: 'runtime',
  message: expect.stringContaining("import '@tensorflow/tfjs-backend-cpu' first"),
})

// vitest's set-up has one; this file has a process of its own
beforeAll(() => tf.removeBackend('cpu'))

it.each([
  ['modelFromOnnx', () => modelFromOnnx(file)],
  ['modelFromGraphModel', () => modelFromGraphModel({ modelTopology: { node: [] } })],
  ['fromPretrained', () => fromPretrained('{"model_type": "gpt2"}', {})],
  ['randomBert', () => randomBert({ vocabularySize: 9 })],
  ['randomGpt', () => randomGpt({ vocabularySize: 9 })],
  ['randomLlama', () => randomLlama({ vocabularySize: 9 })],
])('%s says that tfjs has no backend', (_, call) => {
  let thrown: unknown
  try {
    call()
  } catch (error) {
    thrown = error
  }
  expect(thrown).toEqual(noBackend)
})
