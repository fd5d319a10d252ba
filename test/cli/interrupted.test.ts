import { existsSync, writeFileSync } from 'node:fs'
import * as tf from '@tensorflow/tfjs-core'
import { beforeEach, describe, expect, it } from 'vitest'
import { writeNpz } from '../../src/io'
import { denseNet, sample } from '../attacks/matching/tiny'
import { abortedAfter } from '../in-steps'
import { writeModel } from './model-files'
import { dlg, scratch } from './terminal'

const folder = scratch()

const INTERRUPTED = 'dlg: interrupted before there was anything to write\n'

beforeEach(async () => {
  await tf.setBackend('cpu')
  const model = denseNet()
  await writeModel(model, folder.at('model.json'))
  const x = sample([2, ...(model.inputs[0].shape.slice(1) as number[])])
  model.dispose()
  writeFileSync(
    folder.at('batch.npz'),
    writeNpz(new Map([['x', { shape: x.shape, data: x.dataSync() as Float32Array }]])),
  )
  x.dispose()
  writeFileSync(
    folder.at('audit.json'),
    JSON.stringify({
      model: 'model.json',
      data: { x: 'batch.npz', labels: [0, 1] },
      training: { runtime: 'reference' },
      attacks: ['label-inference'],
    }),
  )
})

describe('Ctrl-C ends a command that never waits, in words and with a code', () => {
  it.each([
    ['dlg check', () => ['check', '--model', folder.at('model.json'), '--runtime', 'reference']],
    ['dlg audit --dry-run', () => ['audit', folder.at('audit.json'), '--dry-run']],
  ])('%s, whenever it comes', async (_, argv) => {
    expect(await dlg(argv())).toMatchObject({ code: 0, stderr: '' })
    const before = tf.memory().numTensors
    for (const turns of [1, 3]) {
      const { found } = await abortedAfter(turns, (signal) => dlg(argv(), { signal }))
      expect(found).toEqual({ code: 130, stdout: '', stderr: INTERRUPTED })
    }
    expect(tf.memory().numTensors).toBe(before)
  })

  it('dlg report, which leaves no file', async () => {
    const run = folder.at('run')
    await dlg(['audit', folder.at('audit.json'), '--out', run, '--concurrency', '1'])
    const { found } = await abortedAfter(1, (signal) => dlg(['report', run], { signal }))
    expect(found).toEqual({ code: 130, stdout: '', stderr: INTERRUPTED })
    expect(existsSync(folder.at('run/report.html'))).toBe(false)
  })
})
