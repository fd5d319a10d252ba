import { readFileSync, writeFileSync } from 'node:fs'
import * as tf from '@tensorflow/tfjs-core'
import { type LayersModel, layers, sequential } from '@tensorflow/tfjs-layers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseNpz, writeSafetensors } from '../../src/io'
import { sample, withUniformWeights } from '../attacks/matching/tiny'
import { gradientFile, writeModel } from './model-files'
import { dlg, readJson, scratch } from './terminal'

const folder = scratch()

describe('dlg attack --attack', () => {
  let model: LayersModel

  beforeEach(async () => {
    await tf.setBackend('cpu')
    const net = sequential()
    net.add(layers.dense({ inputShape: [8], units: 60, activation: 'relu' }))
    net.add(layers.dense({ units: 5 }))
    model = withUniformWeights(net)
    await writeModel(model, folder.at('model.json'))
  })
  afterEach(() => {
    model.dispose()
  })

  /** Attacks what a client with these samples shares. */
  async function attack(labels: number[], ...argv: string[]) {
    const x = sample([labels.length, 8])
    writeFileSync(folder.at('g.safetensors'), writeSafetensors(await gradientFile(model, x, labels)))
    const secret = x.dataSync()
    x.dispose()
    const files = ['--model', folder.at('model.json'), '--gradients', folder.at('g.safetensors')]
    const size = ['--batch-size', String(labels.length), '--out', folder.at('out'), '--runtime', 'reference']
    return { secret, ...(await dlg(['attack', ...files, ...size, ...argv])) }
  }

  it('spear gives a batch with a proof', async () => {
    const { code, stdout, secret } = await attack([2, 0, 4], '--attack', 'spear')
    expect(stdout).toMatch(/^proven: 3 samples .*\nlabels [024] [024] [024]\n/)
    expect(code).toBe(0)
    const data = parseNpz(readFileSync(folder.at('out/data.npz'))).get('data')!
    expect(data.shape).toEqual([3, 8])
    // the samples in some order
    const rows = (values: ArrayLike<number>) =>
      Array.from({ length: 3 }, (_, i) => Array.from(values).slice(8 * i, 8 * i + 8))
    for (const row of rows(secret)) {
      const nearest = Math.min(
        ...rows(data.data).map((found) => Math.max(...found.map((v, k) => Math.abs(v - row[k])))),
      )
      expect(nearest).toBeLessThan(1e-4)
    }
    expect(readJson(folder.at('out/result.json'))).toMatchObject({
      attack: 'spear',
      status: 'proven',
      files: ['data.npz', 'result.json'],
    })
  })

  it('dense-inversion proves one sample, and labels stand alone', async () => {
    const one = await attack([3], '--attack', 'dense-inversion', '--json')
    expect(JSON.parse(one.stdout)).toMatchObject({ status: 'proven', labels: [3] })
    const labels = await attack([3, 1], '--attack', 'label-inference')
    expect([labels.code, labels.stdout.split('\n')[1]]).toEqual([0, 'labels 1 3'])
  })

  it('r-gap gives an image through a convolution', async () => {
    const net = sequential()
    net.add(layers.conv2d({ inputShape: [4, 4, 1], filters: 5, kernelSize: 3, padding: 'same', activation: 'tanh' }))
    net.add(layers.flatten())
    net.add(layers.dense({ units: 4 }))
    await writeModel(withUniformWeights(net), folder.at('model.json'))
    const x = sample([1, 4, 4, 1])
    writeFileSync(folder.at('g.safetensors'), writeSafetensors(await gradientFile(net, x, [2])))
    const secret = x.dataSync()
    x.dispose()
    net.dispose()
    const files = ['--model', folder.at('model.json'), '--gradients', folder.at('g.safetensors')]
    const { code, stdout } = await dlg(['attack', ...files, '--out', folder.at('out'), '--attack', 'r-gap'])
    expect(stdout).toMatch(/^proven: every layer solved in turn.*\nlabel 2\n/)
    expect(code).toBe(0)
    const data = parseNpz(readFileSync(folder.at('out/data.npz'))).get('data')!
    for (const [i, value] of Array.from(secret).entries()) expect(data.data[i]).toBeCloseTo(value, 3)
  })

  it('what its time limit cut ends with 1: nobody interrupted it', async () => {
    const spent = await attack([2, 0, 4], '--attack', 'spear', '--time-limit', '0.001ms')
    expect([spent.code, spent.stdout]).toEqual([1, expect.stringMatching(/^CUT: /)])
  })

  it.each([
    ['dense-inversion', [3, 1], /^REFUSED: the batch has 2 samples/],
    ['token-set', [3], /^REFUSED: no trained table/],
    ['dager', [3], /^REFUSED: no transformer was given/],
  ] as const)('%s says why it does not apply, and ends with 1', async (name, labels, words) => {
    const { code, stdout } = await attack([...labels], '--attack', name)
    expect(stdout).toMatch(words)
    expect(code).toBe(1)
  })

  it('a name that there is not is refused', async () => {
    const { code, stderr } = await attack([3], '--attack', 'dense')
    expect([code, stderr]).toEqual([2, expect.stringMatching(/--attack is 'dense'; it must be .*dense-inversion/)])
  })

  it('refuses flags of the search, which it does not read, and labels where it has none', async () => {
    for (const [name, ...argv] of [
      ['spear', '--original', 'photo.png'],
      ['spear', '--labels', '1'],
      ['spear', '--tv', '0.1'],
      ['dense-inversion', '--restarts', '2'],
      ['label-inference', '--concurrency', '2'],
      ['r-gap', '--init', 'normal'],
    ]) {
      const { code, stderr } = await attack([2], '--attack', name, ...argv)
      const words = `${argv[0]} is of the search, and --attack ${name} reads no such option; leave it out`
      expect([code, stderr]).toEqual([2, `dlg: ${words}\n`])
    }
    const joint = await attack([2], '--attack', 'r-gap', '--labels', 'joint')
    expect(joint.stderr).toMatch(/searches no labels; it must be a class or infer/)
  })

  it('tells an attack the class, where it has such an option', async () => {
    const right = await attack([3], '--attack', 'dense-inversion', '--labels', '3')
    expect([right.code, right.stdout]).toEqual([0, expect.stringMatching(/with label 3 /)])
    const wrong = await attack([3], '--attack', 'dense-inversion', '--labels', '9')
    expect([wrong.code, wrong.stderr]).toEqual([2, 'dlg: label 9 is not a class index in [0, 5)\n'])
  })
})
