import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import * as tf from '@tensorflow/tfjs-core'
import { model as functional, input, type LayersModel, layers } from '@tensorflow/tfjs-layers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { run } from '../../src/cli/main'
import { encodePng, parseNpz, parseSafetensors, readImage, writeNpz, writeSafetensors } from '../../src/io'
import * as metrics from '../../src/metrics'
import { convNet, sample } from '../attacks/matching/tiny'
import { torchConvNet, torchGradients } from '../attacks/matching/torch-models'
import { gradientFile, stepped, weightsOf, writeModel } from './model-files'
import { dlg, readJson, scratch, spawnDlg } from './terminal'

const folder = scratch()
/** On a runtime that is always there. */
const quick = () => ['--runtime', 'tfjs', '--backend', 'wasm', '--out', folder.at('out')]

describe('dlg attack', () => {
  let model: LayersModel
  let x: tf.Tensor

  beforeEach(async () => {
    await tf.setBackend('cpu')
    model = convNet()
    x = sample([1, 6, 6, 1])
    await writeModel(model, folder.at('model.json'))
  })
  afterEach(() => {
    x.dispose()
    model.dispose()
  })

  const attack = (...argv: string[]) => dlg(['attack', '--model', folder.at('model.json'), ...quick(), ...argv])
  const error = (data: ArrayLike<number>) => metrics.mse(data, x.dataSync())

  it('recovers what the gradient of a file was computed from', async () => {
    writeFileSync(folder.at('g.safetensors'), writeSafetensors(await gradientFile(model, x, [2])))
    const before = tf.memory().numTensors
    const { code, stdout } = await attack('--gradients', folder.at('g.safetensors'))
    expect(tf.memory().numTensors).toBe(before)
    expect(stdout).toMatch(
      /^matched the gradient: relative loss \S+e-\d+, label 2, \d+ evaluations in \S+ s on tfjs:wasm\n/,
    )
    expect(stdout.trim().split('\n')[1]).toBe(
      ['data.npz', 'gallery.png', 'result.json'].map((name) => folder.at(`out/${name}`)).join(' '),
    )
    expect(code).toBe(0)
    const found = parseNpz(readFileSync(folder.at('out/data.npz')))
    expect([...found].map(([name, { shape }]) => [name, shape])).toEqual([
      ['data', [1, 6, 6, 1]],
      ['targets', [1, 4]],
    ])
    expect(error(found.get('data')!.data)).toBeLessThan(1e-3)
    expect(found.get('targets')!.data[2]).toBeGreaterThan(0.9)
    expect(readImage(folder.at('out/gallery.png')).width).toBe(2 * 4 + 6 * 21)
    const result = readJson(folder.at('out/result.json'))
    expect(result).toMatchObject({ command: 'attack', status: 'converged', labels: [2] })
    expect(result).not.toHaveProperty('psnr')
  })

  it('measures and draws what one sees, where a mean and a deviation are given', async () => {
    // a picture in whole levels, and what the model sees of it
    const levels = x.dataSync().map((v) => Math.round(v * 255) / 255)
    const picture = {
      width: 6,
      height: 6,
      data: Float32Array.from({ length: 108 }, (_, i) => levels[Math.floor(i / 3)]),
    }
    writeFileSync(folder.at('x.png'), encodePng(picture))
    const seen = tf.tensor(
      Float32Array.from(levels, (v) => (v - 0.45) / 0.2),
      [1, 6, 6, 1],
    )
    writeFileSync(folder.at('g.npz'), writeNpz(await gradientFile(model, seen, [2])))
    const files = ['--gradients', folder.at('g.npz'), '--labels', 'infer', '--original', folder.at('x.png')]
    const { code, stderr } = await attack(...files, '--mean', '0.45', '--std=0.2')
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('stretched')])
    const { psnr, options } = readJson(folder.at('out/result.json')) as { psnr: number; options: object }
    expect(psnr).toBeGreaterThan(50)
    expect(options).toMatchObject({ preprocessing: { mean: [0.45], std: [0.2] } })
    const { data } = parseNpz(readFileSync(folder.at('out/data.npz'))).get('data')!
    for (const [i, v] of levels.entries()) expect(data[i]).toBeCloseTo((v - 0.45) / 0.2, 1)
    // a range alone cannot say it, and that is said
    const stretched = await attack(...files, '--range=-2.3,2.8', '--iterations', '1')
    expect(stretched.stderr).toContain('give --mean and --std, or the PSNR is wrong')
    seen.dispose()
  })

  it.each<[string[], string]>([
    [['--mean', '0.5,x'], "--mean is '0.5,x'; it must be numbers such as"],
    [['--std', '0'], '--std is 0; it must be a number above 0'],
    [['--mean', '1,2,3', '--std', '1,2'], 'has 3 means and 2 standard deviations'],
    [['--mean', '1,2,3'], "preprocessing is of 3 channels; input '"],
  ])('refuses %j before the search', async (flags, message) => {
    writeFileSync(folder.at('g.npz'), writeNpz(await gradientFile(model, x, [2])))
    const { code, stderr } = await attack('--gradients', folder.at('g.npz'), ...flags)
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)])
  })

  it.each([
    ['plus', 'before', 'after'],
    ['minus', 'after', 'before'],
  ])('takes the weights around one step, sign %s', async (sign, before, after) => {
    const weights = weightsOf(model)
    const moved = stepped(weights, await gradientFile(model, x, [1]), 0.25)
    writeFileSync(folder.at('before.npz'), writeNpz(weights))
    writeFileSync(folder.at('after.npz'), writeNpz(moved))
    const { code } = await attack(
      ...['--before', folder.at(`${before}.npz`), '--after', folder.at(`${after}.npz`)],
      ...['--learning-rate', '0.25', '--sign', sign, '--labels', 'infer', '--format', 'safetensors'],
    )
    expect(code).toBe(0)
    const { tensors, metadata } = parseSafetensors(readFileSync(folder.at('out/data.safetensors')))
    expect(error(tensors.get('data')!.data as Float32Array)).toBeLessThan(1e-3)
    expect(metadata).toEqual({ status: 'converged' })
    expect(readJson(folder.at('out/result.json'))).toMatchObject({ labels: [1], inferred: { rule: 'bias-signs' } })
  })

  it('takes the weights around two steps', async () => {
    const before = weightsOf(model)
    let weights = before
    for (let step = 0; step < 2; step++) {
      weights = stepped(weights, await gradientFile(model, x, [1]), 0.5)
      const tensors = [...weights.values()].map(({ data, shape }) => tf.tensor(data, shape))
      model.setWeights(tensors)
      tf.dispose(tensors)
    }
    writeFileSync(folder.at('before.npz'), writeNpz(before))
    writeFileSync(folder.at('after.npz'), writeNpz(weights))
    const { code } = await attack(
      ...['--before', folder.at('before.npz'), '--after', folder.at('after.npz'), '--learning-rate', '0.5'],
      ...['--epochs', '2', '--labels', '1'],
    )
    expect(code).toBe(0)
    expect(error(parseNpz(readFileSync(folder.at('out/data.npz'))).get('data')!.data)).toBeLessThan(1e-3)
  })

  it("takes PyTorch's gradients, laid out and named as there, and a picture to measure against", async () => {
    const torch = torchConvNet()
    await writeModel(torch.model as LayersModel, folder.at('torch/model.json'))
    writeFileSync(folder.at('g.npz'), writeNpz(torchGradients('convnet')))
    writeFileSync(folder.at('layers.json'), '{"flatten": {"fc.weight": [6, 3, 3]}}')
    const data = Float32Array.from({ length: 243 }, (_, i) => torch.x.dataSync()[Math.floor(i / 3)])
    writeFileSync(folder.at('x.png'), encodePng({ width: 9, height: 9, data }))
    const { code, stdout } = await dlg([
      ...['attack', '--model', folder.at('torch/model.json'), '--gradients', folder.at('g.npz'), ...quick()],
      ...['--layout', 'pytorch', '--map', folder.at('layers.json'), '--labels', 'infer'],
      ...['--original', folder.at('x.png')],
    ])
    const { labels, psnr } = readJson(folder.at('out/result.json'))
    expect([code, labels]).toEqual([0, [torch.label]])
    // a picture has 256 levels: 20 log10(255 · √12) is the most that can be measured against one
    expect(psnr).toBeGreaterThan(50)
    expect(psnr).toBeLessThan(62)
    expect(stdout).toMatch(/^converged: relative loss .*\n {3}5\d\.\d dB {2}original 0, reconstruction 0\n/)
    torch.x.dispose()
    ;(torch.model as LayersModel).dispose()
  })

  it('measures against originals, in the order of the originals', async () => {
    const two = sample([2, 6, 6, 1], 3)
    writeFileSync(folder.at('g.npz'), writeNpz(await gradientFile(model, two, [3, 0])))
    const swapped = tf.tidy(() => tf.reverse(two, 0))
    writeFileSync(
      folder.at('x.npz'),
      writeNpz(new Map([['x', { shape: [2, 6, 6, 1], data: swapped.dataSync() as Float32Array }]])),
    )
    const { stdout, code } = await attack(
      ...['--gradients', folder.at('g.npz'), '--batch-size', '2', '--labels', '3,0', '--original', folder.at('x.npz')],
      ...['--batch-update', 'together', '--concurrency', '2'],
    )
    const { samples, psnr, options } = readJson(folder.at('out/result.json'))
    expect(code).toBe(samples.every((s: { psnr: number }) => s.psnr >= 20) ? 0 : 1)
    const found = parseNpz(readFileSync(folder.at('out/data.npz'))).get('data')!.data
    const original = swapped.dataSync()
    for (const [i, { slot, mse }] of samples.entries())
      expect(mse).toBeCloseTo(
        metrics.mse(found.subarray(36 * slot, 36 * slot + 36), original.subarray(36 * i, 36 * i + 36)),
        9,
      )
    expect(psnr).toBeCloseTo((samples[0].psnr + samples[1].psnr) / 2, 9)
    // labels are given in the order of the batch, and originals in another
    expect(samples.map((s: { slot: number }) => s.slot)).toEqual([1, 0])
    expect(options).toMatchObject({ concurrency: 2, batchUpdate: 'together', batchSize: 2 })
    expect(stdout.split('\n')).toHaveLength(1 + 2 + 2)
    tf.dispose([two, swapped])
  })

  it('refuses originals outside the range before the search, and measures them where the range holds them', async () => {
    writeFileSync(folder.at('g.npz'), writeNpz(await gradientFile(model, x, [2])))
    const data = Float32Array.from(x.dataSync(), (v) => 3 + 100 * v)
    writeFileSync(folder.at('other.npz'), writeNpz(new Map([['x', { shape: [6, 6, 1], data }]])))
    const argv = ['--gradients', folder.at('g.npz'), '--original', folder.at('other.npz'), '--labels', '2']
    const refused = await attack(...argv)
    expect([refused.code, refused.stdout]).toEqual([2, ''])
    expect(refused.stderr).toMatch(
      /other\.npz: original has \S+ at position 0, outside the range \[0, 1\]; give .*--range/,
    )
    const measured = await attack(...argv, '--range', '0,110', '--iterations', '20', '--restarts', '1')
    expect([measured.code, measured.stdout]).toEqual([1, expect.stringMatching(/^FAILED/)])
  })

  it('gives a PSNR that JSON can hold', async () => {
    // one colour: its own mean is at an infinite PSNR
    const flat = tf.fill([1, 6, 6, 1], 0.5)
    writeFileSync(folder.at('g.npz'), writeNpz(await gradientFile(model, flat, [2])))
    const data = flat.dataSync() as Float32Array
    writeFileSync(folder.at('x.npz'), writeNpz(new Map([['x', { shape: [6, 6, 1], data }]])))
    const quickly = ['--iterations', '1', '--restarts', '1']
    await attack('--gradients', folder.at('g.npz'), '--original', folder.at('x.npz'), '--labels', '2', ...quickly)
    const [{ baselines }] = readJson(folder.at('out/result.json')).samples
    expect(baselines.map(({ psnr }: { psnr: number }) => psnr)).toEqual([1000, 1000])
    flat.dispose()
  })

  it('calls data that are not the original a failure, and an unmatched gradient too', async () => {
    writeFileSync(folder.at('g.npz'), writeNpz(await gradientFile(model, x, [2])))
    writeFileSync(folder.at('other.npz'), writeNpz(new Map([['x', { shape: [6, 6, 1], data: new Float32Array(36) }]])))
    const wrong = await attack('--gradients', folder.at('g.npz'), '--original', folder.at('other.npz'))
    expect([wrong.code, wrong.stdout]).toEqual([1, expect.stringMatching(/^FAILED \(converged to other data/)])
    const short = await attack('--gradients', folder.at('g.npz'), '--iterations', '1', '--restarts', '1')
    expect([short.code, short.stdout]).toEqual([1, expect.stringMatching(/^FAILED \(max-iterations\)/)])
  })

  it('leaves out gradients that were not shared, and inputs that are known', async () => {
    const ins = [input({ shape: [5], name: 'secret' }), input({ shape: [3], name: 'given' })]
    const joined = layers.dense({ units: 12, activation: 'tanh' }).apply(layers.concatenate().apply(ins))
    const two = functional({ inputs: ins, outputs: layers.dense({ units: 4 }).apply(joined) as never })
    const [secret, given] = [sample([1, 5]), sample([1, 3], 8)]
    const gradients = [...(await gradientFile(two, [secret, given], [2]))]
    await writeModel(two, folder.at('two/model.json'))
    writeFileSync(folder.at('g.npz'), writeNpz(new Map(gradients.slice(0, -1))))
    const known = { shape: [1, 3], data: given.dataSync() as Float32Array }
    writeFileSync(folder.at('known.npz'), writeNpz(new Map([['given', known]])))
    const argv = ['attack', '--model', folder.at('two/model.json'), '--gradients', folder.at('g.npz'), ...quick()]
    const { code } = await dlg([...argv, '--partial', '--known', folder.at('known.npz'), '--labels', '2'])
    expect(code).toBe(0)
    const found = parseNpz(readFileSync(folder.at('out/data.npz')))
    expect([...found.keys()]).toEqual(['data', 'targets'])
    expect(metrics.mse(found.get('data')!.data, secret.dataSync())).toBeLessThan(1e-3)
    expect(folder.names()).toContain('out')
    tf.dispose([secret, given])
    two.dispose()
  })

  it('writes the best so far when interrupted, and says so', async () => {
    writeFileSync(folder.at('g.npz'), writeNpz(await gradientFile(model, x, [2])))
    const controller = new AbortController()
    const argv = [
      '--gradients',
      folder.at('g.npz'),
      '--tolerance',
      '0',
      '--optimizer',
      'adam',
      '--iterations',
      '100000',
    ]
    let stdout = ''
    const code = await run(['attack', '--model', folder.at('model.json'), ...quick(), ...argv], {
      stdout: { write: (text) => (stdout += text) },
      // once the search is under way
      stderr: { write: (text) => text.includes('step ') && controller.abort() },
      ...{ env: {}, signal: controller.signal },
    })
    expect([code, stdout]).toEqual([130, expect.stringMatching(/^interrupted, NOT converged, best so far: /)])
    expect(readdirSync(folder.at('out')).sort()).toEqual(['data.npz', 'gallery.png', 'result.json'])
  })

  it('as a process, with names that count for nothing', async () => {
    const gradients = [...(await gradientFile(model, x, [2])).values()]
    writeFileSync(folder.at('g.npz'), writeNpz(new Map(gradients.map((g, i) => [`arr_${i}`, g]))))
    const argv = ['attack', '--model', folder.at('model.json'), '--gradients', folder.at('g.npz'), '--json', ...quick()]
    const { code, stdout } = await spawnDlg(argv)
    expect(stdout).toBe(readFileSync(folder.at('out/result.json'), 'utf8'))
    expect([code, JSON.parse(stdout).status]).toEqual([0, 'converged'])
  })
})
