/**
 * The defence table of Zhu, Liu, Han 2019 (section 6), redone with the attacker who knows of the defence beside the one who does not:
 *
 *   DLG_CIFAR=FOLDER npx tsx src/cli/index.ts audit bench/defences/images.ts --out out/defences
 *   npx tsx src/cli/index.ts report out/defences --format html,json,markdown
 *
 * FOLDER holds pictures of CIFAR-10, NAME-NUMBER.jpg, ten classes of them; two of each class are attacked. The network is the paper's, with
 * its weights.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import type { AuditOptions } from '../../src/audit'
import { clipping, composed, dpSgd, gaussianNoise, laplaceNoise, pruning, quantised, signs } from '../../src/defences'
import { readImage, toSquare } from '../../src/io'
import { lenet } from '../../src/models/lenet'

const SIDE = 32
const PER_CLASS = 2

/** The paper's levels, as standard deviations: variances of 1e-4 … 1e-1. */
const LEVELS = [1e-4, 1e-3, 1e-2, 1e-1].map(Math.sqrt)

export default (): AuditOptions => {
  const folder = process.env.DLG_CIFAR
  if (folder === undefined) throw new Error('DLG_CIFAR must name a folder of CIFAR-10 pictures')
  const files = readdirSync(folder).sort()
  const classes = [...new Set(files.map((file) => file.split('-')[0]))]
  const chosen = classes.flatMap((name) => files.filter((file) => file.startsWith(name)).slice(0, PER_CLASS))
  const images = chosen.map((file) => toSquare(readImage(join(folder, file)), SIDE))
  const x = tf.tensor(Float32Array.from(images.flatMap(({ data }) => [...data])), [images.length, SIDE, SIDE, 3])
  return {
    model: lenet({ size: SIDE, classes: 100, seed: 1 }),
    data: { x, labels: chosen.map((file) => classes.indexOf(file.split('-')[0])), names: chosen },
    attacks: ['label-inference', { attack: 'gradient-matching', options: { restarts: 1, certainty: false } }],
    defences: [
      'none',
      ...LEVELS.map((std) => gaussianNoise({ std })),
      ...LEVELS.map((std) => laplaceNoise({ std })),
      ...[0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99].map((part) => pruning({ part })),
      ...(['float16', 'bfloat16', 'int8'] as const).map((type) => quantised(type)),
      signs(),
      clipping({ norm: 0.1 }),
      composed(clipping({ norm: 1 }), gaussianNoise({ std: 1e-2 })),
      dpSgd({ clip: 1, noiseMultiplier: 1 }),
    ],
    evaluations: 2_500,
    seed: 1,
  }
}
