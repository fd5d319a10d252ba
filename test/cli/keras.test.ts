import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import * as tf from '@tensorflow/tfjs-core'
import { beforeEach, describe, expect, it } from 'vitest'
import { readTensors, writeNpz } from '../../src/io'
import { dlg, scratch } from './terminal'

const folder = scratch()
const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/keras/${name}`, import.meta.url))
/** Written by make_keras_files.py. */
const { models } = JSON.parse(readFileSync(fixture('expected.json'), 'utf8'))

type Numbers = { readonly shape: number[]; readonly data: string }
const tensorOf = ({ shape, data }: Numbers) => ({
  shape,
  data: new Float32Array(new Uint8Array(Buffer.from(data, 'base64')).buffer),
})

/** A batch, and the gradient that Keras gives on it by the paths of its weights. */
function write(name: string): string[] {
  const gradient = Object.entries<Numbers>(models[name].gradient).map(([path, g]) => [path, tensorOf(g)] as const)
  writeFileSync(folder.at('g.npz'), writeNpz(new Map(gradient)))
  writeFileSync(folder.at('batch.npz'), writeNpz(new Map([['x', tensorOf(models[name].input)]])))
  return ['--gradients', folder.at('g.npz')]
}

const DENSE = ['--model', fixture('dense.json'), '--weights', fixture('dense.weights.h5')]

describe('models of Keras 3', () => {
  beforeEach(() => tf.setBackend('cpu'))

  it.each([
    ['recurrent', ['--model', fixture('recurrent.keras')]],
    ['dense', DENSE],
  ])('%s has the gradient that Keras saved, by its names', async (name, model) => {
    const shared = write(name)
    const data = ['--data', folder.at('batch.npz'), '--labels', '2', '--json']
    const { code, stdout, stderr } = await dlg(['check', ...model, ...shared, ...data, '--runtime', 'reference'])
    expect([code, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout).shared.same).toBe(true)
  })

  const weights = () => [...readTensors(fixture('dense.npz'))]

  it.each([
    ['the list of get_weights()', () => weights().map(([, tensor], i) => [`arr_${i}`, tensor] as const)],
    [
      'a state dict of PyTorch',
      () =>
        weights().map(([name, { shape, data }], i) => {
          const [rows, columns = 1] = shape
          const turned = data.map((_, k) => data[(k % rows) * columns + Math.floor(k / rows)])
          const as = `fc${Math.floor(i / 2)}.${name.endsWith('bias') ? 'bias' : 'weight'}`
          return [as, { shape: shape.toReversed(), data: turned }] as const
        }),
    ],
  ])('takes %s as --weights', async (_, list) => {
    writeFileSync(folder.at('w.npz'), writeNpz(new Map(list())))
    const model = ['--model', fixture('dense.json'), '--weights', folder.at('w.npz')]
    const data = ['--data', folder.at('batch.npz'), '--labels', '2', '--json']
    const argv = ['check', ...model, ...write('dense'), ...data, '--runtime', 'reference']
    const { code, stdout, stderr } = await dlg(argv)
    expect([code, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout).shared.same).toBe(true)
  })

  it('says of weights of PyTorch what does not pair', async () => {
    const wrong = weights().map(([, t], i) => [`fc.${i}.weight`, t] as const)
    writeFileSync(folder.at('w.npz'), writeNpz(new Map(wrong)))
    const model = ['--model', fixture('dense.json'), '--weights', folder.at('w.npz')]
    const { code, stderr } = await dlg(['check', ...model])
    expect(code).toBe(2)
    expect(stderr).toMatch(
      /w\.npz: is a state dict of PyTorch, and as PyTorch's weights: .*--layout pytorch --map FILE/,
    )
  })

  it('is attacked', async () => {
    const before = tf.memory().numTensors
    const out = ['--labels', '2', '--seed', '1', '--json', '--out', folder.at('found')]
    const { code, stdout } = await dlg(['attack', ...DENSE, ...write('dense'), ...out])
    expect([code, JSON.parse(stdout).status]).toEqual([0, 'converged'])
    expect(tf.memory().numTensors).toBe(before)
  })

  it('weights are of a layers model', async () => {
    const { code, stderr } = await dlg(['check', '--model', 'net.onnx', '--weights', 'w.npz'])
    expect(code).toBe(2)
    expect(stderr).toContain('--weights is of a layers model; an .onnx file has its own')
  })

  it('weights of another model are named', async () => {
    const argv = ['check', '--model', fixture('recurrent.keras'), '--weights', fixture('dense.weights.h5')]
    const { code, stderr } = await dlg(argv)
    expect(code).toBe(2)
    expect(stderr).toMatch(/dense\.weights\.h5: has no "layers\/bidirectional\/.*is it of another model\?/)
  })
})
