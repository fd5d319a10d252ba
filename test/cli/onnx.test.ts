import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import * as tf from '@tensorflow/tfjs-core'
import { beforeEach, describe, expect, it } from 'vitest'
import { readTensors, writeNpz, writeSafetensors } from '../../src/io'
import { modelFromOnnx } from '../../src/models'
import { dlg, scratch } from './terminal'

const folder = scratch()
const fixtures = fileURLToPath(new URL('../models/onnx/pytorch', import.meta.url))

describe('--model net.onnx', () => {
  const paths = { model: '', gradient: '', out: '' }

  beforeEach(async () => {
    await tf.setBackend('cpu')
    paths.model = folder.at('net.onnx')
    paths.gradient = folder.at('gradient.safetensors')
    paths.out = folder.at('found')
    writeFileSync(paths.model, gunzipSync(readFileSync(join(fixtures, 'mlp.onnx.gz'))))
    const saved = [...readTensors(join(fixtures, 'mlp.safetensors'))]
    const shared = saved.flatMap(([name, t]) => (name.startsWith('gradient ') ? [[name.slice(9), t] as const] : []))
    writeFileSync(paths.gradient, writeSafetensors(new Map(shared)))
  })

  it('is checked', async () => {
    const { code, stdout, stderr } = await dlg(['check', '--model', paths.model, '--runtime', 'reference'])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^model 'net.onnx'\n {2}weights {2}53 numbers trained in 4 tensors\n/)
  })

  it('has the gradient that PyTorch saved on the batch that lies beside it as x and y', async () => {
    const x = readTensors(join(fixtures, 'mlp.safetensors')).get('input')!
    writeFileSync(
      folder.at('batch.npz'),
      writeNpz(new Map(Object.entries({ x, y: { shape: [2], data: Float32Array.of(0, 1) } }))),
    )
    const data = ['--data', folder.at('batch.npz'), '--labels', '0,1', '--gradients', paths.gradient, '--json']
    const { code, stdout, stderr } = await dlg(['check', '--model', paths.model, ...data, '--runtime', 'reference'])
    expect([code, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout).shared.same).toBe(true)
  })

  it('takes a gradient by its order, whatever its names', async () => {
    const saved = readTensors(join(fixtures, 'mlp.safetensors'))
    const x = saved.get('input')!
    writeFileSync(
      folder.at('batch.npz'),
      writeNpz(new Map(Object.entries({ x, y: { shape: [2], data: Float32Array.of(0, 1) } }))),
    )
    const { trainable } = modelFromOnnx(readFileSync(paths.model))
    const list = trainable.map((name) => saved.get(`gradient ${name}`)!)
    const shareAs = (names: readonly string[]) =>
      writeFileSync(paths.gradient, writeSafetensors(new Map(names.map((name, i) => [name, list[i]]))))
    const data = ['--data', folder.at('batch.npz'), '--labels', '0,1', '--gradients', paths.gradient, '--json']
    const check = (...argv: string[]) =>
      dlg(['check', '--model', paths.model, ...data, '--runtime', 'reference', ...argv])
    shareAs(['a', 'b', 'c', 'd'])
    const { code, stdout, stderr } = await check('--by-order')
    expect([code, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout).shared.same).toBe(true)
    shareAs(['a', 'b', 'c'])
    expect(await check('--by-order')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('has 3 tensors; by their order they must be as many as the 4'),
    })
  })

  it('takes pictures with their channels first, as PyTorch has them, and by the name x', async () => {
    writeFileSync(paths.model, gunzipSync(readFileSync(join(fixtures, 'cnn.onnx.gz'))))
    const saved = [...readTensors(join(fixtures, 'cnn.safetensors'))]
    const shared = saved.flatMap(([name, t]) => (name.startsWith('gradient ') ? [[name.slice(9), t] as const] : []))
    writeFileSync(paths.gradient, writeSafetensors(new Map(shared)))
    const x = new Map(saved).get('input')!
    const [samples, channels, height, width] = x.shape
    expect(channels).toBeLessThan(Math.min(height, width))
    const y = { shape: [samples], data: Float32Array.of(0, 1) }
    writeFileSync(folder.at('batch.npz'), writeNpz(new Map(Object.entries({ x, y }))))
    const files = ['--model', paths.model, '--gradients', paths.gradient]
    const data = ['--data', folder.at('batch.npz'), '--labels', '0,1', '--json']
    const checked = await dlg(['check', ...files, ...data, '--runtime', 'reference'])
    expect([checked.code, checked.stderr]).toEqual([0, ''])
    expect(JSON.parse(checked.stdout).shared.same).toBe(true)
    const known = ['--original', folder.at('batch.npz'), '--batch-size', '2', '--labels', '0,1', '--seed', '1']
    const attacked = await dlg(['attack', ...files, ...known, '--iterations', '2', '--json', '--out', paths.out])
    expect(JSON.parse(attacked.stdout).samples).toHaveLength(2)
  })

  it('says of a name that the file does not have how weights are kept, and of a weight without a gradient that it is missing', async () => {
    const shared = readTensors(paths.gradient)
    const [first] = shared.keys()
    const check = async (tensors: typeof shared) => {
      writeFileSync(paths.gradient, writeSafetensors(tensors))
      const argv = ['--data', folder.at('batch.npz'), '--labels', '0,1', '--gradients', paths.gradient]
      return dlg(['check', '--model', paths.model, ...argv, '--runtime', 'reference'])
    }
    const x = readTensors(join(fixtures, 'mlp.safetensors')).get('input')!
    writeFileSync(folder.at('batch.npz'), writeNpz(new Map([['x', x]])))
    const more = new Map([...shared, ['norm.weight', { shape: [2], data: Float32Array.of(1, 2) }]])
    const folded = await check(more)
    expect(folded.code).toBe(2)
    expect(folded.stderr).toMatch(
      /gradient\.safetensors: has 'norm\.weight', which is no .*dynamo=False.*--ignore 'norm\.weight'/,
    )
    more.delete(first)
    more.delete('norm.weight')
    const missing = await check(more)
    expect(missing.code).toBe(2)
    expect(missing.stderr).toContain(first)
  })

  it('is attacked with the gradient that PyTorch saved, by its names', async () => {
    const argv = [
      '--batch-size',
      '2',
      '--labels',
      '0,1',
      '--restarts',
      '4',
      '--seed',
      '3',
      '--json',
      '--out',
      paths.out,
    ]
    const before = tf.memory().numTensors
    const { code, stdout } = await dlg(['attack', '--model', paths.model, '--gradients', paths.gradient, ...argv])
    expect([code, JSON.parse(stdout).status]).toEqual([0, 'converged'])
    expect(tf.memory().numTensors).toBe(before)
  })

  it('is audited by the names in the first update', async () => {
    const audit = async (update: Map<string, { shape: readonly number[]; data: Float32Array }>) => {
      writeFileSync(folder.at('update.npz'), writeNpz(update))
      const config = { model: 'net.onnx', updates: { ann: 'update.npz' }, attacks: ['dense-inversion'] }
      writeFileSync(folder.at('audit.json'), JSON.stringify(config))
      return dlg(['audit', folder.at('audit.json'), '--out', folder.at('run')])
    }
    const shared = new Map(
      [...readTensors(paths.gradient)].map(([name, t]) => [name, { ...t, data: Float32Array.from(t.data) }]),
    )
    const { code, stdout } = await audit(shared)
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^\d+ trials? in /)])
    const folded = await audit(new Map([...shared, ['norm.weight', { shape: [2], data: Float32Array.of(1, 2) }]]))
    expect([folded.code, folded.stderr]).toEqual([
      2,
      expect.stringMatching(/update\.npz: has 'norm\.weight', which is no .*dynamo=False/),
    ])
  })

  it('is named where it cannot be read', async () => {
    const path = folder.at('wrong.onnx')
    writeFileSync(path, 'PK\x03\x04')
    const { code, stderr } = await dlg(['check', '--model', path])
    expect(code).toBe(2)
    expect(stderr).toContain(`${path}: the file is no ONNX model`)
  })
})

describe('--model model.json of a graph model', () => {
  const graph = fileURLToPath(new URL('../models/tensorflow/keras/mobile/model.json', import.meta.url))

  it('is checked like any other, by Keras’s names', async () => {
    await tf.setBackend('cpu')
    const { code, stdout, stderr } = await dlg(['check', '--model', graph, '--runtime', 'reference'])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^model 'mobile'\n {2}weights {2}\d+ numbers trained in 10 tensors\n/)
  })

  it('has its weights within', async () => {
    const { code, stderr } = await dlg(['check', '--model', graph, '--weights', 'w.npz'])
    expect(code).toBe(2)
    expect(stderr).toMatch(/is a graph model, whose weights are in its graph/)
  })
})
