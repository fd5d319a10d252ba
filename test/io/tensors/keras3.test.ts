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
