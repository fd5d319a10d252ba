import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { loadGraphModel } from '@tensorflow/tfjs-converter'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { gradientsOf } from '../../../src/client/gradients-of'
import { DlgError } from '../../../src/errors/dlg-error'
import { modelFromFile, readTensors } from '../../../src/io'
import { modelFromGraphModel } from '../../../src/models'
import { random } from '../../../src/numbers/random'
import { difference, inOurGraph, slopes } from '../onnx/onnxruntime'
import { cases, graphModel, weight } from './graph-def-cases'

const folder = fileURLToPath(new URL('keras', import.meta.url))

/** What the executor of tfjs-converter computes. */
async function inTfjs(artifacts: object, shape: readonly number[], values: ArrayLike<number>) {
  const model = await loadGraphModel({ load: async () => artifacts as tf.io.ModelArtifacts })
  const x = tf.tensor(Float32Array.from(values), [...shape])
  const output = model.execute(x) as tf.Tensor
  const found = { dims: output.shape, values: output.dataSync() }
  tf.dispose([x, output])
  model.dispose()
  return found
}

beforeAll(async () => {
  await tf.setBackend('cpu')
})

describe('graph models that tensorflowjs_converter made of Keras models (bench/exports/generate_keras.py)', () => {
  it.each(readdirSync(folder))('%s: tfjs’s output, and TensorFlow’s gradient by Keras’s names', async (name) => {
    const theirs = readTensors(`${folder}/${name}/answers.safetensors`)
    const gradients = new Map(
      [...theirs].flatMap(([key, t]) => (key.startsWith('gradient ') ? [[key.slice(9), t] as const] : [])),
    )
    const artifacts = await modelFromFile(`${folder}/${name}/model.json`).load()
    const model = modelFromGraphModel(artifacts, { trainable: gradients })
    const { shape, data } = theirs.get('input')!
    const [input] = Object.keys(model.inputShape)
    const { output_0: output } = await inOurGraph(model, { [input]: { dims: shape, values: data } })
    expect(difference(output.values, (await inTfjs(artifacts, shape, data)).values)).toBeLessThan(1e-5)
    expect(difference(output.values, theirs.get('output')!.data)).toBeLessThan(1e-5)
    const x = tf.tensor(data, [...shape])
    const ours = await gradientsOf(model, x, [0, 1], { runtime: 'reference' })
    expect(Object.keys(ours).sort()).toEqual([...gradients.keys()].sort())
    for (const [key, right] of gradients) {
      expect(ours[key].shape).toEqual([...right.shape])
      expect(difference(ours[key].dataSync(), right.data), key).toBeLessThan(1e-5)
    }
    tf.dispose([x, ours])
    model.dispose()
  })
})

describe('operators of TensorFlow compute what tfjs-converter computes, with the derivative of finite differences', () => {
  it.each(cases.map((each) => ({ name: each[0], each })))('$name', async ({ each: [, sample, nodes, constants] }) => {
    const artifacts = graphModel(sample, nodes, constants)
    const model = modelFromGraphModel(artifacts)
    const dims = [2, ...sample]
    const source = random(11)
    const values = Float64Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () =>
      Math.fround(0.2 + source.uniform()),
    )
    const { out } = await inOurGraph(model, { x: { dims, values } })
    const theirs = await inTfjs(artifacts, dims, values)
    expect(out.dims).toEqual(theirs.dims)
    expect(difference(out.values, theirs.values)).toBeLessThan(1e-5)
    const { ours, differences } = await slopes(model, { x: { dims, values } })
    expect(Math.abs(ours - differences)).toBeLessThan(1e-6 * Math.max(1, Math.abs(differences)))
    model.dispose()
  })
})

const refusal = (code: string, message: RegExp) =>
  expect.objectContaining({ name: 'DlgError', code, message: expect.stringMatching(message) })

describe('a graph model', () => {
  const dense = () => graphModel([4], [{ op: 'MatMul', inputs: ['x', 'w'] }], { w: weight(4, 3) })

  it('has the weights of a batch norm, and not its statistics, as trained ones', () => {
    const [, sample, nodes, constants] = cases.find(([name]) => name === 'FusedBatchNormV3')!
    const model = modelFromGraphModel(graphModel(sample, nodes, constants))
    expect([Object.keys(model.weights), model.trainable]).toEqual([
      ['s', 'o', 'm', 'v'],
      ['s', 'o'],
    ])
    model.dispose()
  })

  it('takes the statistics of the batch in training mode', async () => {
    const [, sample, nodes, constants] = cases.find(([name]) => name === 'FusedBatchNormV3')!
    const model = modelFromGraphModel(
      graphModel(sample, nodes, { ...constants, s: { floats: [1, 1], shape: [2] }, o: { floats: [0, 0], shape: [2] } }),
    )
    const values = Float64Array.from({ length: 36 }, (_, i) => Math.cos(i))
    const { out } = await inOurGraph(model, { x: { dims: [2, 3, 3, 2], values } }, true)
    const first = [...out.values].filter((_, i) => i % 2 === 0)
    expect(Math.abs(first.reduce((a, b) => a + b, 0))).toBeLessThan(1e-12)
    model.dispose()
  })

  it('reads weights that are quantised, or lie in several buffers', async () => {
    const { modelTopology, signature } = dense()
    const bytes = Uint8Array.from({ length: 12 }, (_, i) => i)
    const parts = [bytes.slice(0, 5).buffer, bytes.slice(5).buffer]
    const quantization = { dtype: 'uint8', scale: 0.5, min: -1 }
    const weightSpecs = [{ name: 'w', shape: [4, 3], dtype: 'float32', quantization }]
    const model = modelFromGraphModel({ modelTopology, signature, weightSpecs, weightData: parts })
    expect([...model.weights.w.dataSync()]).toEqual([...bytes].map((v) => v * 0.5 - 1))
    model.dispose()
  })

  it.each([
    [
      'an operator that there is not',
      () => graphModel([4], [{ op: 'MatrixInverse', name: 'inverse' }]),
      'untraceable',
      /node 'inverse' \(MatrixInverse\) of 'tensorflow' is not supported/,
    ],
    [
      'a fused step that there is not',
      () =>
        graphModel(
          [4],
          [{ op: '_FusedMatMul', inputs: ['x', 'w', 'w'], attributes: { fused_ops: { texts: ['BiasAdd', 'Gelu'] } } }],
          { w: weight(4, 4) },
        ),
      'untraceable',
      /'y' \(_FusedMatMul\): is fused with BiasAdd and Gelu/,
    ],
    [
      'a loop',
      () =>
        graphModel(
          [4],
          [
            { op: 'Merge', name: 'm', inputs: ['x', 'n'] },
            { op: 'Exp', name: 'n', inputs: ['m'] },
          ],
        ),
      'untraceable',
      /node 'n' reads 'm', which reads it: a loop.*\.keras/,
    ],
    [
      'a node that there is not',
      () => graphModel([4], [{ op: 'Exp', inputs: ['z'] }]),
      'invalid-file',
      /node 'y' reads 'z', which is no node/,
    ],
    [
      'two nodes of one name',
      () => graphModel([4], [{ op: 'Exp', name: 'x' }]),
      'invalid-file',
      /two nodes of one name/,
    ],
    [
      'no GraphDef',
      () => ({ modelTopology: { model_config: {} } }),
      'invalid-file',
      /modelTopology is .*must be a GraphDef/,
    ],
    [
      'too few bytes of weights',
      () => ({ ...dense(), weightData: new ArrayBuffer(40) }),
      'invalid-file',
      /weight 'w' has shape \[4, 3\]; weightData ends before it/,
    ],
    [
      'too many bytes of weights',
      () => ({ ...dense(), weightData: new ArrayBuffer(52) }),
      'invalid-file',
      /weightData has 52 bytes; the weights need 48/,
    ],
    [
      'shapes that do not fit',
      () => graphModel([5], [{ op: 'MatMul', inputs: ['x', 'w'] }], { w: weight(4, 3) }),
      'invalid-file',
      /'y' \(MatMul\): /,
    ],
  ] as const)('refuses %s', (_, make, code, message) => {
    const before = tf.memory().numTensors
    expect(() => modelFromGraphModel(make())).toThrow(refusal(code, message))
    expect(tf.memory().numTensors).toBe(before)
  })

  it('opens or ends in a DlgError whatever is damaged', async () => {
    const artifacts = await modelFromFile(`${folder}/mobile/model.json`).load()
    const text = JSON.stringify(artifacts.modelTopology)
    const source = random(3)
    const pick = (n: number) => Math.floor(source.uniform() * n)
    let refused = 0
    for (let i = 0; i < 300; i++) {
      const numbers = [...text.matchAll(/"-?\d+"|"[A-Za-z_/0-9]+"/g)]
      const [from, to] = [numbers[pick(numbers.length)], numbers[pick(numbers.length)]]
      const damaged = text.slice(0, from.index) + to[0] + text.slice(from.index + from[0].length)
      try {
        modelFromGraphModel({ ...artifacts, modelTopology: JSON.parse(damaged) }).dispose()
      } catch (error) {
        expect(error).toBeInstanceOf(DlgError)
        refused++
      }
    }
    expect(refused).toBeGreaterThan(100)
  })
})
