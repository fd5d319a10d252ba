import type { Tensor } from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import { hasMethod } from '../errors/checks'
import { DlgError } from '../errors/dlg-error'

/** A layers model as plain data: the topology, and every weight with its name. */
export interface PackedModel<Weight = unknown> {
  readonly topology: object
  readonly names: readonly string[]
  readonly weights: readonly Weight[]
}

/** Recognised by its form: the caller's copy of tfjs-layers may be another. */
export const isLayersModel = (value: object): value is LayersModel =>
  'layers' in value && hasMethod(value, 'toJSON', 'getWeights')

/** The weights are the model's own tensors. @throws DlgError `invalid-model` for a model that is not built */
export function packModel(model: LayersModel): PackedModel<Tensor> {
  if (!model.inputs?.length || !model.outputs?.length)
    throw new DlgError('invalid-model', `model '${model.name}' is not built; give its first layer an inputShape`)
  // a Sequential that knows its shapes is built at its first use, which may be this one
  if (!model.built) model.build(model.inputs[0].shape)
  return {
    topology: model.toJSON(null, false) as object,
    names: model.weights.map(({ name }) => name),
    weights: model.weights.map((weight) => weight.read()),
  }
}

/** @throws DlgError `runtime` without tfjs-layers, `invalid-model` where its layers are not known there */
export async function unpackModel({ topology, names, weights }: PackedModel<Tensor>): Promise<LayersModel> {
  const { models } = await import('@tensorflow/tfjs-layers').catch((cause) => {
    throw new DlgError('runtime', 'a layers model needs @tensorflow/tfjs-layers in the worker too', { cause })
  })
  let model: LayersModel
  try {
    model = await models.modelFromJSON(topology as Parameters<typeof models.modelFromJSON>[0])
  } catch (cause) {
    throw new DlgError(
      'invalid-model',
      `the model cannot be rebuilt in the worker: ${(cause as Error).message}. Layers of your own must be registered there too`,
      { cause },
    )
  }
  model.setWeights([...weights])
  // tfjs gives a name that it has seen before a number, and results go by name
  for (const [i, weight] of model.weights.entries()) Object.assign(weight, { name: names[i] })
  return model
}
