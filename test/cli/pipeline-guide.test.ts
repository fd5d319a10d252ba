import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as tf from '@tensorflow/tfjs-core'
import { layers, sequential } from '@tensorflow/tfjs-layers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { encodePng } from '../../src/io'
import { random } from '../../src/numbers/random'
import { withUniformWeights } from '../attacks/matching/tiny'
import { writeModel } from './model-files'
import { dlg, scratch } from './terminal'

const root = fileURLToPath(new URL('../..', import.meta.url))
const guide = readFileSync(join(root, 'docs/guides/auditing.md'), 'utf8')
const section = guide.slice(guide.indexOf('## In a pipeline'), guide.indexOf('### Before a client sends'))
const blocks = (language: string) =>
  [...section.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, text]) => text)

const folder = scratch()
const began = process.cwd()
beforeEach(() => process.chdir(folder.at('.')))
afterEach(() => process.chdir(began))

describe('the pipeline of the guide', () => {
  it('runs: a baseline, then a run that adds nothing to it, and one that leaks', async () => {
    await tf.setBackend('cpu')
    const model = sequential()
    model.add(layers.flatten({ inputShape: [4, 4, 3] }))
    model.add(layers.dense({ units: 60, activation: 'sigmoid' }))
    model.add(layers.dense({ units: 4 }))
    withUniformWeights(model)
    await writeModel(model, folder.at('model.json'))
    model.dispose()
    mkdirSync('photos')
    for (const name of ['1', '2', '10']) {
      const { uniform } = random(Number(name))
      writeFileSync(
        `photos/${name}.png`,
        encodePng({ width: 4, height: 4, data: Float32Array.from({ length: 48 }, uniform) }),
      )
    }
    const [config] = [...section.matchAll(/^```json\n([\s\S]*?)^```$/gm)].map(([, text]) => JSON.parse(text))
    const audited = {
      ...{ model: 'model.json', data: { x: 'photos', labels: [0, 1, 2] } },
      ...{ attacks: ['label-inference', 'dense-inversion'], training: { runtime: 'reference' } },
    }
    // the accepted findings of the guide can be read, and the baseline has the rest
    writeFileSync(
      'audit.json',
      JSON.stringify({ ...audited, ...config, defences: ['none', { gaussianNoise: { relative: 1 } }] }),
    )
    const commands = [
      ...blocks('sh')
        .join('')
        .matchAll(/dlg-ts (.*)/g),
      ...blocks('yaml')[0].matchAll(/dlg-ts (.*)/g),
    ]
    const lines = commands.map(([, line]) => line.split(' '))
    expect(lines.map(([name]) => name)).toEqual(['audit', 'audit', 'report'])
    const codes = []
    for (const line of lines)
      codes.push((await dlg([...line, ...(line[0] === 'audit' ? ['--concurrency', '1'] : [])])).code)
    expect(codes).toEqual([0, 0, 0])
    // as the guide says: a redacted run is run.jsonl alone, and pictures of a folder are sorted by name
    expect(
      readFileSync('run/run.jsonl', 'utf8')
        .match(/photos\/\w+\.png/g)!
        .filter((one, i, all) => all.indexOf(one) === i),
    ).toEqual(['1', '10', '2'].map((name) => `photos/${name}.png`))
    for (const path of [...blocks('yaml')[0].matchAll(/^ +(run\/.*)$/gm)])
      expect(readFileSync(path[1], 'utf8')).not.toContain('<img')
    // without its baseline it leaks
    const leaking = lines[2].slice(0, lines[2].indexOf('--baseline'))
    expect(await dlg(leaking)).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('leaked (proven): no defence: dense-inversion: 3 of 3 clients'),
    })
  })

  it('has a test for vitest that passes, and fails where the defence is too weak', async () => {
    const [code] = blocks('js')
    const tests: (() => Promise<void>)[] = []
    vi.stubGlobal('collected', { expect, test: (_: string, body: () => Promise<void>) => tests.push(body) })
    vi.spyOn(Math, 'random').mockImplementation(random(1).uniform)
    try {
      for (const [i, relative] of [1, 1e-6].entries()) {
        const path = join(root, `out/docs/pipeline-${i}.js`)
        mkdirSync(dirname(path), { recursive: true })
        const ours = code
          .replace("import { expect, test } from 'vitest'", 'const { expect, test } = globalThis.collected')
          .replace(/'dlg-ts\/(\w+)'/g, "'../../src/$1/index.ts'")
          .replace('relative: 1 ', `relative: ${relative} `)
        writeFileSync(path, ours)
        await import(path)
      }
      await tests[0]()
      await expect(tests[1]()).rejects.toThrow('gives away the data of 3 of 3 clients')
    } finally {
      vi.restoreAllMocks()
      vi.unstubAllGlobals()
    }
  })
})
