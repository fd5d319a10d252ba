/**
 * What comes back from a network with kinks (ReLU and max-pooling; the Keras tutorials' CNN, the CNN of PyTorch's 60-minute blitz,
 * ResNet-20), recipe by recipe, over images as files named CLASS-NUMBER.png or .jpg:
 *
 *   npx tsx bench/kinks.ts --images DIR [--skip 0] [--count 8] [--batches 1,4,8] [--presets auto,robust] [--trained 0] [--padding same] [--seed 1]
 *     [--network keras|blitz|resnet20]
 *
 * A preset may have a distance: homotopy/balanced.
 */
import { parseArgs } from 'node:util'
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import { kerasCnn } from '../examples/models/keras-cnn'
import { DlgError, deepLeakageFromGradients, gradientsOf, type LeakageOptions } from '../src'
import { NETWORKS, networkName } from './networks'
import { batchOf, decibels, labelsOf, type Picture, pictures, train } from './pictures'
import { short, table } from './table'
import { median } from './timing'

interface Outcome {
  readonly preset: string
  readonly labels: 'inferred' | 'given'
  /** Of each image, in decibels. */
  readonly psnr: readonly number[]
  readonly relativeLoss: number
  readonly evaluations: number
  readonly seconds: number
}

/** `robust` or `homotopy/balanced` */
function recipe(name: string): { readonly name: string; readonly options: LeakageOptions } {
  const [preset, distance] = name.split('/')
  return { name, options: { preset, ...(distance && { distance }) } as LeakageOptions }
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
      network: { type: 'string', default: 'keras' },
      seed: { type: 'string', default: '1' },
    },
  })
  if (!values.images) throw new Error('--images DIR is missing: a folder of images named CLASS-NUMBER.jpg or .png')
  return {
    folder: values.images,
    skip: Number(values.skip),
    count: Number(values.count),
    batches: values.batches.split(',').map(Number),
    recipes: values.presets.split(',').map(recipe),
    trained: Number(values.trained),
    iterations: values.iterations === undefined ? undefined : Number(values.iterations),
    network: networkName(values.network),
    padding: values.padding === 'valid' ? ('valid' as const) : ('same' as const),
    seed: Number(values.seed),
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
  const psnr = decibels((await leak.data.data()) as Float32Array, images)
  const { preset, relativeLoss, evaluations, milliseconds } = leak
  leak.dispose()
  tf.dispose([shared, x])
  return { preset: preset.name, labels, psnr, relativeLoss, evaluations, seconds: milliseconds / 1000 }
}

async function main(): Promise<void> {
  const { folder, skip, count, batches, recipes, trained, iterations, network, padding, seed } = options()
  await tf.setBackend('cpu')
  const images = pictures(folder)
  if (images.length === 0) throw new Error(`there are no images in ${folder}`)
  const rows: string[][] = []
  for (const batch of batches) {
    const outcomes = recipes.map((): Outcome[] => [])
    for (let at = skip; at + batch <= Math.min(skip + Math.max(count, batch), images.length); at += batch) {
      const some = images.slice(at, at + batch)
      const model =
        network === 'keras' ? kerasCnn({ padding, seed: seed + at }) : NETWORKS[network]({ seed: seed + at })
      const others = images.filter((image) => !some.includes(image))
      await train(model, others, trained)
      for (const [i, { name, options }] of recipes.entries()) {
        const outcome = await attack(model, some, { ...options, seed, iterations })
        outcomes[i].push(outcome)
        const { psnr, labels, relativeLoss, evaluations, seconds } = outcome
        const words = [
          some.map(({ name }) => name.split('.')[0]).join(' '),
          name,
          `→ ${outcome.preset}`,
          `labels ${labels}`,
        ]
        const numbers = [psnr.map((v) => v.toFixed(1)).join(' '), 'dB', relativeLoss.toExponential(1)]
        console.log([...words, ...numbers, `${evaluations} evaluations`, `${short(seconds)} s`].join('  '))
      }
      model.dispose()
    }
    for (const [i, { name }] of recipes.entries()) {
      const all = outcomes[i]
      const psnr = all.flatMap((o) => o.psnr)
      const work = [median(all.map((o) => o.evaluations)), median(all.map((o) => o.seconds))].map(short)
      const means = all.map((o) => o.psnr.reduce((a, b) => a + b) / o.psnr.length)
      rows.push([
        `${batch}  ${name}`,
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
