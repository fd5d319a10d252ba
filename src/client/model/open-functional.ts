import { type NamedTensorMap, Tensor } from '@tensorflow/tfjs-core'
import { DlgError } from '../../errors/dlg-error'
import type { Recorder } from '../../trace'
import type { FunctionalModel, ModelInput, ModelOutput, NamedFunctionalModel, OpenModel } from './model'

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
