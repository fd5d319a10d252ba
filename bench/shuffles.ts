/**
 * What comes back from clients of federated averaging that read their images in a fresh order in each epoch, which the server does not
 * know. The attack takes the order to be the same in each epoch. LeNet at weights U(±0.5), images as files named CLASS-NUMBER.png or .jpg:
 *
 *   npx tsx bench/shuffles.ts --images DIR [--clients 3] [--count 10] [--size 16] [--epochs 5] [--batch 5] [--rate 0.01]
 *     [--order shuffled|same] [--labels joint|given] [--iterations N] [--restarts N] [--skip 0] [--seed 1]
 *
 * With --order same the client does what the attack assumes. --labels given tells the attack the labels in the order of the first epoch.
 */
import { parseArgs } from 'node:util'
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { lenet } from '../examples/models/lenet'
import { deepLeakageFromGradients } from '../src'
import { random } from '../src/numbers/random'
import { movement } from './local-steps'
import { decibels, labelsOf, type Picture, pictures } from './pictures'
import { short } from './table'
import { median } from './timing'

/** Decibels above which an image counts as found, as in Dimitrov et al. 2022. */
const FOUND = 20

function options() {
  const { values } = parseArgs({
    options: {
      images: { type: 'string' },
      clients: { type: 'string', default: '3' },
      count: { type: 'string', default: '10' },
      size: { type: 'string', default: '16' },
      epochs: { type: 'string', default: '5' },
      batch: { type: 'string', default: '5' },
      rate: { type: 'string', default: '0.01' },
      order: { type: 'string', default: 'shuffled' },
      labels: { type: 'string', default: 'joint' },
      iterations: { type: 'string' },
      restarts: { type: 'string' },
      skip: { type: 'string', default: '0' },
      seed: { type: 'string', default: '1' },
    },
  })
  if (!values.images) throw new Error('--images DIR is missing: a folder of images named CLASS-NUMBER.jpg or .png')
  if (!['shuffled', 'same'].includes(values.order)) throw new Error('--order knows shuffled and same')
  if (!['joint', 'given'].includes(values.labels)) throw new Error('--labels knows joint and given')
  return {
    ...{ folder: values.images, clients: Number(values.clients), count: Number(values.count) },
    ...{ size: Number(values.size), epochs: Number(values.epochs), batch: Number(values.batch) },
    ...{ rate: Number(values.rate), shuffled: values.order === 'shuffled', given: values.labels === 'given' },
    ...{ skip: Number(values.skip), seed: Number(values.seed) },
    ...(values.iterations !== undefined && { iterations: Number(values.iterations) }),
    ...(values.restarts !== undefined && { restarts: Number(values.restarts) }),
  }
}

/** Fisher and Yates: every order is as likely as any other. */
function shuffle<T>(items: readonly T[], uniform: () => number): T[] {
  const out = [...items]
  for (let i = out.length - 1; i > 0; i--) {
    const k = Math.floor(uniform() * (i + 1))
    ;[out[i], out[k]] = [out[k], out[i]]
  }
  return out
}

/** An epoch's batches; the last one has the rest. */
const inBatches = <T>(items: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size))

/** One client: decibels of each of its images, in the order of the first epoch. */
async function attack(client: number, images: readonly Picture[], o: ReturnType<typeof options>): Promise<number[]> {
  const { uniform } = random(o.seed, client)
  const first = shuffle(images, uniform)
  const orders = Array.from({ length: o.epochs }, (_, epoch) =>
    epoch === 0 || !o.shuffled ? first : shuffle(images, uniform),
  )
  const model = lenet({ size: o.size, classes: 10, seed: o.seed + client })
  const delta = await movement(
    model,
    orders.flatMap((order) => inBatches(order, o.batch)),
    o.rate,
  )
  const leak = await deepLeakageFromGradients(
    model,
    { delta },
    {
      ...{ labels: o.given ? labelsOf(first) : 'joint', batchSize: images.length, seed: o.seed },
      ...{ update: { learningRate: o.rate, batchSize: o.batch, epochs: o.epochs } },
      ...{ iterations: o.iterations, restarts: o.restarts },
    },
  )
  const psnr = decibels(await leak.data.data(), first)
  const { status, relativeLoss, evaluations, milliseconds, preset } = leak
  console.log(
    `client ${client} (${preset.name})  ${psnr.map((v) => v.toFixed(1)).join(' ')} dB  ${status}  ${relativeLoss.toExponential(1)}  ${evaluations} evaluations  ${short(milliseconds / 1000)} s`,
  )
  leak.dispose()
  tf.dispose(delta)
  model.dispose()
  return psnr
}

async function main(): Promise<void> {
  const o = options()
  await tf.setBackend('cpu')
  const images = pictures(o.folder, o.size)
  const needed = o.skip + o.clients * o.count
  if (images.length < needed) throw new Error(`${o.folder} has ${images.length} images; these clients need ${needed}`)
  const all: number[] = []
  for (let client = 0; client < o.clients; client++) {
    const at = o.skip + client * o.count
    all.push(...(await attack(client, images.slice(at, at + o.count), o)))
  }
  const found = all.filter((v) => v > FOUND).length
  console.log(
    `\n${o.clients} clients of ${o.count} images, ${o.epochs} epochs in batches of ${o.batch} at ${o.rate}, ${o.shuffled ? 'a fresh order in each epoch' : 'one order'}, labels ${o.given ? 'given' : 'joint'}:`,
  )
  console.log(
    `median ${median(all).toFixed(1)} dB, ${found} of ${all.length} images (${Math.round((100 * found) / all.length)} %) above ${FOUND} dB`,
  )
}

main().catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 1
})
