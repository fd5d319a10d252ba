/**
 * What comes back from a network with kinks (ReLU and max-pooling, the Keras tutorials' CNN at its initial weights), recipe by
 * recipe, over images as files named CLASS-NUMBER.png or .jpg:
 *
 *   npx tsx bench/kinks.ts --images DIR [--skip 0] [--count 8] [--batches 1,4,8] [--presets auto,robust] [--trained 0] [--padding same] [--seed 1]
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import { kerasCnn } from '../examples/models/keras-cnn'
import { DlgError, deepLeakageFromGradients, gradientsOf, type LeakageOptions } from '../src'
import { readImage, toSquare } from '../src/io'
import { match } from '../src/measure/match'
import { mse } from '../src/metrics'
import { short, table } from './table'
import { median } from './timing'

const SIZE = 32
const NUMBERS = SIZE * SIZE * 3

interface Picture {
  readonly name: string
  readonly data: Float32Array
  readonly label: number
}

interface Outcome {
  readonly preset: string
  readonly labels: 'inferred' | 'given'
  /** Of each image, in decibels. */
  readonly psnr: readonly number[]
  readonly relativeLoss: number
  readonly evaluations: number
  readonly seconds: number
}

function options() {
  const { values } = parseArgs({
    options: {
      images: { type: 'string' },
      skip: { type: 'string', default: '0' },
      count: { type: 'string', default: '8' },
      batches: { type: 'string', default: '1,4,8' },
      presets: { type: 'string', default: 'auto,robust' },
      trained: { type: 'string', default: '0' },
      iterations: { type: 'string' },
      padding: { type: 'string', default: 'same' },
      seed: { type: 'string', default: '1' },
    },
  })
  if (!values.images) throw new Error('--images DIR is missing: a folder of images named CLASS-NUMBER.jpg or .png')
  return {
    folder: values.images,
    skip: Number(values.skip),
    count: Number(values.count),
    batches: values.batches.split(',').map(Number),
    presets: values.presets.split(',') as NonNullable<LeakageOptions['preset']>[],
    trained: Number(values.trained),
    iterations: values.iterations === undefined ? undefined : Number(values.iterations),
    padding: values.padding === 'valid' ? ('valid' as const) : ('same' as const),
    seed: Number(values.seed),
  }
}

/** Every image of the folder: the first of each class, then the second of each, and so on. Labels are classes in order. */
function pictures(folder: string): Picture[] {
  const names = readdirSync(folder).filter((name) => /\.(png|jpe?g)$/i.test(name))
  const classOf = (name: string): string => name.split('-')[0]
  const classes = [...new Set(names.map(classOf))].sort()
  const rank = (name: string): number => names.filter((n) => classOf(n) === classOf(name) && n < name).length
  return names
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
    .map((name) => {
      const { data } = toSquare(readImage(join(folder, name)), SIZE)
      return { name, data: Float32Array.from(data), label: classes.indexOf(classOf(name)) }
    })
}

function batchOf(images: readonly Picture[]): tf.Tensor {
  const all = new Float32Array(images.length * NUMBERS)
  for (const [i, { data }] of images.entries()) all.set(data, i * NUMBERS)
  return tf.tensor(all, [images.length, SIZE, SIZE, 3])
}

const labelsOf = (images: readonly Picture[]): number[] => images.map(({ label }) => label)

/** A few steps of SGD over images in batches of 8, at a learning rate of 0.05. */
async function train(model: LayersModel, images: readonly Picture[], steps: number): Promise<void> {
  for (let step = 0; step < steps; step++) {
    const batch = Array.from({ length: 8 }, (_, i) => images[(8 * step + i) % images.length])
    const x = batchOf(batch)
    const gradients = Object.values(await gradientsOf(model, x, labelsOf(batch)))
    model.trainableWeights.forEach((weight, i) => {
      weight.write(tf.tidy(() => tf.sub(weight.read(), tf.mul(gradients[i], 0.05))))
    })
    tf.dispose([x, ...gradients])
  }
}

/** One batch, attacked with default options but for labels, which are inferred; where that cannot be, they are given. */
async function attack(model: LayersModel, images: readonly Picture[], given: LeakageOptions): Promise<Outcome> {
  const x = batchOf(images)
  const shared = await gradientsOf(model, x, labelsOf(images))
  const search = (labels: 'infer' | number[]) =>
    deepLeakageFromGradients(model, shared, { labels, batchSize: images.length, ...given })
  const [leak, labels] = await search('infer').then(
    (leak) => [leak, 'inferred'] as const,
    async (error) => {
      if (!(error instanceof DlgError && error.code === 'labels')) throw error
      return [await search(labelsOf(images)), 'given'] as const
    },
  )
  const data = (await leak.data.data()) as Float32Array
  const found = images.map((_, i) => data.slice(i * NUMBERS, (i + 1) * NUMBERS).map((v) => Math.min(1, Math.max(0, v))))
  const errors = images.map((image) => found.map((one) => mse(one, image.data)))
  const psnr = match(errors).map((place, i) => -10 * Math.log10(errors[i][place]))
  const { preset, relativeLoss, evaluations, milliseconds } = leak
  leak.dispose()
  tf.dispose([shared, x])
  return { preset: preset.name, labels, psnr, relativeLoss, evaluations, seconds: milliseconds / 1000 }
}

async function main(): Promise<void> {
  const { folder, skip, count, batches, presets, trained, iterations, padding, seed } = options()
  await tf.setBackend('cpu')
  const images = pictures(folder)
  if (images.length === 0) throw new Error(`there are no images in ${folder}`)
  const rows: string[][] = []
  for (const batch of batches) {
    const outcomes = presets.map((): Outcome[] => [])
    for (let at = skip; at + batch <= Math.min(skip + Math.max(count, batch), images.length); at += batch) {
      const some = images.slice(at, at + batch)
      const model = kerasCnn({ padding, seed: seed + at })
      const others = images.filter((image) => !some.includes(image))
      await train(model, others, trained)
      for (const [i, preset] of presets.entries()) {
        const outcome = await attack(model, some, { preset, seed, iterations })
        outcomes[i].push(outcome)
        const { psnr, labels, relativeLoss, evaluations, seconds } = outcome
        const words = [
          some.map(({ name }) => name.split('.')[0]).join(' '),
          preset,
          `→ ${outcome.preset}`,
          `labels ${labels}`,
        ]
        const numbers = [psnr.map((v) => v.toFixed(1)).join(' '), 'dB', relativeLoss.toExponential(1)]
        console.log([...words, ...numbers, `${evaluations} evaluations`, `${short(seconds)} s`].join('  '))
      }
      model.dispose()
    }
    for (const [i, preset] of presets.entries()) {
      const all = outcomes[i]
      const psnr = all.flatMap((o) => o.psnr)
      const work = [median(all.map((o) => o.evaluations)), median(all.map((o) => o.seconds))].map(short)
      const means = all.map((o) => o.psnr.reduce((a, b) => a + b) / o.psnr.length)
      rows.push([
        `${batch}  ${preset}`,
        `${psnr.length}`,
        ...[median(psnr), median(means)].map((v) => v.toFixed(1)),
        ...work,
      ])
    }
  }
  const head = ['batch, preset', 'images', 'median dB', 'of batches', 'evaluations', 'seconds']
  console.log(`\n${trained === 0 ? 'initial weights' : `after ${trained} steps of SGD`}\n${table(head, rows)}`)
}

main().catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 1
})
