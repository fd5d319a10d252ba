import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { readImage } from '../../src/io'
import { cifar10Archive, cifar100Archive } from './data/archive-files'
import { dlg, QUICK, readJson, scratch, WHOLE, writePhoto } from './terminal'

const folder = scratch()

describe('dlg image', () => {
  it('recovers a photograph and says so', async () => {
    const photo = writePhoto(folder.at('photo.png'))
    const out = folder.at('deep/out')
    const { code, stdout, stderr } = await dlg(['image', photo, ...WHOLE, '--seed', '13', '--out', out])
    expect(stdout).toMatch(
      /^converged: \d\d\.\d dB, label 3 \(was 3\), \d+ evaluations in \d+\.\d s on (onnx:cpu|tfjs:\w+)\n/,
    )
    expect(stdout.trim().split('\n')[1]).toBe(
      ['strip.png', 'steps.gif', 'result.json'].map((f) => `${out}/${f}`).join(' '),
    )
    expect(stderr).toMatch(/^restart 1\/4 · step 0\/300 · objective \S+ · best \S+ · \d+ evaluations\/s\n/)
    expect(code).toBe(0)
    const result = readJson(`${out}/result.json`)
    expect(result).toMatchObject({
      status: 'converged',
      label: { original: 3, recovered: 3 },
      seed: 13,
      runtime: stdout.match(/ on (\S+)\n/)?.[1],
      versions: { node: process.version, tfjs: tf.version_core },
    })
    expect(result.psnr).toBeGreaterThan(30)
    expect(result.psnr).toBeCloseTo(-10 * Math.log10(result.mse), 6)
    expect(result.ssim).toBeGreaterThan(0.9)
    expect(result.seconds).toBeGreaterThan(0)
    expect(result.evaluations).toBeGreaterThan(10)
    expect(readImage(`${out}/strip.png`).width).toBeGreaterThan(500)
    expect(readFileSync(`${out}/steps.gif`).subarray(0, 6).toString()).toBe('GIF89a')
    expect(folder.names()).toEqual(['deep', 'photo.png'])
  })

  it.each([
    ['adam', /^FAILED \(max-iterations\), best so far: /],
    ['lbfgs', /^PARTIAL \(max-iterations\), closer than every baseline, best so far: /],
  ])('calls a failure of %s a failure, on every surface', async (optimizer, headline) => {
    const photo = writePhoto(folder.at('photo.png'))
    const few = ['--optimizer', optimizer, '--iterations', '2', '--restarts', '2']
    const argv = ['image', photo, ...QUICK, ...few, '--out', folder.at('out')]
    const { code, stdout } = await dlg(argv)
    expect(code).toBe(1)
    expect(stdout).toMatch(headline)
    expect(readJson(folder.at('out/result.json'))).toMatchObject({ status: 'max-iterations' })
    // two lines of caption
    const failed = readImage(folder.at('out/strip.png'))
    expect(failed.height).toBeGreaterThan(12 * 11 + 30)
  })

  it('prints JSON, the same as in the file, and nothing else', async () => {
    const photo = writePhoto(folder.at('photo.png'))
    const argv = ['image', photo, ...QUICK, '--iterations', '1', '--restarts', '1', '--json', '--out', folder.at('out')]
    const { stdout } = await dlg(argv)
    expect(stdout).toBe(readFileSync(folder.at('out/result.json'), 'utf8'))
  })

  it('passes every option on', async () => {
    const photo = writePhoto(folder.at('photo.png'))
    const options = {
      labels: 'known',
      optimizer: 'adam',
      distance: 'cosine',
      preset: 'paper',
      'weights-init': 'default',
      backend: 'cpu',
    }
    const { 'weights-init': weightsInit, ...rest } = options
    const { code } = await dlg([
      ...['image', photo, ...QUICK, '--iterations', '3', '--class', '7', '--seed', '5', '--out', folder.at('out')],
      ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]),
    ])
    expect(code).toBe(1)
    expect(readJson(folder.at('out/result.json'))).toMatchObject({
      label: { original: 7, recovered: 7 },
      seed: 5,
      runtime: 'tfjs:cpu',
      options: { ...rest, weightsInit, size: 12, classes: 10, iterations: 3, restarts: 1 },
    })
  })

  it('gives the same for the same seed, frees what it takes, and replaces its own files alone', async () => {
    const photo = writePhoto(folder.at('photo.png'))
    mkdirSync(folder.at('out'))
    writeFileSync(folder.at('out/mine.txt'), 'mine')
    const argv = ['image', photo, ...QUICK, '--iterations', '2', '--restarts', '1', '--out', folder.at('out')]
    await dlg(argv)
    const first = { strip: readFileSync(folder.at('out/strip.png')), gif: readFileSync(folder.at('out/steps.gif')) }
    const { numTensors } = tf.memory()
    await dlg(argv)
    expect(tf.memory().numTensors).toBe(numTensors)
    expect({ strip: readFileSync(folder.at('out/strip.png')), gif: readFileSync(folder.at('out/steps.gif')) }).toEqual(
      first,
    )
    expect(readFileSync(folder.at('out/mine.txt'), 'utf8')).toBe('mine')
    expect(folder.names()).toEqual(['out', 'photo.png'])
  })

  it('writes the best so far when interrupted, and says so', async () => {
    const photo = writePhoto(folder.at('photo.png'))
    const controller = new AbortController()
    const { code, stdout } = await dlg(['image', photo, ...QUICK, '--out', folder.at('out'), '--size', '24'], {
      signal: controller.signal,
      on: (stderr) => stderr.includes('step 0/') && controller.abort(),
    })
    expect(stdout).toMatch(/^interrupted, NOT converged, best so far: /)
    expect(code).toBe(130)
    expect(readJson(folder.at('out/result.json'))).toMatchObject({ status: 'aborted' })
  })

  it('writes nothing when interrupted before the attack', async () => {
    const photo = writePhoto(folder.at('photo.png'))
    const signal = AbortSignal.abort()
    const { code, stderr } = await dlg(['image', photo, ...QUICK, '--out', folder.at('out')], { signal })
    expect([code, stderr]).toEqual([130, 'dlg: interrupted before there was anything to write\n'])
    expect(folder.names()).toEqual(['photo.png'])
  })
})

describe('dlg batch', () => {
  it('matches reconstructions to originals and puts them in a gallery', async () => {
    const photos = [0, 1].map((i) => writePhoto(folder.at(`${i}.png`), 5 * i))
    const { code, stdout } = await dlg([
      ...['batch', ...photos, ...WHOLE, '--class', '8,2', '--labels', 'infer'],
      ...['--iterations', '60', '--restarts', '1', '--out', folder.at('out')],
    ])
    const { samples, psnr, status } = readJson(folder.at('out/result.json'))
    expect(code).toBe(status === 'converged' ? 0 : 1)
    expect(samples).toMatchObject([
      { source: photos[0], label: { original: 8, recovered: 8 } },
      { source: photos[1], label: { original: 2, recovered: 2 } },
    ])
    expect(samples[0].psnr).toBeGreaterThan(20)
    expect(samples[1].psnr).toBeGreaterThan(20)
    expect(psnr).toBeCloseTo((samples[0].psnr + samples[1].psnr) / 2, 9)
    expect(stdout.split('\n').slice(1, 3)).toEqual(
      samples.map((s: { psnr: number; label: { original: number }; source: string }) => {
        const { original } = s.label
        return `  ${s.psnr.toFixed(1).padStart(5)} dB  label ${original} (was ${original})  ${s.source}`
      }),
    )
    const gallery = readImage(folder.at('out/gallery.png'))
    // two images wide, two high, and captions
    expect(gallery.width).toBe(4 + 2 * (12 * 11 + 4))
    expect(gallery.height).toBeGreaterThan(4 + 2 * (12 * 11 + 4) + 10)
  })
})

describe('restarts at the same time', () => {
  it('give what they give one by one, and samples may move one by one', async () => {
    const photos = [0, 1].map((i) => writePhoto(folder.at(`${i}.png`), 5 * i))
    const argv = ['batch', ...photos, ...WHOLE, '--iterations', '4', '--restarts', '2', '--batch-update', 'one-by-one']
    await dlg([...argv, '--out', folder.at('one')])
    await dlg([...argv, '--concurrency', '2', '--out', folder.at('two')])
    const [one, two] = ['one', 'two'].map((out) => readJson(folder.at(`${out}/result.json`)))
    expect(one.options).toMatchObject({ concurrency: 1, batchUpdate: 'one-by-one' })
    expect(two.options).toMatchObject({ concurrency: 2, batchUpdate: 'one-by-one' })
    expect([two.psnr, two.restart, two.evaluations]).toEqual([one.psnr, one.restart, one.evaluations])
    await dlg([...argv.slice(0, -1), 'together', '--out', folder.at('together')])
    expect(readJson(folder.at('together/result.json')).psnr).not.toBe(one.psnr)
  })
})

describe('dlg cifar', () => {
  const quick = ['--iterations', '1', '--restarts', '1', '--runtime', 'tfjs', '--backend', 'wasm']

  it('takes an image of CIFAR-100 with its true label', async () => {
    writeFileSync(folder.at('x.tar.gz'), cifar100Archive())
    const argv = ['cifar', '--index', '3', '--archive', folder.at('x.tar.gz'), '--labels', 'infer', ...quick]
    const { code, stdout } = await dlg([...argv, '--out', folder.at('out')])
    expect(code).toBe(1)
    expect(stdout).toMatch(/label 30 \(was 30\)/)
    expect(readJson(folder.at('out/result.json'))).toMatchObject({
      command: 'cifar',
      source: 'CIFAR-100 train 3 (class30)',
      options: { size: 32, classes: 100 },
    })
  })

  it('and of CIFAR-10', async () => {
    writeFileSync(folder.at('x.tar.gz'), cifar10Archive())
    const argv = [
      'cifar',
      '--dataset',
      'cifar10',
      '--split',
      'test',
      '--index',
      '1',
      '--archive',
      folder.at('x.tar.gz'),
    ]
    await dlg([...argv, ...quick, '--out', folder.at('out')])
    expect(readJson(folder.at('out/result.json'))).toMatchObject({
      source: 'CIFAR-10 test 1 (class1)',
      label: { original: 1 },
      options: { classes: 10 },
    })
  })
})
