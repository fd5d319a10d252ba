import { readFileSync, writeFileSync } from 'node:fs'
import * as tf from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseNpz, writeNpz } from '../../src/io'
import { mse } from '../../src/metrics'
import { convNet, sample } from '../attacks/matching/tiny'
import { gradientFile, stepped, weightsOf, writeModel } from './model-files'
import { dlg, QUICK, readJson, scratch, writePhoto } from './terminal'

const folder = scratch()

describe('dlg image with options of the search', () => {
  const run = async (...argv: string[]) => {
    const photo = writePhoto(folder.at('photo.png'))
    const ran = await dlg(['image', photo, ...QUICK, ...argv, '--out', folder.at('out')])
    return { ...ran, result: readJson(folder.at('out/result.json')) }
  }
  const short = ['--iterations', '2', '--restarts', '1']

  it('says every option that was in force, given or not', async () => {
    const { result } = await run(...short, '--patience', '5', '--seed', '-1', '--tv', '1e-3')
    expect(result).toMatchObject({ seed: -1, label: { original: 9 } })
    expect(result.options).toMatchObject({
      ...{ size: 12, weightsInit: 'uniform', classes: 10, runtime: 'tfjs', backend: 'wasm' },
      ...{ scale: 1, preset: 'robust', labels: 'joint', distance: 'l2', priors: { colorTotalVariation: 1e-3 } },
      ...{ priorEasing: 0.1, optimizer: 'lbfgs', iterations: 2, patience: 5, restarts: 1, concurrency: 1, seed: -1 },
      ...{ init: 'gray', tolerance: 1e-12 },
    })
  })

  it('takes what the paper takes where nothing else is given', async () => {
    const { result } = await run('--iterations', '2', '--preset', 'paper')
    expect(result.options).toMatchObject({ restarts: 1, init: 'normal', priors: [], patience: 'Infinity' })
    const { result: other } = await run('--iterations', '1', '--preset', 'paper', '--restarts', '2', '--init', 'gray')
    expect(other.options).toMatchObject({ restarts: 2, init: 'gray' })
  })

  it("has defaults for PyTorch's weights, which what is given overrules", async () => {
    const { result } = await run(...short, '--weights-init', 'default')
    expect(result.options).toMatchObject({ priors: { colorTotalVariation: 1e-7 }, tolerance: 1e-14 })
    const { result: other } = await run(
      ...short,
      '--weights-init',
      'default',
      '--priors',
      'box=1',
      '--tolerance',
      '0.1',
    )
    expect(other.options).toMatchObject({ priors: { box: 1 }, tolerance: 0.1 })
  })

  it('takes the label of whoever attacks, and any scale', async () => {
    const { result } = await run(...short, '--class', '3', '--labels', '7', '--scale', 'auto')
    expect(result.label).toEqual({ original: 3, recovered: 7 })
    expect(result.options).toMatchObject({ labels: [7], scale: 'auto' })
  })

  it.each([
    ['--budget', '9'],
    ['--budget', '300ms'],
    ['--time-limit', '300ms'],
  ])('ends at %s %s with the best so far, which is a failure', async (...limit) => {
    const { code, stdout, result } = await run('--tolerance', '0', '--size', '24', ...limit)
    expect([code, result.status]).toEqual([1, 'budget'])
    expect(stdout).toMatch(/^(FAILED \(budget\)|PARTIAL \(budget\), closer than every baseline), best so far: /)
    if (limit[1] === '9') expect(result.evaluations).toBeLessThanOrEqual(9)
  })
})

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

  const attack = async (...argv: string[]) => {
    const where = ['--runtime', 'tfjs', '--backend', 'wasm', '--out', folder.at('out')]
    const ran = await dlg(['attack', '--model', folder.at('model.json'), ...where, ...argv])
    return { ...ran, result: readJson(folder.at('out/result.json')) }
  }
  const found = () => parseNpz(readFileSync(folder.at('out/data.npz'))).get('data')!.data

  /** A gradient of this many times its size. */
  const write = async (factor: number) => {
    const gradients = [...(await gradientFile(model, x, [2]))]
    const scaled = gradients.map(
      ([name, { shape, data }]) => [name, { shape, data: data.map((v) => factor * v) }] as const,
    )
    writeFileSync(folder.at('g.npz'), writeNpz(new Map(scaled)))
    return ['--gradients', folder.at('g.npz'), '--labels', '2']
  }

  it('hints in its own words, and the hint is right', async () => {
    const files = await write(-1)
    const { code, stdout, result } = await attack(...files, '--restarts', '1', '--iterations', '40')
    expect(code).toBe(1)
    const [, hint] = stdout.split('\n')
    expect(hint).toMatch(
      /^perhaps the sign is turned, as in an update: --scale -1, or --before\/--after; --scale auto fits a /,
    )
    expect(result.scaleHint).toBe(hint)
    const right = await attack(...files, '--scale', '-1')
    expect([right.code, right.result.options.scale]).toEqual([0, -1])
    expect(mse(found(), x.dataSync())).toBeLessThan(1e-3)
  })

  it('fits a factor that nobody said', async () => {
    const { code, result, stdout } = await attack(...(await write(-0.03)), '--scale', 'auto')
    expect(code).toBe(0)
    expect(result.scale).toBeCloseTo(-0.03, 4)
    expect(stdout).toContain('the sign is turned, as in an update: --before/--after with --learning-rate 0.03\n')
    expect(mse(found(), x.dataSync())).toBeLessThan(1e-3)
  })

  it('needs no learning rate where the factor is fitted', async () => {
    const weights = weightsOf(model)
    writeFileSync(folder.at('before.npz'), writeNpz(weights))
    writeFileSync(folder.at('after.npz'), writeNpz(stepped(weights, await gradientFile(model, x, [1]), 0.25)))
    const files = ['--before', folder.at('before.npz'), '--after', folder.at('after.npz'), '--labels', 'infer']
    const { code, result } = await attack(...files, '--scale', 'auto')
    expect([code, result.labels]).toEqual([0, [1]])
    expect(result.scale).toBeCloseTo(0.25, 3)
    expect(mse(found(), x.dataSync())).toBeLessThan(1e-3)
  })

  it('measures the variation of gray pictures as such, and of others not at all', async () => {
    const short = ['--restarts', '1', '--iterations', '2']
    const { result } = await attack(...(await write(1)), ...short, '--tv', '1e-3')
    const { result: same } = await attack(...(await write(1)), ...short, '--priors', 'totalVariation=1e-3')
    const { result: other } = await attack(...(await write(1)), ...short, '--tv', '0')
    expect(result.relativeLoss).toBe(same.relativeLoss)
    expect(other.relativeLoss).not.toBe(same.relativeLoss)
    expect(result.options.tv).toBe(1e-3)
  })
})
