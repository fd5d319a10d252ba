import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { gradientsOf } from '../../../src/client/gradients-of'
import { readTensors } from '../../../src/io'
import { modelFromOnnx } from '../../../src/models/onnx/model-from-onnx'
import { difference, inOurGraph } from './onnxruntime'

const folderOf = (trainer: string) => fileURLToPath(new URL(trainer, import.meta.url))
/** Of PyTorch by its exporters, of Keras by tf2onnx, of scikit-learn by skl2onnx: the generators are in bench/exports; version 17 of the last two. */
const names = ['pytorch', 'keras', 'scikit'].flatMap((trainer) =>
  readdirSync(folderOf(trainer)).flatMap((file) => (file.endsWith('.onnx.gz') ? [[trainer, file.slice(0, -8)]] : [])),
)

describe('models that PyTorch, Keras and scikit-learn exported', () => {
  it.each(names)('%s, %s: the output and the gradient are the trainer’s, by its names', async (trainer, name) => {
    const folder = folderOf(trainer)
    const theirs = readTensors(`${folder}/${name}.safetensors`)
    const gradients = new Map(
      [...theirs].flatMap(([key, t]) => (key.startsWith('gradient ') ? [[key.slice(9), t] as const] : [])),
    )
    const model = modelFromOnnx(gunzipSync(readFileSync(`${folder}/${name}.onnx.gz`)), {
      name,
      trainable: gradients,
      channelsLast: false,
    })
    const [input] = Object.keys(model.inputShape)
    expect(input).toBe(trainer === 'scikit' ? 'X' : 'input')
    expect([...model.trainable].sort()).toEqual([...gradients.keys()].sort())
    const { shape, data } = theirs.get('input')!
    const [output] = Object.values(await inOurGraph(model, { [input]: { dims: shape, values: data } }))
    expect(difference(output.values, theirs.get('output')!.data)).toBeLessThan(1e-5)
    const x = tf.tensor(data, [...shape])
    const ours = await gradientsOf(model, x, [0, 1], { runtime: 'reference' })
    const scale = Math.max(...[...gradients.values()].flatMap((t) => [...t.data].map(Math.abs)))
    for (const [key, { shape: dims, data: right }] of gradients) {
      expect(ours[key].shape).toEqual([...dims])
      const gap = Math.max(...ours[key].dataSync().map((v, i) => Math.abs(v - right[i])))
      expect(gap, key).toBeLessThan(1e-5 * Math.max(scale, 1))
    }
    tf.dispose([x, ours])
    model.dispose()
  })

  it('has the names of PyTorch where its exporter merged equal weights, without being told them', () => {
    const model = modelFromOnnx(gunzipSync(readFileSync(`${folderOf('pytorch')}/dynamo-merged.onnx.gz`)))
    const theirs = [...readTensors(`${folderOf('pytorch')}/dynamo-merged.safetensors`).keys()]
    const names = theirs.flatMap((key) => (key.startsWith('gradient ') ? [key.slice(9)] : []))
    expect([...model.trainable].sort()).toEqual(names.sort())
    model.dispose()
  })

  it('has Keras’s names without a gradient too, in the order of its layers', () => {
    const model = modelFromOnnx(gunzipSync(readFileSync(`${folderOf('keras')}/separable.onnx.gz`)))
    const shapes = model.trainable.map((name) => [name, model.weights[name].shape])
    expect(shapes).toEqual([
      ['sequential/separable_conv2d/depthwise_kernel', [3, 3, 2, 1]],
      ['sequential/separable_conv2d/pointwise_kernel', [1, 1, 2, 4]],
      ['sequential/separable_conv2d/bias', [4]],
      ['sequential/depthwise_conv2d/kernel', [3, 3, 4, 1]],
      ['sequential/depthwise_conv2d/bias', [4]],
      ['sequential/head/kernel', [144, 3]],
      ['sequential/head/bias', [3]],
    ])
    model.dispose()
  })
})
