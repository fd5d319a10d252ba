import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { gradientsOf } from '../../../src/client/gradients-of'
import { readTensors } from '../../../src/io'
import { modelFromOnnx } from '../../../src/models/onnx/model-from-onnx'
import { difference, inOurGraph } from './onnxruntime'

const folder = fileURLToPath(new URL('pytorch', import.meta.url))
const names = readdirSync(folder).flatMap((file) => (file.endsWith('.onnx.gz') ? [file.slice(0, -8)] : []))

describe('models that PyTorch exported', () => {
  it.each(names)('%s: the output and the gradient are those of PyTorch, by its names', async (name) => {
    const theirs = readTensors(`${folder}/${name}.safetensors`)
    const gradients = new Map(
      [...theirs].flatMap(([key, t]) => (key.startsWith('gradient ') ? [[key.slice(9), t] as const] : [])),
    )
    const model = modelFromOnnx(gunzipSync(readFileSync(`${folder}/${name}.onnx.gz`)), {
      name,
      trainable: gradients,
      channelsLast: false,
    })
    expect(Object.keys(model.inputShape)).toEqual(['input'])
    expect([...model.trainable].sort()).toEqual([...gradients.keys()].sort())
    const { shape, data } = theirs.get('input')!
    const { output } = await inOurGraph(model, { input: { dims: shape, values: data } })
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
})
