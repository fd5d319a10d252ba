import { type NamedTensorMap, Tensor } from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import { DlgError } from '../errors'
import type { Node, Shape } from '../graph'
import { applyLayers, type Recorder } from '../trace'

/** A model written as a function of its weights, in functional tfjs. */
export interface FunctionalModel {
  readonly name?: string
  /** Shape of one sample, without the batch axis. */
  readonly inputShape: readonly number[]
  /** Trained weights by name; their order is the order of the gradients. */
  readonly weights: NamedTensorMap
  /** Output [batch, …] for an input [batch, ...inputShape]. Pure: tfjs operations on its arguments. */
  apply(input: Tensor, weights: NamedTensorMap): Tensor
}

/** What can be attacked. */
export type Model = LayersModel | FunctionalModel

/** One weight tensor of a model. */
export interface Weight {
  readonly name: string
  readonly shape: Shape
  /** Whether the client's gradient has an entry for it. */
  readonly trainable: boolean
  /** The caller's own tensor; throws when it is disposed. */
  tensor(): Tensor
}

/** A model seen through what an attack needs of it. */
export interface OpenModel {
  readonly name: string
  /** Shape of one sample. */
  readonly inputShape: readonly number[]
  readonly weights: readonly Weight[]
  /** Runs the forward pass under a recorder; `nodes` are the weights' nodes, in order. */
  forward(recorder: Recorder, input: Node, nodes: readonly Node[], training: boolean): Node
}

/** @throws DlgError `invalid-model` when the model is not built, has no trained weights, or has several inputs or outputs. */
export function openModel(model: Model): OpenModel {
  const opened = isFunctional(model) ? openFunctional(model) : openLayers(model)
  if (!opened.weights.some((w) => w.trainable))
    throw new DlgError(
      'invalid-model',
      `model '${opened.name}' has no trainable weights, so nothing is shared that could leak`,
    )
  for (const weight of opened.weights) {
    if (disposed(weight))
      throw new DlgError('invalid-model', `weight '${weight.name}' of model '${opened.name}' is disposed`)
  }
  return opened
}

const isFunctional = (model: Model): model is FunctionalModel => {
  if (typeof model !== 'object' || model === null)
    throw new DlgError(
      'invalid-model',
      `model must be a tf.LayersModel or {weights, apply, inputShape}, got ${String(model)}`,
    )
  return !('layers' in model)
}

function disposed(weight: Weight): boolean {
  try {
    return weight.tensor().isDisposed
  } catch {
    return true
  }
}

function openFunctional(model: FunctionalModel): OpenModel {
  const name = model.name ?? 'functional'
  if (typeof model.apply !== 'function' || typeof model.weights !== 'object' || model.weights === null)
    throw new DlgError('invalid-model', 'model must be a tf.LayersModel or {weights, apply, inputShape}')
  if (!Array.isArray(model.inputShape) || !model.inputShape.every((n) => Number.isInteger(n) && n > 0))
    throw new DlgError(
      'invalid-model',
      `model '${name}' needs inputShape: the shape of one sample, such as [32, 32, 3]`,
    )
  const entries = Object.entries(model.weights)
  const stranger = entries.find(([, tensor]) => !(tensor instanceof Tensor) || tensor.dtype !== 'float32')
  if (stranger)
    throw new DlgError('invalid-model', `weight '${stranger[0]}' of model '${name}' must be a float32 tensor`)
  return {
    name,
    inputShape: model.inputShape,
    weights: entries.map(([key, tensor]) => ({
      name: key,
      shape: tensor.shape,
      trainable: true,
      tensor: () => tensor,
    })),
    forward(recorder, input, nodes) {
      const tensors = Object.fromEntries(entries.map(([key], i) => [key, recorder.tensorOf(nodes[i])]))
      const output = model.apply(recorder.tensorOf(input), tensors)
      if (!(output instanceof Tensor))
        throw new DlgError('invalid-model', `apply() of model '${name}' must return a tensor, at once`)
      return recorder.nodeOf(output)
    },
  }
}

function openLayers(model: LayersModel): OpenModel {
  const { name } = model
  if (!model.inputs?.length || !model.outputs?.length)
    throw new DlgError('invalid-model', `model '${name}' is not built; give its first layer an inputShape`)
  if (model.inputs.length > 1 || model.outputs.length > 1)
    throw new DlgError(
      'invalid-model',
      `model '${name}' has ${model.inputs.length} inputs and ${model.outputs.length} outputs; one of each is supported`,
    )
  const inputShape = model.inputs[0].shape.slice(1)
  if (inputShape.some((n) => n === null))
    throw new DlgError(
      'invalid-model',
      `model '${name}' has an open input shape [${model.inputs[0].shape.map(String)}]; build it with fixed sizes`,
    )
  // a Sequential that knows its shapes is built at its first use, which may be this one
  if (!model.built) model.build(model.inputs[0].shape)
  const trainable = new Set(model.trainableWeights)
  const ordered = [...model.trainableWeights, ...model.weights.filter((w) => !trainable.has(w))]
  const names = uniqueNames(ordered.map((w) => w.name))
  return {
    name,
    inputShape: inputShape as number[],
    weights: ordered.map((w, i) => ({
      name: names[i],
      shape: w.shape as number[],
      trainable: trainable.has(w),
      tensor: () => w.read(),
    })),
    forward(recorder, input, nodes, training) {
      const nodeOf = new Map(ordered.map((w, i) => [w, nodes[i]]))
      return applyLayers(model, recorder, [input], (w) => nodeOf.get(w)!, training)[0]
    },
  }
}

/** Repeated names get a number, so that a map of gradients has an entry for each. */
function uniqueNames(names: readonly string[]): string[] {
  const taken = new Set<string>()
  return names.map((name) => {
    let unique = name
    for (let count = 1; taken.has(unique); count++) unique = `${name}#${count}`
    taken.add(unique)
    return unique
  })
}
