import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import { type LayersModel, layers, loadLayersModel, sequential } from '@tensorflow/tfjs-layers'
import { afterAll, describe, expect, it } from 'vitest'
import { modelFromFile, readTensors, readTfjsWeights } from '../../../src/io'
import { thrown } from '../thrown'

const folder = mkdtempSync(join(tmpdir(), 'dlg-tfjs-'))
afterAll(() => rmSync(folder, { recursive: true }))
let count = 0

/** A model's files in a folder of their own: the path of its model.json. */
function written(json: unknown, shards: Record<string, Uint8Array> = {}): string {
  const path = join(folder, String(count++), 'model.json')
  for (const [name, bytes] of [['model.json', Buffer.from(JSON.stringify(json))] as const, ...Object.entries(shards)]) {
    mkdirSync(dirname(join(dirname(path), name)), { recursive: true })
    writeFileSync(join(dirname(path), name), bytes)
  }
  return path
}

/** The files that tfjs itself writes for a model, its weights in two shards that split one of them. */
async function saved(model: LayersModel): Promise<string> {
  let path = ''
  await model.save(
    tf.io.withSaveHandler(async (artifacts) => {
      const bytes = Buffer.from(artifacts.weightData as ArrayBuffer)
      const { modelTopology, weightSpecs, format, generatedBy, convertedBy } = artifacts
      const weightsManifest = [{ paths: ['a.bin', 'deep/b.bin'], weights: weightSpecs }]
      path = written(
        { modelTopology, format, generatedBy, convertedBy, weightsManifest },
        { 'a.bin': bytes.subarray(0, 6), 'deep/b.bin': bytes.subarray(6) },
      )
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } }
    }),
  )
  return path
}

const weight = (fields: object) => ({ name: 'w', shape: [3], dtype: 'float32', ...fields })
const manifest = (...weights: object[]) => ({ weightsManifest: [{ paths: ['w.bin'], weights }] })
const bytesOf = (values: Float32Array | Int32Array | Uint16Array) => new Uint8Array(values.buffer)

describe('readTfjsWeights', () => {
  it('reads what tfjs saved, by name and in its order', async () => {
    const model = sequential({
      layers: [
        layers.conv2d({ filters: 2, kernelSize: 2, inputShape: [4, 4, 1] }),
        layers.batchNormalization(),
        layers.flatten(),
        layers.dense({ units: 3 }),
      ],
    })
    const tensors = readTfjsWeights(await saved(model))
    const expected = model.weights.map((w) => [w.name, { shape: w.shape, data: w.read().dataSync(), dtype: 'float32' }])
    expect(new Map([...tensors])).toEqual(new Map(expected as never))
    model.dispose()
  })

  const half = new Uint16Array([0x3c00, 0xc000, 0x3555])
  it.each<[string, object, Uint8Array, number[]]>([
    ['float32', weight({}), bytesOf(Float32Array.of(1, -2, 0.1)), [1, -2, Math.fround(0.1)]],
    ['int32', weight({ dtype: 'int32' }), bytesOf(Int32Array.of(-1, 2 ** 24, 0)), [-1, 2 ** 24, 0]],
    ['bool', weight({ dtype: 'bool' }), Uint8Array.of(1, 0, 1), [1, 0, 1]],
    ['float16', weight({ dtype: 'float16' }), bytesOf(half), [1, -2, 0.333251953125]],
    ['float32 as float16', weight({ quantization: { dtype: 'float16' } }), bytesOf(half), [1, -2, 0.333251953125]],
    [
      'float32 as uint8',
      weight({ quantization: { dtype: 'uint8', scale: 0.5, min: -1 } }),
      Uint8Array.of(0, 3, 255),
      [-1, 0.5, 126.5],
    ],
    [
      'float32 as uint16',
      weight({ quantization: { dtype: 'uint16', scale: 0.25, min: 2 } }),
      bytesOf(Uint16Array.of(0, 4, 65535)),
      [2, 3, 16385.75],
    ],
    [
      'int32 as uint8',
      weight({ dtype: 'int32', quantization: { dtype: 'uint8', scale: 0.4, min: -1 } }),
      Uint8Array.of(0, 1, 255),
      [-1, -1, 101],
    ],
  ])('decodes %s as tfjs does', (_, entry, bytes, values) => {
    const path = written(manifest(entry), { 'w.bin': bytes })
    expect([...readTfjsWeights(path).get('w')!.data].map((v) => v + 0)).toEqual(values)
    if ((entry as { dtype: string }).dtype === 'float16') return
    const theirs = tf.io.decodeWeights(new Uint8Array(bytes).buffer, [entry as tf.io.WeightsManifestEntry])
    expect([...theirs.w.dataSync()].map((v) => v + 0)).toEqual(values)
    theirs.w.dispose()
  })

  const f32 = (paths: unknown) => ({ weightsManifest: [{ paths, weights: [weight({})] }] })
  it.each<[string, unknown, RegExp]>([
    ['a path upwards', f32(['../w.bin']), /names the shard "..\/w.bin"; it must be a file in the folder of model.json/],
    ['a path upwards later on', f32(['a/../../w.bin']), /names the shard/],
    ['an absolute path', f32(['/etc/passwd']), /names the shard "\/etc\/passwd"/],
    ['a path of Windows', f32(['..\\w.bin']), /names the shard/],
    ['a drive', f32(['C:w.bin']), /names the shard/],
    ['an address', f32(['https://example.org/w.bin']), /names the shard/],
    ['an empty path', f32(['']), /names the shard ""/],
    ['a folder', f32(['.']), /names the shard/],
    ['a path that is no text', f32([1]), /names the shard 1/],
    ['a path with a NUL', f32(['w\0.bin']), /names the shard/],
    ['one shard many times', f32(['w.bin', 'w.bin']), /the manifest names "w.bin" twice/],
    ['a missing shard', f32(['x.bin']), /x.bin: no such file/],
    ['no manifest', { modelTopology: {} }, /has no weightsManifest; it must be a model.json of TensorFlow.js/],
    [
      'a manifest that is no list',
      { weightsManifest: {} },
      /weightsManifest is an object; it must be a list of groups/,
    ],
    ['a group that is none', { weightsManifest: [1] }, /group 0 of the manifest must be \{paths/],
    ['a weight without name', manifest({ shape: [] }), /a weight of the manifest is an object; it must have a name/],
    ['two weights of one name', manifest(weight({}), weight({})), /has two weights named "w"/],
    ['a shape that is none', manifest(weight({ shape: [-1] })), /weight "w" has shape \[-1\]/],
    ['text', manifest(weight({ dtype: 'string' })), /dtype "string"; it must be float32, float16, int32 or bool/],
    ['complex numbers', manifest(weight({ dtype: 'complex64' })), /dtype "complex64"/],
    [
      'an unknown quantisation',
      manifest(weight({ quantization: { dtype: 'int4' } })),
      /float32 quantised to "int4"; it must be/,
    ],
    [
      'booleans quantised',
      manifest(weight({ dtype: 'bool', quantization: { dtype: 'uint8' } })),
      /bool quantised to "uint8"/,
    ],
    [
      'no scale',
      manifest(weight({ quantization: { dtype: 'uint8', min: 0 } })),
      /scale missing and min 0; both must be numbers/,
    ],
    ['too few bytes', manifest(weight({ shape: [4] })), /from "w" on need 16 bytes, but \["w.bin"\] have 12/],
    ['too many bytes', manifest(weight({ shape: [2] })), /need 8 bytes, but \["w.bin"\] have 12/],
    ['bytes without weights', manifest(), /need 0 bytes, but \["w.bin"\] have 12/],
  ])('refuses %s', (_, json, message) => {
    const path = written(json, { 'w.bin': new Uint8Array(12) })
    const error = thrown(() => readTfjsWeights(path))
    expect(error.code).toBe('invalid-file')
    expect(error.message).toMatch(message)
    expect(error.message).toContain(dirname(path))
  })

  const numbers = bytesOf(Float32Array.of(1, 2, 3))
  const linked = (path: string, name: string, target: string) => symlinkSync(target, join(dirname(path), name))

  it('follows a link within the folder, and below it', () => {
    const path = written(f32(['link.bin']), { 'deep/w.bin': numbers })
    linked(path, 'link.bin', 'deep/w.bin')
    expect([...readTfjsWeights(path).get('w')!.data]).toEqual([1, 2, 3])
  })

  it('follows links to where model.json itself really lies, as caches of models have them', () => {
    const blobs = written(f32(['link.bin']), { 'w.bin': numbers })
    const path = written({})
    rmSync(path)
    linked(path, 'model.json', blobs)
    linked(path, 'link.bin', join(dirname(blobs), 'w.bin'))
    expect([...readTfjsWeights(path).get('w')!.data]).toEqual([1, 2, 3])
  })

  it.each([
    ['a link', 'link.bin', (path: string, target: string) => linked(path, 'link.bin', target)],
    [
      'a chain of links',
      'a.bin',
      (path: string, target: string) => {
        linked(path, 'b.bin', target)
        linked(path, 'a.bin', 'b.bin')
      },
    ],
    ['a folder that is a link', 'sub/w.bin', (path: string, target: string) => linked(path, 'sub', dirname(target))],
    [
      'a folder whose name begins alike',
      'link.bin',
      (path: string) => {
        const beside = `${dirname(path)}-beside`
        mkdirSync(beside)
        writeFileSync(join(beside, 'w.bin'), numbers)
        linked(path, 'link.bin', join(beside, 'w.bin'))
      },
    ],
  ])('does not follow %s out of the folder', (_, shard, link) => {
    const path = written(f32([shard]), {})
    const elsewhere = written({}, { 'w.bin': numbers })
    link(path, join(dirname(elsewhere), 'w.bin'))
    for (const read of [readTfjsWeights, readTensors]) {
      const error = thrown(() => read(path))
      expect(error.code).toBe('invalid-file')
      expect(error.message).toContain(`the shard "${shard}" is a link out of the folder of model.json`)
    }
  })

  it('is what readTensors does with a model.json, which needs its path', () => {
    const path = written(f32(['w.bin']), { 'w.bin': bytesOf(Float32Array.of(1, 2, 3)) })
    expect([...readTensors(path)]).toEqual([['w', { shape: [3], data: Float32Array.of(1, 2, 3), dtype: 'float32' }]])
    const error = thrown(() => readTensors(Buffer.from(JSON.stringify(f32(['w.bin'])))))
    expect(error.message).toBe(
      'tensors: is a tfjs model.json; it must be given by its path, in Node: the weights lie beside it',
    )
  })
})

describe('modelFromFile', () => {
  it('gives tf.loadLayersModel the model that was saved', async () => {
    const model = sequential({
      layers: [
        layers.conv1d({ filters: 2, kernelSize: 2, inputShape: [5, 1] }),
        layers.flatten(),
        layers.dense({ units: 3 }),
      ],
    })
    const loaded = await loadLayersModel(modelFromFile(await saved(model)))
    const x = tf.randomNormal([2, 5, 1], 0, 1, 'float32', 1)
    const [a, b] = [model, loaded].map((m) => m.predict(x) as tf.Tensor)
    expect([...b.dataSync()]).toEqual([...a.dataSync()])
    tf.dispose([a, b, x])
    model.dispose()
    loaded.dispose()
  })

  it('gives quantised weights to tfjs as they are stored', async () => {
    const model = sequential({ layers: [layers.dense({ units: 1, inputShape: [3], useBias: false, name: 'd' })] })
    const path = written(
      {
        modelTopology: model.toJSON(null, false),
        weightsManifest: [
          {
            paths: ['w.bin'],
            weights: [
              {
                name: 'd/kernel',
                shape: [3, 1],
                dtype: 'float32',
                quantization: { dtype: 'uint8', scale: 2, min: -1 },
              },
            ],
          },
        ],
      },
      { 'w.bin': Uint8Array.of(0, 1, 2) },
    )
    const loaded = await loadLayersModel(modelFromFile(path))
    expect([...loaded.weights[0].read().dataSync()]).toEqual([-1, 1, 3])
    model.dispose()
    loaded.dispose()
  })

  it.each<[string, object, RegExp]>([
    ['weights alone', {}, /holds no topology; it must be a layers model: tensorflowjs_converter/],
    ['a graph model', { modelTopology: {}, format: 'graph-model' }, /holds a "graph-model"; it must be a layers model/],
  ])('refuses %s, when it is loaded', async (_, fields, message) => {
    const handler = modelFromFile(written({ weightsManifest: [], ...fields }))
    await expect(handler.load()).rejects.toMatchObject({
      name: 'DlgError',
      code: 'invalid-file',
      message: expect.stringMatching(message),
    })
  })

  it('reads nothing before it is asked', async () => {
    const handler = modelFromFile('missing/model.json')
    await expect(handler.load()).rejects.toMatchObject({ message: 'missing/model.json: no such file' })
  })
})
