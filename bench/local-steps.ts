import * as tf from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import { gradientsOf } from '../src'
import { batchOf, labelsOf, type Picture } from './pictures'

/** How far the trained weights move in steps of SGD, one for each batch. They are put back. */
export async function movement(
  model: LayersModel,
  batches: readonly (readonly Picture[])[],
  rate: number,
): Promise<tf.NamedTensorMap> {
  const before = model.trainableWeights.map((w) => w.read().clone())
  for (const batch of batches) {
    const x = batchOf(batch)
    const gradients = await gradientsOf(model, x, labelsOf(batch))
    for (const w of model.trainableWeights) w.write(tf.tidy(() => tf.sub(w.read(), tf.mul(gradients[w.name], rate))))
    tf.dispose([x, gradients])
  }
  const moved = model.trainableWeights.map((w, i) => [w.name, tf.sub(w.read(), before[i])] as const)
  model.trainableWeights.forEach((w, i) => {
    w.write(before[i])
  })
  tf.dispose(before)
  return Object.fromEntries(moved)
}
