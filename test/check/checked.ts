import * as tf from '@tensorflow/tfjs-core'
import { initializers, type LayersModel, layers, sequential } from '@tensorflow/tfjs-layers'
import { expect } from 'vitest'
import { checkModel, type Example, type FindingCode, type ModelCheck, reference } from '../../src'

type Layer = LayersModel['layers'][number]

/** Layers, one after the other. */
export const stack = (...parts: Layer[]): LayersModel => {
  const model = sequential()
  for (const part of parts) model.add(part)
  return model
}
/** A flatten and a dense layer of four classes. */
export const head = () => [layers.flatten(), layers.dense({ units: 4 })]
/** A convolution of images [7, 7, 1]. */
export const conv = (activation?: 'sigmoid' | 'relu') =>
  layers.conv2d({
    inputShape: [7, 7, 1],
    filters: 3,
    kernelSize: 3,
    activation,
    kernelInitializer: initializers.randomUniform({ minval: -0.5, maxval: 0.5, seed: 4 }),
  })

/** What a check found under a code. */
export const found = ({ findings }: ModelCheck, code: FindingCode) => findings.filter((f) => f.code === code)
export const levels = (check: ModelCheck, code: FindingCode) => found(check, code).map(({ level }) => level)

/** A check, that leaves no tensor and no other backend behind, and is plain data. */
export async function check(
  model: Parameters<typeof checkModel>[0],
  example: Example,
  options = {},
): Promise<ModelCheck> {
  const [before, backend] = [tf.memory().numTensors, tf.getBackend()]
  const result = await checkModel(model, example, { runtime: reference(), ...options })
  expect([tf.memory().numTensors, tf.getBackend()]).toEqual([before, backend])
  expect(JSON.parse(JSON.stringify(result))).toEqual(result)
  return result
}
