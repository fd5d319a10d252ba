import * as tf from '@tensorflow/tfjs-core'
import { DlgError } from './errors'
import * as g from './graph'
import { traceGradient, weightParameter } from './model/gradient'
import { type Model, openModel } from './model/model'
import { trainingOptions } from './options'
import { readWeights } from './read-gradients'
import { evaluate, type Values } from './runtime/runtime'
import type { TrainingOptions } from './settings'

/**
 * What a client would share: the gradient ∂L/∂W of its training loss on a batch.
 *
 * Computed on the traced graph, where every derivative is the mathematical one. Some of tfjs's own first-order
 * gradients are not: average pooling with 'same' padding, for one.
 *
 * @param model a built model; its weights are read, nothing is changed
 * @param x data [batch, ...inputShape], float32
 * @param y class indices, or targets [batch, …] of the shape of the model's output
 * @returns tensors by weight name, in the order of `model.trainableWeights`; the caller owns them
 * @throws DlgError `invalid-model`, `invalid-data`, `invalid-option`, `untraceable`
 */
export async function gradientsOf(
  model: Model,
  x: tf.Tensor,
  y: readonly number[] | tf.Tensor,
  options: TrainingOptions = {},
): Promise<tf.NamedTensorMap> {
  const settings = trainingOptions(options)
  const opened = openModel(model)
  requireData(x, opened.inputShape)
  const data = (await x.data()) as Float32Array
  requireFinite('data', data)
  let target: g.Node<'input'> | undefined
  const traced = traceGradient(opened, { ...settings, batchSize: x.shape[0] }, (output) => {
    target = g.input(output.graph, 'target', output.shape)
    return target
  })
  const targets = await targetValues(y, target!.shape)
  const parameters = new Map<string, Values>([
    ...traced.captured,
    ...(await readWeights(opened.weights, weightParameter)),
  ])
  const program = { inputs: [traced.data, target!], outputs: traced.gradients }
  const gradients = await evaluate(settings.runtime, program, parameters, [data, targets])
  return Object.fromEntries(
    traced.trained.map((w, i) => [
      w.name,
      tf.tensor(Float32Array.from(gradients[i]), [...w.shape] as number[], 'float32'),
    ]),
  )
}

const invalid = (message: string): DlgError => new DlgError('invalid-data', message)

function requireData(x: tf.Tensor, sample: readonly number[]): void {
  if (!(x instanceof tf.Tensor)) throw invalid('data must be a tf.Tensor')
  if (x.isDisposed) throw invalid('data is a disposed tensor')
  if (x.dtype !== 'float32') throw invalid(`data has dtype ${x.dtype}; float32 is needed`)
  const [batch, ...rest] = x.shape
  if (!(batch >= 1) || !g.sameShape(rest, sample))
    throw invalid(`data has shape [${x.shape}]; the model needs [batch, ${sample}]`)
}

function requireFinite(name: string, values: Values): void {
  const bad = values.findIndex((v) => !Number.isFinite(v))
  if (bad >= 0) throw invalid(`${name} has ${values[bad]} at position ${bad}; every number must be finite`)
}

async function targetValues(y: readonly number[] | tf.Tensor, shape: readonly number[]): Promise<Values> {
  if (!(y instanceof tf.Tensor)) return oneHotRows(y, shape)
  if (y.isDisposed) throw invalid('targets are a disposed tensor')
  if (!g.sameShape(y.shape, shape)) throw invalid(`targets have shape [${y.shape}]; the model's output has [${shape}]`)
  const targets = Float32Array.from(await y.data())
  requireFinite('targets', targets)
  return targets
}

/** Rows of the identity for class indices. */
export function oneHotRows(labels: readonly number[], shape: readonly number[]): Float32Array {
  const [batch, classes] = [shape[0], shape[shape.length - 1]]
  if (shape.length !== 2) throw invalid(`class indices need an output [batch, classes]; it is [${shape}]`)
  if (!Array.isArray(labels)) throw invalid('labels must be a list of class indices')
  if (labels.length !== batch)
    throw invalid(`${labels.length} labels for a batch of ${batch}; give one for each sample`)
  const out = new Float32Array(batch * classes)
  labels.forEach((label, i) => {
    if (!Number.isInteger(label) || label < 0 || label >= classes)
      throw invalid(`label ${label} is not a class index in [0, ${classes})`)
    out[i * classes + label] = 1
  })
  return out
}
