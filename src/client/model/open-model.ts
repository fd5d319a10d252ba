import { type NamedTensorMap, Tensor } from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import { DlgError } from '../../errors/dlg-error'
import type { Node } from '../../graph'
import { applyLayers, hasPenalties, penaltiesOf, type Recorder } from '../../trace'
import { isRandom, randomLayersOf } from './dropout'
import { uniqueNames } from './each'
import type {
  FunctionalModel,
  GraphModel,
  Model,
  ModelInput,
  ModelOutput,
  NamedFunctionalModel,
  OpenModel,
  Weight,
} from './model'

/** @throws DlgError `invalid-model` when the model is not built, or has no trained weights */
export function openModel(model: Model): OpenModel {
  const opened = isLayersModel(model) ? openLayers(model) : 'build' in model ? openGraph(model) : openFunctional(model)
  if (!opened.weights.some((w) => w.trainable))
    throw new DlgError(
      'invalid-model',
      `model '${opened.name}' has no trainable weights, so that it has no gradient; what the client trains must be trainable here too`,
    )
  for (const weight of opened.weights) {
    if (disposed(weight))
      throw new DlgError('invalid-model', `weight '${weight.name}' of model '${opened.name}' is disposed`)
  }
  return opened
}

const isLayersModel = (model: Model): model is LayersModel => {
  if (typeof model !== 'object' || model === null)
    throw new DlgError(
      'invalid-model',
      `model must be a tf.LayersModel or {weights, apply, inputShape}, got ${String(model)}`,
    )
  return 'layers' in model
}

/** Whether a model builds its graph itself; a layers model has a build() of another kind. */
export const isGraphModel = (model: Model): model is GraphModel => 'build' in model && !('layers' in model)

function disposed(weight: Weight): boolean {
  try {
    return weight.tensor().isDisposed
  } catch {
    return true
  }
}

/** @throws DlgError `invalid-model` when the model is not built, or has an open input shape */
export function openLayers(model: LayersModel, masks?: ReadonlyMap<string, Float32Array>): OpenModel {
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
    forward(recorder, tensors, nodes, training, written) {
      const nodeOf = new Map(ordered.map((w, i) => [w, nodes[i]]))
      const told = (w: (typeof ordered)[number], value: Node) => written?.(ordered.indexOf(w), value)
      const outputs = applyLayers(model, recorder, tensors, (w) => nodeOf.get(w)!, training, masks, told)
      return outputs.map((node, i) => ({ name: outputNames[i], node }))
    },
    ...(isRandom(model) && {
      randomLayers: randomLayersOf(model, ordered),
      withMasks: (own) => openLayers(model, own),
    }),
    ...(hasPenalties(model) && {
      penalties(recorder, nodes) {
        const nodeOf = new Map(ordered.map((w, i) => [w, nodes[i]]))
        return penaltiesOf(model, recorder, (w) => nodeOf.get(w)!)
      },
    }),
  }
}

export function openFunctional(model: FunctionalModel | NamedFunctionalModel): OpenModel {
  const name = model.name ?? 'functional'
  if (typeof model.apply !== 'function' || typeof model.weights !== 'object' || model.weights === null)
    throw new DlgError('invalid-model', 'model must be a tf.LayersModel or {weights, apply, inputShape}')
  const inputs = inputsOf(name, model.inputShape)
  const entries = Object.entries(model.weights)
  const stranger = entries.find(([, tensor]) => !(tensor instanceof Tensor) || tensor.dtype !== 'float32')
  if (stranger)
    throw new DlgError('invalid-model', `weight '${stranger[0]}' of model '${name}' must be a float32 tensor`)
  return {
    name,
    inputs,
    weights: entries.map(([key, tensor]) => ({
      name: key,
      shape: tensor.shape,
      trainable: true,
      tensor: () => tensor,
    })),
    forward(recorder, tensors, nodes) {
      const weights = Object.fromEntries(entries.map(([key], i) => [key, recorder.tensorOf(nodes[i])]))
      return outputsOf(name, apply(model, tensors, weights), recorder)
    },
  }
}

function openGraph(model: GraphModel): OpenModel {
  const name = model.name ?? 'graph'
  if (typeof model.build !== 'function' || typeof model.weights !== 'object' || !Array.isArray(model.trainable))
    throw new DlgError('invalid-model', `model '${name}' must have weights, trainable and build()`)
  const trainable = new Set(model.trainable)
  return {
    name,
    inputs: inputsOf(name, model.inputShape),
    weights: Object.entries(model.weights).map(([key, tensor]) => ({
      name: key,
      shape: tensor.shape,
      trainable: trainable.has(key),
      tensor: () => tensor,
    })),
    forward: (recorder, tensors, nodes, training) => [
      ...model.build(
        recorder,
        tensors.map((t) => recorder.nodeOf(t)),
        nodes,
        training,
      ),
    ],
  }
}

function apply(model: FunctionalModel | NamedFunctionalModel, tensors: readonly Tensor[], weights: NamedTensorMap) {
  if (isSingle(model)) return model.apply(tensors[0], weights)
  return model.apply(Object.fromEntries(Object.keys(model.inputShape).map((key, i) => [key, tensors[i]])), weights)
}

const isSingle = (model: FunctionalModel | NamedFunctionalModel): model is FunctionalModel =>
  Array.isArray(model.inputShape)

const isShape = (shape: unknown): shape is number[] =>
  Array.isArray(shape) && shape.every((n) => Number.isInteger(n) && n > 0)

function inputsOf(name: string, shapes: unknown): ModelInput[] {
  if (isShape(shapes)) return [{ name: 'input', shape: shapes }]
  const named = typeof shapes === 'object' && shapes !== null && !Array.isArray(shapes) ? Object.entries(shapes) : []
  if (named.length === 0 || !named.every(([, shape]) => isShape(shape)))
    throw new DlgError(
      'invalid-model',
      `model '${name}' needs inputShape: the shape of one sample, such as [32, 32, 3], or a map of such shapes by input`,
    )
  return named.map(([key, shape]) => ({ name: key, shape }))
}

function outputsOf(name: string, result: unknown, recorder: Recorder): ModelOutput[] {
  if (result instanceof Tensor) return [{ name: 'output', node: recorder.nodeOf(result) }]
  const named = typeof result === 'object' && result !== null ? Object.entries(result) : []
  if (named.length === 0 || !named.every(([, tensor]) => tensor instanceof Tensor))
    throw new DlgError('invalid-model', `apply() of model '${name}' must return a tensor, at once, or a map of tensors`)
  return named.map(([key, tensor]) => ({ name: key, node: recorder.nodeOf(tensor) }))
}
