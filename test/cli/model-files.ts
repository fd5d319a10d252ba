import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import type { Data, OutputTargets, PlainTensor, TrainingOptions } from '../../src'
import { gradientsOf } from '../../src'
import { reference } from '../../src/runtime/reference'

type Tensors = Map<string, { shape: number[]; data: Float32Array }>

/** Writes a model as tfjs does: model.json and one shard beside it. */
export async function writeModel(model: LayersModel, path: string): Promise<string> {
  mkdirSync(dirname(path), { recursive: true })
  await model.save({
    async save({ modelTopology, weightSpecs, weightData }) {
      const shards = Array.isArray(weightData) ? weightData : [weightData as ArrayBuffer]
      writeFileSync(path.replace(/[^/]*$/, 'weights.bin'), Buffer.concat(shards.map((s) => Buffer.from(s))))
      const weightsManifest = [{ paths: ['weights.bin'], weights: weightSpecs }]
      writeFileSync(path, JSON.stringify({ format: 'layers-model', modelTopology, weightsManifest }))
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } }
    },
  })
  return path
}

/** What a client of the model shares, by the names in model.json. */
export async function gradientFile(
  model: LayersModel,
  x: Data,
  y: OutputTargets,
  options: TrainingOptions = {},
): Promise<Tensors> {
  const gradients = await gradientsOf(model, x, y, { runtime: reference(), ...options })
  const values = Object.values(gradients)
  const named = model.trainableWeights.map((w, i) => [w.originalName, plainOf(values[i])] as const)
  tf.dispose(gradients)
  return new Map(named)
}

/** The model's weights, by the names in model.json. */
export const weightsOf = (model: LayersModel): Tensors =>
  new Map(model.weights.map((w) => [w.originalName, plainOf(w.read())]))

/** weights − learningRate · gradients, as plain SGD leaves them. */
export const stepped = (weights: Tensors, gradients: Tensors, learningRate: number): Tensors =>
  new Map(
    [...weights].map(([name, { shape, data }]) => {
      const gradient = gradients.get(name)?.data
      return [name, { shape, data: data.map((v, i) => v - learningRate * (gradient?.[i] ?? 0)) }]
    }),
  )

const plainOf = (tensor: tf.Tensor) =>
  ({
    shape: [...tensor.shape],
    data: Float32Array.from(tensor.dataSync()),
  }) satisfies PlainTensor
