import { readFileSync } from 'node:fs'
import * as tf from '@tensorflow/tfjs-core'
import {
  type FunctionalModel,
  gradientsOf,
  type LeakageOptions,
  type Model,
  type PlainTensor,
  type SharedGradients,
  type SharedUpdate,
} from '../../../src'
import type { Attack } from '../../../src/attacks/matching/attack'
import { prepareAttack } from '../../../src/attacks/matching/leakage'
import { leakageOptions } from '../../../src/attacks/matching/options'
import { openTarget } from '../../../src/client/target'

type Stored = { readonly [name: string]: { readonly shape: number[]; readonly data: number[] } }

/** Local steps of torch.optim.SGD in float64. */
export const torch: {
  readonly before: Stored
  readonly x: { readonly shape: number[]; readonly data: number[] }
  readonly labels: number[]
  readonly after: { readonly [client: string]: Stored }
} = JSON.parse(readFileSync(new URL('../../fixtures/update.json', import.meta.url)).toString())

/** The two-layer sigmoid net of the fixture. */
export function torchNet(): FunctionalModel {
  const weights = Object.fromEntries(
    Object.entries(torch.before).map(([name, { shape, data }]) => [name, tf.tensor(data, shape, 'float32')]),
  )
  return {
    inputShape: [8],
    weights,
    apply: (x, w) =>
      tf.add(
        tf.matMul(tf.sigmoid(tf.add(tf.matMul(x as tf.Tensor2D, w.w1 as tf.Tensor2D), w.b1)), w.w2 as tf.Tensor2D),
        w.b2,
      ),
  }
}

/** What an attack makes of a point, in float64. */
export async function at<T>(
  model: Model,
  shared: SharedGradients | SharedUpdate,
  options: LeakageOptions,
  look: (attack: Attack) => Promise<T>,
): Promise<T> {
  const settings = leakageOptions({ runtime: 'reference', priors: {}, ...options })
  const attack = await prepareAttack(await openTarget(model, shared, settings), settings)
  try {
    return await look(attack)
  } finally {
    attack.dispose()
  }
}

/** The relative loss of the true data, targets given. */
export const truth = (
  model: Model,
  shared: SharedGradients | SharedUpdate,
  data: ArrayLike<number>,
  options: LeakageOptions,
): Promise<number> =>
  at(model, shared, options, async (attack) => (await attack.evaluate(Float64Array.from(data))).relativeLoss)

/** The weights of a functional model after one SGD step after the other, each in float32. */
export async function train(
  model: FunctionalModel,
  x: tf.Tensor,
  labels: readonly number[],
  { learningRate, steps, batchSize = labels.length }: { learningRate: number; steps: number; batchSize?: number },
): Promise<Record<string, PlainTensor>> {
  let weights = Object.fromEntries(Object.entries(model.weights).map(([name, w]) => [name, tf.clone(w)]))
  const perEpoch = labels.length / batchSize
  for (let step = 0; step < steps; step++) {
    const start = (step % perEpoch) * batchSize
    const batch = tf.slice(x, start, batchSize)
    const part = labels.slice(start, start + batchSize)
    const gradients = await gradientsOf({ ...model, weights }, batch, part, { runtime: 'reference' })
    const next = tf.tidy(() =>
      Object.fromEntries(
        Object.entries(weights).map(([name, w]) => [name, tf.sub(w, tf.mul(gradients[name], learningRate))]),
      ),
    )
    tf.dispose([batch, gradients, weights])
    weights = next
  }
  const after = Object.fromEntries(
    Object.entries(weights).map(([name, w]) => [name, { shape: w.shape, data: w.dataSync() }]),
  )
  tf.dispose(weights)
  return after
}
