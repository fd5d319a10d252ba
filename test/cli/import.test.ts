import { writeFileSync } from 'node:fs'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { readTensors, writeNpz } from '../../src/io'
import { dlg, scratch } from './terminal'

const folder = scratch()

const layer = (class_name: string, config: object) => ({ class_name, config })

/** A model of a dense layer and a class of the user's own, `Scaled`, and a gradient: y = (x W) ⊙ s. */
function write(name: string): void {
  const shape = [null, 4]
  const modelTopology = layer('Sequential', {
    name: 'own',
    layers: [
      layer('Dense', { name: 'dense', units: 3, batch_input_shape: shape }),
      layer('Scaled', { name: 'scaled' }),
    ],
  })
  const numbers = Float32Array.from({ length: 12 + 3 + 3 }, (_, i) => Math.sin(3 * i + 1))
  writeFileSync(folder.at(`${name}.bin`), numbers)
  const weights = [
    { name: 'dense/kernel', shape: [4, 3], dtype: 'float32' },
    { name: 'dense/bias', shape: [3], dtype: 'float32' },
    { name: 'scaled/s', shape: [3], dtype: 'float32' },
  ]
  const weightsManifest = [{ paths: [`${name}.bin`], weights }]
  writeFileSync(folder.at(`${name}.json`), JSON.stringify({ format: 'layers-model', modelTopology, weightsManifest }))
  // ∂L/∂z = δ for z = (x W + b) ⊙ s: ∂b = δ ⊙ s, ∂W = xᵀ ∂b, ∂s = δ ⊙ (x W + b)
  const x = [0.1, 0.9, 0.4, 0.6]
  const [w, b, s] = [numbers.subarray(0, 12), numbers.subarray(12, 15), numbers.subarray(15)]
  const before = [0, 1, 2].map((j) => x.reduce((sum, v, i) => sum + v * w[3 * i + j], b[j]))
  const scores = before.map((v, j) => v * s[j])
  const total = scores.reduce((sum, v) => sum + Math.exp(v), 0)
  const delta = scores.map((v, j) => Math.exp(v) / total - (j === 1 ? 1 : 0))
  const bias = delta.map((v, j) => v * s[j])
  const gradient = new Map([
    ['dense/kernel', { shape: [4, 3], data: Float32Array.from(x.flatMap((v) => bias.map((d) => v * d))) }],
    ['dense/bias', { shape: [3], data: Float32Array.from(bias) }],
    ['scaled/s', { shape: [3], data: Float32Array.from(delta.map((v, j) => v * before[j])) }],
  ])
  writeFileSync(folder.at('g.npz'), writeNpz(gradient))
}

const SCALED = `export default ({ layers, serialization, mul }) => {
  class Scaled extends layers.Layer {
    static className = 'Scaled'
    build() { this.s = this.addWeight('s', [3], 'float32', null) ; this.built = true }
    call(x) { return mul(Array.isArray(x) ? x[0] : x, this.s.read()) }
  }
  serialization.registerClass(Scaled)
}`

describe('--import', () => {
  it('registers a layer class of the caller’s own, for a check and an attack', async () => {
    await tf.setBackend('cpu')
    write('own')
    const model = folder.at('own.json')
    const without = await dlg(['check', '--model', model])
    expect(without.code).toBe(2)
    expect(without.stderr).toContain('Unknown layer: Scaled; a class of your own comes with --import FILE')

    writeFileSync(folder.at('scaled.mjs'), SCALED)
    const ours = ['--model', model, '--import', folder.at('scaled.mjs')]
    const checked = await dlg(['check', ...ours])
    expect([checked.code, checked.stderr]).toEqual([0, ''])
    expect(checked.stdout).toContain(`--import ${folder.at('scaled.mjs')}`)

    const argv = [...ours, '--gradients', folder.at('g.npz'), '--labels', '1', '--out', folder.at('out')]
    const attacked = await dlg(['attack', ...argv])
    expect([attacked.code, attacked.stderr.replace(/^restart.*$/gm, '').trim()]).toEqual([0, ''])
    const found = readTensors(folder.at('out/data.npz')).get('data')!.data
    for (const [i, v] of [0.1, 0.9, 0.4, 0.6].entries()) expect(found[i]).toBeCloseTo(v, 4)
  })

  it.each([
    ['none.mjs', undefined, 'no such file'],
    ['broken.mjs', 'export default (', '--import cannot run it: '],
    ['throws.mjs', 'throw new Error("no \\u001b[31mred")', '--import cannot run it: no '],
    ['object.mjs', 'export default {}', 'its default export is no function; it must be like export default (tf) =>'],
    ['fails.mjs', 'export default () => { throw new Error("no luck") }', 'its default export failed: no luck'],
  ])('refuses %s', async (name, text, message) => {
    write('own')
    if (text !== undefined) writeFileSync(folder.at(name), text)
    const { code, stderr } = await dlg(['check', '--model', folder.at('own.json'), '--import', folder.at(name)])
    expect(code).toBe(2)
    expect(stderr).toContain(message)
    expect(stderr).not.toContain('\u001b[31m')
  })
})
