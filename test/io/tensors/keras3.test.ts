import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import { loadLayersModel } from '@tensorflow/tfjs-layers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { modelFromFile } from '../../../src/io'
import { isKeras3 } from '../../../src/io/tensors/keras3'

interface Numbers {
  readonly shape: number[]
  readonly data: string
}

interface Written {
  readonly modelTopology: { model_config: { config: { layers: Json[] } } }
  readonly weights: (Numbers & { readonly name: string; readonly dtype: string })[]
  readonly generators: string[]
  readonly inputs: Numbers[]
  readonly outputs: Numbers[]
}

// biome-ignore lint/suspicious/noExplicitAny: a file of another program
type Json = any

/** Written by make_keras3.py. */
const { models } = JSON.parse(readFileSync(new URL('../../fixtures/keras3.json', import.meta.url), 'utf8')) as {
  readonly models: Readonly<Record<string, Written>>
}

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dlg-keras3-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const bytesOf = ({ data }: { data: string }) => Buffer.from(data, 'base64')

/** The files that the converter writes. `named` changes the names of weights. */
function write(name: string, model: Written, named = (weight: string) => weight): string {
  const path = join(folder, name)
  mkdirSync(path, { recursive: true })
  const generators = model.generators.map((generator) => ({ name: generator, shape: [2], dtype: 'int32' }))
  writeFileSync(
    join(path, 'w.bin'),
    Buffer.concat([...generators.map(() => Buffer.alloc(8, 1)), ...model.weights.map(bytesOf)]),
  )
  const weights = model.weights.map(({ name: weight, shape, dtype }) => ({ name: named(weight), shape, dtype }))
  const weightsManifest = [{ paths: ['w.bin'], weights: [...generators, ...weights] }]
  writeFileSync(
    join(path, 'model.json'),
    JSON.stringify({ format: 'layers-model', modelTopology: model.modelTopology, weightsManifest }),
  )
  return join(path, 'model.json')
}

const tensorOf = (numbers: Numbers) =>
  tf.tensor(new Float32Array(new Uint8Array(bytesOf(numbers)).buffer), numbers.shape)

async function worst(path: string, { inputs, outputs }: Written): Promise<number> {
  const model = await loadLayersModel(modelFromFile(path))
  const given = inputs.map(tensorOf)
  const found = model.predict(given.length > 1 ? given : given[0])
  const differences = [found].flat().map((output, i) => {
    expect(output.shape).toEqual(outputs[i].shape)
    return tf.max(tf.abs(tf.sub(output, tensorOf(outputs[i])))).dataSync<'float32'>()[0]
  })
  model.dispose()
  return Math.max(...differences)
}

describe('a model.json of Keras 3', () => {
  it.each(Object.keys(models))('%s gives what it gives in Keras', async (name) => {
    expect(await worst(write(name, models[name]), models[name])).toBeLessThan(1e-5)
  })

  it('weights without the name of the model are the same weights', async () => {
    const path = write('unnamed', models.sequential, (weight) => weight.replace('sequential/', ''))
    expect(await worst(path, models.sequential)).toBeLessThan(1e-5)
  })

  const changed = (change: (layers: Json[]) => void, name = 'sequential'): Written => {
    const copy = structuredClone(models[name])
    change(copy.modelTopology.model_config.config.layers)
    return copy
  }

  it.each<[string, RegExp, (layers: Json[]) => void, string?]>([
    [
      'mixed precision',
      /layer "conv2d" computes in "mixed_float16"; it must be float32/,
      (layers) => {
        layers[1].config.dtype.config.name = 'mixed_float16'
      },
    ],
    [
      'a call with a named tensor',
      /layer "first" is called with "mask"; only tensors without names are read/,
      (layers) => {
        const first = layers.find(({ name }) => name === 'first')
        first.inbound_nodes[0].kwargs = { mask: first.inbound_nodes[0].args[0] }
      },
      'functional',
    ],
    [
      'a call with a number',
      /layer "first" is called with 3; it must be tensors of other layers/,
      (layers) => {
        layers.find(({ name }) => name === 'first').inbound_nodes[0].args.push(3)
      },
      'functional',
    ],
    [
      'a layer without a config',
      /a layer is no object with a config/,
      (layers) => {
        layers[1] = 'conv2d'
      },
    ],
    [
      'models within models',
      /nested deeper than 16/,
      (layers) => {
        for (let i = 0; i < 20; i++)
          layers[1] = { class_name: 'Sequential', config: { name: `m${i}`, layers: [layers[1]] } }
      },
    ],
  ])('%s is refused', async (name, message, change, of) => {
    const path = write(name, changed(change, of))
    await expect(modelFromFile(path).load()).rejects.toMatchObject({
      code: 'invalid-file',
      message: expect.stringMatching(message),
    })
  })

  /** A model of one layer, maybe with others around it, as Keras 3 writes it. */
  const ofLayers = (
    shape: readonly (number | null)[],
    ...all: readonly (readonly [kind: string, config: Json])[]
  ): Json => ({
    class_name: 'Sequential',
    config: {
      name: 'net',
      layers: [
        { class_name: 'InputLayer', config: { name: 'input', batch_shape: shape, dtype: 'float32' } },
        ...all.map(([class_name, config], i) => ({
          module: 'keras.layers',
          class_name,
          config: { name: `l${i}`, ...config },
        })),
      ],
    },
  })
  const writeLayers = (name: string, model: Json, weights: Json[] = [], data: readonly number[] = []): string => {
    const path = join(folder, name)
    mkdirSync(path, { recursive: true })
    writeFileSync(join(path, 'w.bin'), new Uint8Array(Float32Array.from(data).buffer))
    const json = {
      ...{ format: 'layers-model', modelTopology: { keras_version: '3.8.0', model_config: model } },
      weightsManifest: [{ paths: ['w.bin'], weights }],
    }
    writeFileSync(join(path, 'model.json'), JSON.stringify(json))
    return join(path, 'model.json')
  }
  const x = [-3, -1, -0.5, 0, 0.2, 0.4, 2]
  const sigmoid = (v: number) => 1 / (1 + Math.exp(-v))

  it.each<[string, Json, (v: number) => number]>([
    ['LeakyReLU', { negative_slope: 0.1 }, (v) => (v > 0 ? v : 0.1 * v)],
    [
      'Activation',
      { activation: { class_name: 'LeakyReLU', config: { negative_slope: 0.05 } } },
      (v) => (v > 0 ? v : 0.05 * v),
    ],
    ['ReLU', { negative_slope: 0.2, threshold: 0, max_value: null }, (v) => (v > 0 ? v : 0.2 * v)],
    ['ReLU', { negative_slope: 0, threshold: 0.3, max_value: null }, (v) => (v >= 0.3 ? v : 0)],
    ['ReLU', { negative_slope: 0, threshold: 0, max_value: 1.5 }, (v) => Math.min(Math.max(v, 0), 1.5)],
    ['Activation', { activation: 'silu' }, (v) => v * sigmoid(v)],
  ])('%s %j is what it is in Keras', async (kind, config, right) => {
    const path = writeLayers(`${kind} ${JSON.stringify(config).length}`, ofLayers([null, x.length], [kind, config]))
    const model = await loadLayersModel(modelFromFile(path))
    const found = model.predict(tf.tensor2d([x])) as tf.Tensor
    for (const [i, v] of found.dataSync().entries()) expect(v).toBeCloseTo(right(x[i]), 5)
    model.dispose()
  })

  it.each([
    ['L1', { l1: 0.5 }, 0.5 * 6],
    ['L2', { l2: 0.5 }, 0.5 * 14],
  ])('%s is a penalty as in Keras', async (class_name, config, right) => {
    const dense = {
      units: 1,
      use_bias: false,
      kernel_regularizer: { module: 'keras.regularizers', class_name, config },
    }
    const spec = { name: 'net/l0/kernel', shape: [3, 1], dtype: 'float32' }
    const path = writeLayers(class_name, ofLayers([null, 3], ['Dense', dense]), [spec], [1, -2, 3])
    const model = await loadLayersModel(modelFromFile(path))
    expect(model.layers.flatMap((layer) => layer.calculateLosses()).map((loss) => loss.dataSync()[0])).toEqual([right])
    model.dispose()
  })

  const cell = (config: Json): Json => ({
    class_name: 'LSTM',
    config: { units: 2, return_sequences: false, ...config },
  })
  const two = (forth: Json, back: Json): Json => ({
    layer: cell({ name: 'forward_lstm', ...forth }),
    backward_layer: cell({ name: 'backward_lstm', go_backwards: true, ...back }),
  })

  it.each<[string, Json, RegExp]>([
    ['Conv2D', { groups: 3 }, /layer "l0" is a Conv2D with groups 3, .* it must be 1, or export the model as ONNX/],
    ['Conv1D', { padding: 'causal' }, /Conv1D with padding "causal"/],
    ['DepthwiseConv2D', { dilation_rate: [2, 2] }, /DepthwiseConv2D with dilation_rate \[2,\s?2\]/],
    ['Conv2DTranspose', { dilation_rate: [1, 2] }, /Conv2DTranspose with dilation_rate/],
    ['Conv2DTranspose', { output_padding: [1, 1] }, /Conv2DTranspose with output_padding .* it must be None/],
    ['GlobalAveragePooling2D', { keepdims: true }, /GlobalAveragePooling2D with keepdims true/],
    ['UpSampling2D', { interpolation: 'bilinear' }, /UpSampling2D with interpolation "bilinear"/],
    ['LSTM', { recurrent_activation: 'hard_sigmoid' }, /has the recurrent_activation "hard_sigmoid" of Keras 3/],
    ['Dense', { activation: { class_name: 'function', config: 'hard_sigmoid' } }, /the activation "hard_sigmoid"/],
    ['ReLU', { negative_slope: 0.1, max_value: 6 }, /is a ReLU with two of negative_slope, threshold and max_value/],
    ['Dense', { activity_regularizer: { class_name: 'L2', config: { l2: 0.1 } } }, /has an activity_regularizer/],
    ['TimeDistributed', { layer: { class_name: 'Conv2D', config: { groups: 2 } } }, /Conv2D with groups 2/],
    ['Bidirectional', two({}, { activation: 'relu' }), /two directions that differ in "activation"/],
    ['Bidirectional', two({}, { go_backwards: false }), /two directions that differ in "go_backwards"/],
  ])('%s %j would be another layer in TensorFlow.js, and is refused', async (kind, config, message) => {
    const path = writeLayers('refused', ofLayers([null, 4, 4, 6], [kind, config]))
    await expect(modelFromFile(path).load()).rejects.toMatchObject({
      code: 'invalid-file',
      message: expect.stringMatching(message),
    })
  })

  it('steps that a mask hides must be hidden from every layer', async () => {
    const masked = async (...after: [string, Json][]) =>
      modelFromFile(writeLayers('masked', ofLayers([null, 5, 3], ['Masking', { mask_value: 0 }], ...after))).load()
    const refusal = (message: RegExp) => ({ code: 'invalid-file', message: expect.stringMatching(message) })
    await expect(masked(['LSTM', { units: 2 }])).resolves.toBeDefined()
    await expect(masked(['Bidirectional', two({}, {})])).resolves.toBeDefined()
    // Keras numbers the objects of a file
    const decay = (id: number) => ({
      kernel_regularizer: { module: 'keras.regularizers', class_name: 'L2', config: { l2: 0.1 }, shared_object_id: id },
    })
    await expect(masked(['Bidirectional', two(decay(1), decay(2))])).resolves.toBeDefined()
    await expect(masked(['GlobalAveragePooling1D', {}])).rejects.toMatchObject(
      refusal(/layer "l0", a Masking, hides steps, .* from layer "l1", a GlobalAveragePooling1D/),
    )
    const sequences = { return_sequences: true }
    await expect(masked(['Bidirectional', two(sequences, sequences)])).rejects.toMatchObject(
      refusal(/"l1", a Bidirect/),
    )
    await expect(masked(['LSTM', sequences])).resolves.toBeDefined()
    await expect(masked(['LSTM', { ...sequences, zero_output_for_mask: true }])).rejects.toMatchObject(
      refusal(/"l1", an? LSTM/),
    )
    const embedding: [string, Json] = ['Embedding', { input_dim: 7, output_dim: 3, mask_zero: true }]
    const words = ofLayers([null, 5], embedding, ['GlobalAveragePooling1D', {}])
    await expect(modelFromFile(writeLayers('words', words)).load()).rejects.toMatchObject(
      refusal(/an? Embedding, hides/),
    )
  })

  it('is known by its version, the shape of its input, its modules or its dtypes', () => {
    const of = (layer: Json) => ({ class_name: 'Sequential', config: { layers: [layer] } })
    expect(isKeras3({ keras_version: '3.8.0', model_config: {} })).toBe(true)
    expect(isKeras3({ keras_version: '2.15.0', model_config: {} })).toBe(false)
    expect(isKeras3(of({ class_name: 'InputLayer', config: { batch_shape: [null, 4] } }))).toBe(true)
    expect(isKeras3({ model_config: of({ config: { dtype: { config: { name: 'float32' } } } }) })).toBe(true)
    expect(isKeras3(of({ class_name: 'Dense', config: { batch_input_shape: [null, 4], dtype: 'float32' } }))).toBe(
      false,
    )
    expect(isKeras3({})).toBe(false)
  })
})
