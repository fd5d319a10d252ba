/**
 * What comes back from a network with kinks (ReLU and max-pooling; the Keras tutorials' CNN, the CNN of PyTorch's 60-minute blitz,
 * ResNet-20), recipe by recipe, over images as files named CLASS-NUMBER.png or .jpg:
 *
 *   npx tsx bench/kinks.ts --images DIR [--skip 0] [--count 8] [--batches 1,4,8] [--presets auto,robust] [--trained 0] [--padding same] [--seed 1]
 *     [--network keras|keras-norm|blitz|resnet20] [--update none|weights|all]
 *
 * With --update the client trains one step in training mode and shares its trained weights, or all weights with the moving
 * statistics of batch norms.
 *
 * A preset may have a distance: homotopy/balanced.
 */
import { parseArgs } from 'node:util'
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import { kerasCnn } from '../examples/models/keras-cnn'
import { DlgError, deepLeakageFromGradients, gradientsOf, type LeakageOptions, type SharedUpdate } from '../src'
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
      update: { type: 'string', default: 'none' },
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
    update: values.update,
    padding: values.padding === 'valid' ? ('valid' as const) : ('same' as const),
    seed: Number(values.seed),
  }
}

/** Learning rate of the client's step. */
const RATE = 0.1

/** The weights before and after a step of SGD in training mode; tfjs itself moves the statistics. */
function updateOf(model: LayersModel, x: tf.Tensor, gradients: tf.NamedTensorMap, all: boolean): SharedUpdate {
  const read = () =>
    model.weights.map((w) => ({
      name: w.name,
      shape: w.shape as number[],
      data: Float32Array.from(w.read().dataSync()),
    }))
  const byName = (list: ReturnType<typeof read>) =>
    Object.fromEntries(list.map(({ name, ...tensor }) => [name, tensor]))
  const before = read()
  tf.tidy(() => void model.apply(x, { training: true }))
  const moved = read()
  model.weights.forEach((w, i) => {
    w.write(tf.tensor(before[i].data, before[i].shape))
  })
  const after = moved.flatMap((weight) => {
    const gradient = gradients[weight.name]?.dataSync()
    if (!gradient) return all ? [weight] : []
    return [{ ...weight, data: weight.data.map((v, k) => v - RATE * gradient[k]) }]
  })
  return { before: byName(before), after: byName(after) }
}

/** One batch, attacked with default options but for labels, which are inferred; where that cannot be, they are given. */
async function attack(
  model: LayersModel,
  images: readonly Picture[],
  update: string,
  given: LeakageOptions,
): Promise<Outcome> {
  const x = batchOf(images)
  const steps = update !== 'none'
  const gradients = await gradientsOf(model, x, labelsOf(images), { training: steps })
  const shared = steps ? updateOf(model, x, gradients, update === 'all') : gradients
  const client = steps && { training: true, update: { learningRate: RATE } }
  const search = (labels: 'infer' | number[]) =>
    deepLeakageFromGradients(model, shared, { labels, batchSize: images.length, ...client, ...given })
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
  tf.dispose([gradients, x])
  return { preset: preset.name, labels, psnr, relativeLoss, evaluations, seconds: milliseconds / 1000 }
}

async function main(): Promise<void> {
  const { folder, skip, count, batches, recipes, trained, iterations, network, update, padding, seed } = options()
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
        const outcome = await attack(model, some, update, { ...options, seed, iterations })
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
