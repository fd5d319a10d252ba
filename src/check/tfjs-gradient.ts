import * as tf from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import { inOrder, uniqueNames } from '../client/model/each'
import type { FunctionalModel, GraphModel, Model, NamedFunctionalModel } from '../client/model/model'
import type { Data } from '../client/read-data'

/** A model whose forward pass tfjs can run. */
export type TfjsModel = Exclude<Model, GraphModel>

/** ∂L/∂output for each output with a loss, by name. */
export type Seeds = ReadonlyMap<string, { readonly shape: readonly number[]; readonly values: Float32Array }>

/**
 * Σ ⟨seed, output⟩ and the penalties of the model's own regularizers, differentiated by tfjs itself on its active backend, for
 * each trained weight in order. With ∂L/∂output as seeds this is ∂L/∂W, whatever the loss.
 */
export async function tfjsGradient(
  model: TfjsModel,
  x: Data,
  seeds: Seeds,
  training: boolean,
): Promise<Float32Array[]> {
  const gradients = tf.tidy(() =>
    'layers' in model ? ofLayers(model, x, seeds, training) : ofFunction(model, x, seeds),
  )
  try {
    return await Promise.all(gradients.map(async (t) => Float32Array.from(await t.data())))
  } finally {
    tf.dispose(gradients)
  }
}

/** The names of the kernels that the forward pass runs. */
export async function kernelsOf(model: TfjsModel, x: Data): Promise<Set<string>> {
  const { kernelNames } = await tf.profile(() => tf.tidy(() => void outputs(model, x)))
  return new Set(kernelNames)
}

function ofLayers(model: LayersModel, x: Data, seeds: Seeds, training: boolean): tf.Tensor[] {
  const weights = model.trainableWeights.map((w) => w.read())
  // moving statistics must stay as they are
  for (const weight of model.weights)
    Object.defineProperty(weight, 'write', { value: () => weight, configurable: true })
  try {
    return gradients(() => {
      // fit adds the penalties of the model's regularizers to the loss
      const penalties = (model as unknown as { calculateLosses(): tf.Scalar[] }).calculateLosses()
      return penalties.reduce((sum, penalty) => tf.add(sum, penalty), weighted(outputs(model, x, training), seeds))
    }, weights)
  } finally {
    for (const weight of model.weights) Reflect.deleteProperty(weight, 'write')
  }
}

const ofFunction = (model: FunctionalModel | NamedFunctionalModel, x: Data, seeds: Seeds): tf.Tensor[] =>
  gradients(() => weighted(outputs(model, x), seeds), Object.values(model.weights))

function outputs(model: TfjsModel, x: Data, training = false): Map<string, tf.Tensor> {
  if ('layers' in model) {
    const given = model.apply(x instanceof tf.Tensor ? x : ordered(x, model.inputNames), { training })
    const names = uniqueNames(model.outputNames)
    return new Map([given as tf.Tensor | tf.Tensor[]].flat().map((t, i) => [names[i], t]))
  }
  const given = isSingle(model)
    ? model.apply(x instanceof tf.Tensor ? x : ordered(x, ['input'])[0], model.weights)
    : model.apply(namedInputs(model, x), model.weights)
  return given instanceof tf.Tensor ? new Map([['output', given]]) : new Map(Object.entries(given))
}

const isSingle = (model: FunctionalModel | NamedFunctionalModel): model is FunctionalModel =>
  Array.isArray(model.inputShape)

const ordered = (x: Exclude<Data, tf.Tensor>, names: readonly string[]): tf.Tensor[] =>
  inOrder('data', x, uniqueNames(names), 'invalid-data')

function namedInputs(model: NamedFunctionalModel, x: Data): tf.NamedTensorMap {
  const names = Object.keys(model.inputShape)
  const tensors = x instanceof tf.Tensor ? [x] : ordered(x, names)
  return Object.fromEntries(names.map((name, i) => [name, tensors[i]]))
}

/** Zeros where a weight plays no part. */
function gradients(f: () => tf.Scalar, weights: readonly tf.Tensor[]): tf.Tensor[] {
  const { grads } = orForget(() => tf.engine().gradients(f, [...weights], undefined, true))
  return grads.map((gradient, i) => gradient ?? tf.zerosLike(weights[i]))
}

/** A backward pass that throws leaves what the forward pass saved for it, which no scope frees. */
function orForget<T>(differentiate: () => T): T {
  try {
    return differentiate()
  } catch (error) {
    const { state } = tf.engine()
    for (const { saved } of state.activeTape ?? []) for (const tensor of saved ?? []) tensor.dispose()
    throw error
  }
}

function weighted(given: ReadonlyMap<string, tf.Tensor>, seeds: Seeds): tf.Scalar {
  const parts = [...seeds].map(([name, { shape, values }]) =>
    tf.sum(tf.mul(given.get(name)!, tf.tensor(values, [...shape]))),
  )
  return parts.reduce((a, b) => tf.add(a, b)) as tf.Scalar
}
