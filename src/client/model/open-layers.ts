import type { LayersModel } from '@tensorflow/tfjs-layers'
import { DlgError } from '../../errors/dlg-error'
import { applyLayers, hasPenalties, penaltiesOf } from '../../trace'
import { uniqueNames } from './each'
import type { OpenModel } from './model'

/** @throws DlgError `invalid-model` when the model is not built, or has an open input shape */
export function openLayers(model: LayersModel): OpenModel {
  const { name } = model
  if (!model.inputs?.length || !model.outputs?.length)
    throw new DlgError('invalid-model', `model '${name}' is not built; give its first layer an inputShape`)
  const open = model.inputs.find(({ shape: [, ...shape] }) => shape.some((n) => n === null))
  if (open)
    throw new DlgError(
      'invalid-model',
      `model '${name}' has an open input shape [${open.shape.map(String)}]; build it with fixed sizes`,
    )
  // a Sequential that knows its shapes is built at its first use, which may be this one; it has no names before
  if (!model.built) model.build(model.inputs[0].shape)
  const inputNames = uniqueNames(model.inputNames)
  const inputs = model.inputs.map(({ shape: [, ...shape] }, i) => ({ name: inputNames[i], shape: shape as number[] }))
  const outputNames = uniqueNames(model.outputNames)
  const trainable = new Set(model.trainableWeights)
  const ordered = [...model.trainableWeights, ...model.weights.filter((w) => !trainable.has(w))]
  const names = uniqueNames(ordered.map((w) => w.name))
  const byLayer = model.layers.flatMap((layer) => layer.weights)
  return {
    name,
    inputs,
    layerOrder: byLayer.map((w) => names[ordered.indexOf(w)]),
    weights: ordered.map((w, i) => ({
      name: names[i],
      shape: w.shape as number[],
      trainable: trainable.has(w),
      tensor: () => w.read(),
    })),
    forward(recorder, tensors, nodes, training) {
      const nodeOf = new Map(ordered.map((w, i) => [w, nodes[i]]))
      const outputs = applyLayers(model, recorder, tensors, (w) => nodeOf.get(w)!, training)
      return outputs.map((node, i) => ({ name: outputNames[i], node }))
    },
    ...(hasPenalties(model) && {
      penalties(recorder, nodes) {
        const nodeOf = new Map(ordered.map((w, i) => [w, nodes[i]]))
        return penaltiesOf(model, recorder, (w) => nodeOf.get(w)!)
      },
    }),
  }
}
