import { writeFileSync } from 'node:fs'
import * as tf from '@tensorflow/tfjs-core'
import { initializers, layers, type Sequential, sequential } from '@tensorflow/tfjs-layers'
import { beforeEach, describe, expect, it } from 'vitest'
import { toPyTorch, writeNpz } from '../../src/io'
import { gradientFile, weightsOf, writeModel } from './model-files'
import { dlg, scratch } from './terminal'

const folder = scratch()

/** A convolution, and a dense layer whose features PyTorch has channel by channel. */
const network = (seed: number): Sequential => {
  const kernel = (n: number) => initializers.randomNormal({ stddev: 0.4, seed: seed + n })
  return sequential({
    layers: [
      layers.conv2d({
        inputShape: [5, 6, 2],
        filters: 3,
        kernelSize: 3,
        activation: 'tanh',
        kernelInitializer: kernel(0),
      }),
      layers.flatten(),
      layers.dense({ units: 4, kernelInitializer: kernel(1) }),
    ],
  })
}

describe('dlg check --weights', () => {
  beforeEach(() => tf.setBackend('cpu'))

  it('takes a state dict of PyTorch with a convolution, whose order of features --map states', async () => {
    const trained = network(3)
    const names = [
      { name: 'conv.weight', shape: [3, 2, 3, 3] },
      { name: 'conv.bias', shape: [3] },
      { name: 'fc.weight', shape: [4, 36] },
      { name: 'fc.bias', shape: [4] },
    ]
    const flatten = { 'fc.weight': [3, 3, 4] }
    const inPyTorch = (tensors: ReturnType<typeof weightsOf>) =>
      writeNpz(toPyTorch(tensors, names, { flatten, values: 'weights' }).tensors)
    const x = tf.randomNormal([2, 5, 6, 2], 0, 1, 'float32', 5)
    writeFileSync(folder.at('w.npz'), inPyTorch(weightsOf(trained)))
    writeFileSync(folder.at('g.npz'), inPyTorch(await gradientFile(trained, x, [0, 2])))
    writeFileSync(folder.at('batch.npz'), writeNpz(new Map([['x', { shape: x.shape, data: x.dataSync() }]])))
    writeFileSync(folder.at('map.json'), JSON.stringify({ flatten }))
    // the file of the model has other weights
    const model = await writeModel(network(8), folder.at('model.json'))
    const files = ['--model', model, '--weights', folder.at('w.npz'), '--gradients', folder.at('g.npz')]
    const given = ['--data', folder.at('batch.npz'), '--labels', '0,2', '--runtime', 'reference', '--json']
    const argv = ['check', ...files, '--layout', 'pytorch', '--map', folder.at('map.json'), ...given]
    const { code, stdout, stderr } = await dlg(argv)
    expect([code, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout).shared.same).toBe(true)
  })

  it('refuses a list that fits the order of Keras and that of PyTorch, where these give different weights', async () => {
    const square = sequential({ layers: [layers.dense({ inputShape: [2], units: 2, useBias: false })] })
    const model = await writeModel(square, folder.at('square.json'))
    const write = (values: number[]) =>
      writeFileSync(folder.at('list.npz'), writeNpz(new Map([['arr_0', { shape: [2, 2], data: values }]])))
    const argv = ['check', '--model', model, '--weights', folder.at('list.npz'), '--runtime', 'reference']
    write([1, 2, 3, 4])
    const refused = await dlg(argv)
    expect(refused.code).toBe(2)
    expect(refused.stderr).toMatch(/list\.npz: is a list without names whose shapes fit Keras's order and PyTorch's/)
    // a symmetric matrix is the same in both
    write([1, 2, 2, 4])
    expect((await dlg(argv)).stderr).toBe('')
  })
})
