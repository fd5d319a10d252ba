import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import * as tfl from '@tensorflow/tfjs-layers'
import { strToU8, unzipSync, zipSync } from 'fflate'
import { afterAll, describe, expect, it } from 'vitest'
import { gradientsOf } from '../../../src'
import { DlgError } from '../../../src/errors/dlg-error'
import { type ModelFileOptions, modelFromFile, readTensors } from '../../../src/io'
import { registerKerasLayers } from '../../../src/models'
import { survive } from '../mutations'

interface Numbers {
  readonly shape: number[]
  readonly data: string
}

interface Expected {
  readonly input: Numbers
  readonly output: Numbers
  readonly gradient: Readonly<Record<string, Numbers>>
}

registerKerasLayers(tfl)

const file = (name: string) => new URL(`../../fixtures/keras/${name}`, import.meta.url).pathname
/** Written by make_keras_files.py. */
const { models } = JSON.parse(readFileSync(file('expected.json'), 'utf8')) as {
  readonly models: Readonly<Record<string, Expected>>
}

const folder = mkdtempSync(join(tmpdir(), 'dlg-keras-'))
afterAll(() => rmSync(folder, { recursive: true }))

const numbersOf = ({ data }: Numbers) => new Float32Array(new Uint8Array(Buffer.from(data, 'base64')).buffer)
const tensorOf = (numbers: Numbers) => tf.tensor(numbersOf(numbers), numbers.shape)

/** The largest difference, in units of the largest value. */
function apart(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(found.length).toBe(expected.length)
  const size = Math.max(1e-6, ...Array.from(expected, Math.abs))
  return Math.max(0, ...Array.from(expected, (value, i) => Math.abs(value - found[i]))) / size
}

const load = (source: string | Uint8Array, options?: ModelFileOptions) =>
  tfl.loadLayersModel(modelFromFile(source, options))

async function expectAsInKeras(model: tfl.LayersModel, { input, output, gradient }: Expected): Promise<void> {
  const x = tensorOf(input)
  expect(apart((model.predict(x) as tf.Tensor).dataSync(), numbersOf(output))).toBeLessThan(1e-5)
  const found = Object.values(await gradientsOf(model, x, [2]))
  const expected = Object.values(gradient)
  expect(found.map(({ shape }) => shape)).toEqual(expected.map(({ shape }) => shape))
  for (const [i, numbers] of expected.entries())
    expect(apart(found[i].dataSync(), numbersOf(numbers)), Object.keys(gradient)[i]).toBeLessThan(1e-5)
  model.dispose()
}

describe('a .keras archive', () => {
  it.each(['convolutional', 'recurrent'])('%s has the output and the gradient that it has in Keras', async (name) => {
    await expectAsInKeras(await load(file(`${name}.keras`)), models[name])
    const before = tf.memory().numTensors
    ;(await load(new Uint8Array(readFileSync(file(`${name}.keras`))))).dispose()
    expect(tf.memory().numTensors).toBe(before)
  })

  const parts = () => unzipSync(new Uint8Array(readFileSync(file('recurrent.keras'))))
  const refused = async (members: Record<string, Uint8Array>, message: RegExp) => {
    const path = join(folder, 'other.keras')
    writeFileSync(path, zipSync(members, { level: 0 }))
    await expect(modelFromFile(path).load()).rejects.toMatchObject({
      code: 'invalid-file',
      message: expect.stringMatching(message),
    })
  }

  it.each<[string, RegExp, (members: Record<string, Uint8Array>) => void]>([
    [
      'without weights',
      /has 0 members named "model\.weights\.h5"; it must have one/,
      (members) => {
        delete members['model.weights.h5']
      },
    ],
    [
      'with weights in several files',
      /weights in several files; load it in Keras and save it without max_shard_size/,
      (members) => {
        delete members['model.weights.h5']
        members['model_00000.weights.h5'] = strToU8('x')
      },
    ],
    [
      'of a class of its own',
      /is a "Net", a class of its own, .* or be exported as ONNX/,
      (members) => {
        members['config.json'] = strToU8('{"module":"__main__","class_name":"Net","config":{"width":3}}')
      },
    ],
    [
      'that is no model',
      /config\.json is no model/,
      (members) => {
        members['config.json'] = strToU8('{}')
      },
    ],
    [
      'with the weights of another model',
      /model\.weights\.h5: has no "layers\/bidirectional\/forward_layer\/cell\/vars\/0"; is it of another model\?/,
      (members) => {
        members['model.weights.h5'] = new Uint8Array(readFileSync(file('dense.weights.h5')))
      },
    ],
    [
      'with a layer too few',
      /has "layers\/dense\/vars\/0", which no layer of the model takes/,
      (members) => {
        const json = JSON.parse(Buffer.from(members['config.json']).toString())
        json.config.layers.pop()
        members['config.json'] = strToU8(JSON.stringify(json))
      },
    ],
    [
      'with a layer whose weights have no names',
      /layer "dense_1" is a "dense", whose weights are not known by name/,
      (members) => {
        // another class that Keras would write to the same place
        const json = JSON.parse(Buffer.from(members['config.json']).toString())
        json.config.layers.at(-1).class_name = 'dense'
        members['config.json'] = strToU8(JSON.stringify(json))
      },
    ],
  ])('%s is refused', async (_, message, change) => {
    const members = parts()
    change(members)
    await refused(members, message)
  })
})

describe('weights from a file of their own', () => {
  it.each(['dense.weights.h5', 'dense.npz'])('%s, for the JSON of to_json', async (weights) => {
    await expectAsInKeras(await load(file('dense.json'), { weights: file(weights) }), models.dense)
    const bytes = new Uint8Array(readFileSync(file(weights)))
    await expectAsInKeras(await load(file('dense.json'), { weights: bytes }), models.dense)
  })

  it('for a model.json, in place of its own', async () => {
    const path = join(folder, 'model.json')
    const topology = { keras_version: '3.15.1', model_config: JSON.parse(readFileSync(file('dense.json'), 'utf8')) }
    writeFileSync(path, JSON.stringify({ modelTopology: topology, weightsManifest: [] }))
    await expectAsInKeras(await load(path, { weights: file('dense.weights.h5') }), models.dense)
  })

  it('are needed by an architecture', async () => {
    await expect(load(file('dense.json'))).rejects.toThrow(/is an architecture without weights; give them too/)
  })

  it('must be of the model', async () => {
    await expect(load(file('recurrent.keras'), { weights: file('dense.weights.h5') })).rejects.toThrow(DlgError)
    await expect(load(file('recurrent.keras'), { weights: file('dense.npz') })).rejects.toThrow()
  })

  it('a GRU with dropout inside is refused in training', async () => {
    const config = { units: 2, dropout: 0.5, recurrent_initializer: 'zeros', batch_input_shape: [null, 3, 2] }
    const topology = { class_name: 'Sequential', config: { layers: [{ class_name: 'ResetAfterGRU', config }] } }
    const model = (await tfl.models.modelFromJSON(topology as never)) as tfl.LayersModel
    const x = tf.ones([1, 3, 2])
    expect((model.apply(x) as tf.Tensor).shape).toEqual([1, 2])
    expect(() => model.apply(x, { training: true })).toThrow(/dropout inside, which is not supported in training/)
  })

  it('layers are made by tfjs', () => {
    expect(() => registerKerasLayers({ layers: {} } as never)).toThrow(/tfjs makes no layers/)
  })
})

describe('damaged archives give a model or a DlgError, in bounded memory', () => {
  it('with sound zips around damaged parts', async () => {
    const whole = unzipSync(new Uint8Array(readFileSync(file('recurrent.keras'))))
    // zips are checked by their sums, so damage must come before
    const count = survive(whole['model.weights.h5'], 600, 3, (bytes) => void readTensors(bytes), { growth: 4 })
    expect(count.accepted).toBeGreaterThan(40)
    expect(count.refused).toBeGreaterThan(80)
    for (const [i, part] of ['config.json', 'model.weights.h5'].entries()) {
      const attempts: Promise<unknown>[] = []
      survive(whole[part], 80, i, (bytes) => {
        attempts.push(modelFromFile(zipSync({ ...whole, [part]: bytes }, { level: 0 })).load())
      })
      const settled = await Promise.allSettled(attempts)
      for (const each of settled) if (each.status === 'rejected') expect(each.reason).toBeInstanceOf(DlgError)
      expect(settled.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(10)
    }
  })
})
