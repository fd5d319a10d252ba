import { readFileSync, writeFileSync } from 'node:fs'
import * as tf from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import { layers, sequential } from '@tensorflow/tfjs-layers'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { visible } from '../../src/cli/terminal'
import { writeNpz, writeSafetensors } from '../../src/io'
import { convNet, sample } from '../attacks/matching/tiny'
import { buildSafetensors } from '../io/tensors/safetensors-builder'
import { gradientFile, writeModel } from './model-files'
import { dlg, readJson, scratch, writePhoto } from './terminal'

/** Clears the screen, sets the title, and is red: by escapes of C0 and of C1; then writes from right to left. */
const HOSTILE = 'w\x1b[2J\x1b]0;title\x07\x9b31m\x7f\r\u202egnp'
const SHOWN = 'w\\u001b[2J\\u001b]0;title\\u0007\\u009b31m\\u007f\\u000d\\u202egnp'

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be printed
const OBEYED = /[\0-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/
const folder = scratch()

describe('what a terminal would obey is shown', () => {
  it('whatever the text, which is else as it was, and JSON keeps its meaning', () => {
    expect(visible(HOSTILE)).toBe(SHOWN)
    expect(visible('größe 層 🙂 a\nb')).toBe('größe 層 🙂 a\nb')
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(visible(text)).not.toMatch(OBEYED)
        expect(JSON.parse(visible(JSON.stringify({ [text]: text })))).toEqual({ [text]: text })
      }),
    )
  })

  /** A file's names in the errors of each format. */
  it.each<[string, () => Uint8Array]>([
    ['npz', () => writeNpz(new Map([[HOSTILE, { shape: [1], data: [1] }]]))],
    ['safetensors', () => writeSafetensors(new Map([[HOSTILE, { shape: [1], data: [1] }]]))],
    ['a dtype', () => buildSafetensors([{ name: 'w', dtype: HOSTILE, shape: [1], bytes: new Uint8Array(1) }])],
    ['json', () => Buffer.from(JSON.stringify({ [HOSTILE]: { shape: [2], data: [1] } }))],
    ['left out', () => buildSafetensors([{ name: HOSTILE, dtype: 'BOOL', shape: [1], bytes: Uint8Array.of(1) }])],
  ])('in a file of gradients: %s', async (_, bytes) => {
    await tf.setBackend('cpu')
    const model = convNet()
    await writeModel(model, folder.at('model.json'))
    model.dispose()
    writeFileSync(folder.at('g'), bytes())
    for (const layout of ['tfjs', 'pytorch']) {
      const argv = ['attack', '--model', folder.at('model.json'), '--gradients', folder.at('g'), '--layout', layout]
      const { code, stderr } = await dlg([...argv, '--out', folder.at('out'), '--runtime', 'tfjs'])
      expect([code, OBEYED.test(stderr)]).toEqual([2, false])
      if (layout === 'tfjs') expect(stderr).toContain('\\u001b')
    }
  })

  it('in a model: the names of its layers, in lines and in JSON', async () => {
    await tf.setBackend('cpu')
    const model: LayersModel = sequential({
      layers: [
        layers.dense({ inputShape: [4], units: 3, activation: 'relu' }),
        layers.dense({ units: 2, name: 'end' }),
      ],
    })
    await writeModel(model, folder.at('model.json'))
    model.dispose()
    const json = readFileSync(folder.at('model.json'), 'utf8')
    writeFileSync(folder.at('model.json'), json.replaceAll('"end', `"end${JSON.stringify(HOSTILE).slice(1, -1)}`))
    for (const format of [[], ['--json']]) {
      const { stdout, stderr } = await dlg([
        'check',
        '--model',
        folder.at('model.json'),
        '--runtime',
        'tfjs',
        ...format,
      ])
      expect(stdout + stderr).toContain('end')
      expect(stdout + stderr).not.toMatch(OBEYED)
    }
  })

  it('in paths, of pictures and of results', async () => {
    const photo = writePhoto(folder.at('a\x1b[31m.png'))
    const argv = ['batch', photo, photo, '--size', '12', '--iterations', '1', '--restarts', '1', '--runtime', 'tfjs']
    const { stdout } = await dlg([...argv, '--out', folder.at('out\x9b')])
    expect(stdout).toContain('a\\u001b[31m.png')
    expect(stdout).not.toMatch(OBEYED)
    expect(readJson(folder.at('out\x9b/result.json')).samples[0].source).toBe(photo)
  })

  it('in a report, whose file says the same as what is printed', async () => {
    await tf.setBackend('cpu')
    const [model, x] = [convNet(), sample([1, 6, 6, 1])]
    await writeModel(model, folder.at('model.json'))
    writeFileSync(folder.at('g\x7f'), writeNpz(await gradientFile(model, x, [1])))
    tf.dispose([x])
    model.dispose()
    const argv = ['attack', '--model', folder.at('model.json'), '--gradients', folder.at('g\x7f'), '--iterations', '1']
    const { stdout } = await dlg([...argv, '--restarts', '1', '--json', '--runtime', 'tfjs', '--out', folder.at('out')])
    expect(stdout).not.toMatch(OBEYED)
    expect(stdout).toBe(readFileSync(folder.at('out/result.json'), 'utf8'))
    expect(JSON.parse(stdout).options.files.source.gradients).toBe(folder.at('g\x7f'))
  })
})
