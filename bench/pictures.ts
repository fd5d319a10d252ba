import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import { type FunctionalModel, gradientsOf } from '../src'
import { readImage, toSquare } from '../src/io'
import { match } from '../src/measure/match'
import { mse } from '../src/metrics'

/** Height and width of CIFAR's pictures. */
export const SIZE = 32

/** A picture with its class. */
export interface Picture {
  readonly name: string
  readonly data: Float32Array
  readonly label: number
}

/**
 * Every image of the folder: the first of each class, then the second of each, and so on. Labels are classes in order.
 *
 * @param size height and width that every image is brought to
 */
export function pictures(folder: string, size = SIZE): Picture[] {
  const names = readdirSync(folder).filter((name) => /\.(png|jpe?g)$/i.test(name))
  const classOf = (name: string): string => name.split('-')[0]
  const classes = [...new Set(names.map(classOf))].sort()
  const rank = (name: string): number => names.filter((n) => classOf(n) === classOf(name) && n < name).length
  return names
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
    .map((name) => {
      const { data } = toSquare(readImage(join(folder, name)), size)
      return { name, data: Float32Array.from(data), label: classes.indexOf(classOf(name)) }
    })
}

/** [pictures, height, width, 3] of square pictures of one size */
export function batchOf(images: readonly Picture[]): tf.Tensor {
  const numbers = images[0].data.length
  const size = Math.sqrt(numbers / 3)
  const all = new Float32Array(images.length * numbers)
  for (const [i, { data }] of images.entries()) all.set(data, i * numbers)
  return tf.tensor(all, [images.length, size, size, 3])
}

export const labelsOf = (images: readonly Picture[]): number[] => images.map(({ label }) => label)

/** How much of its running statistics a batch norm keeps at a step; PyTorch's default. After 50 steps 0.5 % of the first ones are left. */
const MOMENTUM = 0.9

/** A few steps of SGD over images in batches of 8, at a learning rate of 0.05; in training mode where there are batch norms. */
export async function train(
  model: LayersModel | FunctionalModel,
  images: readonly Picture[],
  steps: number,
): Promise<void> {
  const layers = 'layers' in model ? (model.layers as unknown as { momentum?: number; getClassName(): string }[]) : []
  const norms = layers.filter((layer) => layer.getClassName() === 'BatchNormalization')
  for (const norm of norms) norm.momentum = MOMENTUM
  const training = norms.length > 0
  for (let step = 0; step < steps; step++) {
    const batch = Array.from({ length: 8 }, (_, i) => images[(8 * step + i) % images.length])
    const x = batchOf(batch)
    const gradients = await gradientsOf(model, x, labelsOf(batch), { training })
    // tfjs itself moves the running statistics
    if (training) tf.tidy(() => void (model as LayersModel).apply(x, { training }))
    const moved = (weight: tf.Tensor, gradient: tf.Tensor) => tf.tidy(() => tf.sub(weight, tf.mul(gradient, 0.05)))
    if ('trainableWeights' in model)
      Object.values(gradients).forEach((gradient, i) => {
        const weight = model.trainableWeights[i]
        weight.write(moved(weight.read(), gradient))
      })
    else
      for (const [name, gradient] of Object.entries(gradients)) {
        const weight = model.weights[name]
        model.weights[name] = moved(weight, gradient)
        weight.dispose()
      }
    tf.dispose([x, gradients])
  }
}

/** Decibels of each picture, paired with what was found so that errors are least. */
export function decibels(data: ArrayLike<number>, images: readonly Picture[]): number[] {
  const all = Array.from(data, (v) => Math.min(1, Math.max(0, v)))
  const found = images.map(({ data: { length } }, i) => all.slice(i * length, (i + 1) * length))
  const errors = images.map((image) => found.map((one) => mse(one, image.data)))
  return match(errors).map((place, i) => -10 * Math.log10(errors[i][place]))
}
