import { readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { scratch, spawnDlg } from '../terminal'

const folder = scratch()

/** An audit of two clients as a module, which every process of the audit runs for itself. */
const moduleOf = (kernel: string, attacks: string): string => `
import * as tf from '@tensorflow/tfjs-core'
import { layers, sequential } from '@tensorflow/tfjs-layers'
const weights = { kernelInitializer: ${kernel} }
const model = sequential({ layers: [layers.dense({ inputShape: [4], units: 3, name: 'scores', ...weights })] })
const x = tf.tensor([0.1, 0.4, 0.2, 0.9, 0.3, 0.8, 0.7, 0.5], [2, 4])
export default { model, data: { x, labels: [0, 1] }, attacks: [${attacks}], seed: 1 }
`

beforeEach(() => {
  symlinkSync(join(import.meta.dirname, '../../../node_modules'), folder.at('node_modules'))
})

/** Runs the module in two processes. */
function audit(kernel: string, attacks: string) {
  writeFileSync(folder.at('audit.mjs'), moduleOf(kernel, attacks))
  return spawnDlg(['audit', folder.at('audit.mjs'), '--out', folder.at('run'), '--concurrency', '2'])
}

describe('the processes of dlg audit', () => {
  it('one that is killed is told, though no chain was left to begin', async () => {
    const needs = "needs: { sees: 'one gradient', batch: 'any', model: 'any', labels: 'none' }"
    const run = "refuses() {}, run() { process.kill(process.pid, 'SIGKILL') }"
    const { code, stdout, stderr } = await audit(
      "'ones'",
      `'label-inference', { attack: { name: 'own', ${needs}, ${run} } }`,
    )
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/\ndlg: a process of the audit ended with SIGKILL: out of memory\?\n$/)
    // what was done is kept
    expect(readFileSync(folder.at('run/run.jsonl'), 'utf8')).toContain('"attack":"label-inference"')
  })

  it('a module that is another audit each time is refused: its models are not mixed', async () => {
    const { code, stdout, stderr } = await audit("'glorotUniform'", "'label-inference'")
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/^dlg: .*audit\.mjs: is another audit each time it is read; it must give the same model/m)
    expect(readFileSync(folder.at('run/run.jsonl'), 'utf8').trim().split('\n')).toHaveLength(1)
  })
})
