import { writeFileSync } from 'node:fs'
import * as tf from '@tensorflow/tfjs-core'
import { layers, sequential } from '@tensorflow/tfjs-layers'
import { beforeEach, describe, expect, it } from 'vitest'
import { readAuditFile, readJudging, settingsOf } from '../../../src/cli/audit/config'
import { DlgError } from '../../../src/errors/dlg-error'
import { encodePng, writeSafetensors } from '../../../src/io'
import { writeModel } from '../model-files'
import { scratch } from '../terminal'

const folder = scratch()

/** Writes a model of pictures of 2×2 pixels. */
async function writeModelOf(channels: number) {
  const model = sequential()
  model.add(layers.flatten({ inputShape: [2, 2, channels] }))
  model.add(layers.dense({ units: 3, name: 'head' }))
  await writeModel(model, folder.at('model.json'))
  model.dispose()
}

beforeEach(async () => {
  await tf.setBackend('cpu')
  // levels that a PNG holds: red, green and blue of each pixel
  const levels = [51, 102, 153, 0, 255, 204, 255, 0, 0, 51, 51, 51]
  writeFileSync(folder.at('p.png'), encodePng({ width: 2, height: 2, data: Float32Array.from(levels, (v) => v / 255) }))
})

describe('pictures in an audit file', () => {
  const read = async (changes: object, channels = 3) => {
    await writeModelOf(channels)
    const file = { model: 'model.json', data: { x: ['p.png'], labels: [0] }, ...changes }
    writeFileSync(folder.at('audit.json'), JSON.stringify(file))
    const { options, dispose } = await readAuditFile(folder.at('audit.json'))
    const values = Array.from(options.data!.x.dataSync())
    dispose()
    return values
  }
  const near = (values: number[]) => values.map((v) => expect.closeTo(v, 5))

  it('are stretched over the range, then normalised channel by channel', async () => {
    expect((await read({})).slice(0, 3)).toEqual(near([0.2, 0.4, 0.6]))
    expect((await read({ dataRange: [0, 255] })).slice(3, 6)).toEqual(near([0, 255, 204]))
    const preprocessing = { mean: [0.5, 0.4, 0.1], std: [0.1, 0.2, 0.5] }
    expect((await read({ training: { preprocessing } })).slice(0, 3)).toEqual(near([-3, 0, 1]))
    const wide = { mean: 127.5, std: 127.5, range: [0, 255] }
    expect((await read({ training: { preprocessing: wide } })).slice(3, 6)).toEqual(near([-1, 1, 0.6]))
  })

  it('are gray by the luma of ITU-R BT.601', async () => {
    const gray = [0.363, 0.6782, 0.299, 0.2]
    expect(await read({}, 1)).toEqual(near(gray))
  })

  it('need a preprocessing of as many channels as the model has', async () => {
    const training = { preprocessing: { mean: [0, 0, 0] } }
    await expect(read({ training }, 1)).rejects.toThrow(/preprocessing is of 3 channels/)
    await expect(read({ training: { preprocessing: { std: 0 } } })).rejects.toThrow(/preprocessing\.std is 0/)
  })
})

describe('updates in an audit file', () => {
  const refusal = async (update: object, others: object = {}, name = 'head/bias') => {
    await writeModelOf(3)
    const tensors = { [name]: { shape: [3], data: new Float32Array(3) } }
    writeFileSync(folder.at('g.safetensors'), writeSafetensors(new Map(Object.entries(tensors))))
    writeFileSync(folder.at('map.json'), '{}')
    const updates = { anna: { gradients: 'g.safetensors', ...update } }
    writeFileSync(folder.at('audit.json'), JSON.stringify({ model: 'model.json', updates, ...others }))
    const read = readAuditFile(folder.at('audit.json'))
    return read.then(
      () => '',
      (error: DlgError) => `${error instanceof DlgError} ${error.message}`,
    )
  }

  it.each<[string, object, string]>([
    ['a weight that is missing', {}, '"partial": true leaves such weights out'],
    [
      'a map without its layout',
      { map: 'map.json' },
      '"map" says which PyTorch layer is which; it belongs to "layout": "pytorch"',
    ],
    [
      'an order in the layout of PyTorch',
      { layout: 'pytorch', byOrder: true },
      '"byOrder": true belongs to "layout": "tfjs"; PyTorch layers are told apart by "map"',
    ],
    [
      'parts in the layout of PyTorch',
      { layout: 'pytorch', partial: true },
      '"partial": true belongs to "layout": "tfjs"',
    ],
    ['a layout that there is not', { layout: 'keras' }, "layout is 'keras'"],
    ['partial that is a word', { partial: 'yes' }, "partial 'yes'; it must be true or false"],
    ['ignored tensors that are no list', { ignore: 'step' }, "ignore 'step'; it must be a list of names"],
  ])('tell the keys of the file, its path and the update for %s', async (_, update, words) => {
    const message = await refusal(update)
    expect(message).toContain(words)
    expect(message).toContain("update 'anna'")
    expect(message).toMatch(/^true .*audit\.json: /)
    expect(message).not.toContain('--')
  })

  it('tell the keys of the file for names that the model does not have', async () => {
    expect(await refusal({}, {}, 'fc.bias')).toMatch(
      /PyTorch's names need "layout": "pytorch", an order that counts "byOrder": true, .* "ignore": \["fc.bias"\]$/,
    )
  })

  it('are read after what is wrong with judging, which has the path of the file', async () => {
    for (const [wrong, words] of [
      [{ thresholds: { psnr: 'high' } }, "audit.json: thresholds.psnr is 'high'"],
      [{ failOn: 'sometimes' }, "audit.json: failOn is 'sometimes'"],
    ] as const) {
      expect(await refusal({}, wrong)).toContain(words)
      await expect(readJudging(folder.at('audit.json'))).rejects.toThrow(words)
    }
    expect(() => settingsOf('audit.json', { evaluations: -1, updates: {} } as never)).toThrow(
      'audit.json: evaluations is -1',
    )
  })
})
