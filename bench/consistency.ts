/**
 * Two priors of GradInversion (Yin et al. 2021), each alone and both together, at equal evaluations: running statistics of batch norms
 * (`priors: { batchNorm }`), and restarts that are pulled to the mean of all (`consistency`). The client is in evaluation mode, and
 * labels are given. Images are files named CLASS-NUMBER.png or .jpg:
 *
 *   npx tsx bench/consistency.ts --images DIR [--network keras|keras-norm|blitz|resnet20] [--batches 1,4] [--skip 30] [--count 5]
 *     [--iterations 1000] [--trained 0] [--statistics 0.003] [--consistency 0.01] [--recipes none,restarts,consistency]
 *
 * With --trained one network is trained for so many steps in training mode, on the first 20 images. Without, each batch has weights of its own.
 */
import { parseArgs } from 'node:util'
import '@tensorflow/tfjs-backend-wasm'
import * as tf from '@tensorflow/tfjs-core'
import { deepLeakageFromGradients, gradientsOf, type LeakageOptions } from '../src'
import { NETWORKS, networkName } from './networks'
import { batchOf, decibels, labelsOf, pictures, train } from './pictures'
import { table } from './table'
import { median } from './timing'

const RESTARTS = 4

/** The images that a network is trained on. */
const TRAINED_ON = 20

async function main(): Promise<void> {
  const { values: o } = parseArgs({
    options: {
      images: { type: 'string' },
      network: { type: 'string', default: 'keras-norm' },
      batches: { type: 'string', default: '1,4' },
      skip: { type: 'string', default: '30' },
      count: { type: 'string', default: '5' },
      iterations: { type: 'string', default: '1000' },
      trained: { type: 'string', default: '0' },
      statistics: { type: 'string', default: '0.003' },
      consistency: { type: 'string', default: '0.01' },
      recipes: { type: 'string', default: 'none,restarts,consistency' },
    },
  })
  if (!o.images) throw new Error('--images DIR is missing: a folder of images named CLASS-NUMBER.jpg or .png')
  const [skip, count, iterations, steps] = [o.skip, o.count, o.iterations, o.trained].map(Number)
  const statistics: LeakageOptions = { priors: { colorTotalVariation: 0.02, batchNorm: Number(o.statistics) } }
  const restarts: LeakageOptions = { restarts: RESTARTS, iterations: Math.round(iterations / RESTARTS) }
  const consistency: LeakageOptions = { ...restarts, consistency: Number(o.consistency) }
  const all: Readonly<Record<string, LeakageOptions>> = {
    ...{ none: { iterations }, statistics: { iterations, ...statistics }, restarts, consistency },
    both: { ...consistency, ...statistics },
  }
  const names = o.recipes.split(',')
  const stranger = names.find((name) => !Object.hasOwn(all, name))
  if (stranger) throw new Error(`--recipes knows ${Object.keys(all).join(', ')}`)
  await tf.setBackend('wasm')
  const images = pictures(o.images)
  const network = NETWORKS[networkName(o.network)]
  const trained = network({ seed: 1 })
  if (steps > 0) await train(trained, images.slice(0, TRAINED_ON), steps)
  const rows: string[][] = []
  for (const batch of o.batches.split(',').map(Number)) {
    const found = new Map(names.map((name) => [name, [] as number[]]))
    for (let at = skip; at + batch <= Math.min(skip + Math.max(count, batch), images.length); at += batch) {
      const some = images.slice(at, at + batch)
      const model = steps > 0 ? trained : network({ seed: 1 + at })
      const x = batchOf(some)
      const labels = labelsOf(some)
      const shared = await gradientsOf(model, x, labels)
      for (const name of names) {
        const leak = await deepLeakageFromGradients(model, shared, { labels, batchSize: batch, ...all[name] })
        const psnr = decibels(await leak.data.data(), some)
        const { relativeLoss, evaluations } = leak
        leak.dispose()
        found.get(name)!.push(...psnr)
        const words = [some.map((one) => one.name.split('.')[0]).join(' '), name]
        const numbers = [psnr.map((v) => v.toFixed(1)).join(' '), 'dB', relativeLoss.toExponential(1), `${evaluations}`]
        console.log([...words, ...numbers].join('  '))
      }
      tf.dispose([x, shared])
    }
    for (const [name, psnr] of found) rows.push([`${batch}  ${name}`, `${psnr.length}`, median(psnr).toFixed(1)])
  }
  const weights = steps === 0 ? 'initial weights' : `after ${steps} steps of SGD in training mode`
  console.log(`\n${o.network}, ${weights}\n${table(['batch, priors', 'images', 'median dB'], rows)}`)
}

main().catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 1
})
