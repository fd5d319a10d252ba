import * as tf from '@tensorflow/tfjs-core'
import * as g from './graph'
import { type Each, inOrder, mapEach } from './model/each'
import { traceGradient, weightParameter } from './model/gradient'
import { type Model, openModel } from './model/model'
import { type Data, readData } from './read-data'
import { readWeights } from './read-gradients'
import { evaluate, type Values } from './runtime/runtime'
import type { TrainingOptions } from './settings'
import { isOneTarget, type OutputTargets, type PlainTargets, readTargets, targetRows } from './target-values'
import { trainingOptions } from './training-options'

/**
 * What a client would share: the gradient ∂L/∂W of its training loss on a batch.
 *
 * Computed on the traced graph, where every derivative is the mathematical one. Some of tfjs's own first-order
 * gradients are not: average pooling with 'same' padding, for one.
 *
 * @param model a built model; its weights are read, nothing is changed
 * @param x data [batch, ...inputShape], float32; of several inputs a list or a map by name, which may be integers too
 * @param y class indices, or targets [batch, …] of the shape of the model's output; of several outputs a list or a map
 * @returns tensors by weight name, in the order of `model.trainableWeights`; the caller owns them
 * @throws DlgError `invalid-model`, `invalid-data`, `invalid-option`, `untraceable`
 */
export async function gradientsOf(
  model: Model,
  x: Data,
  y: OutputTargets | Each<OutputTargets>,
  options: TrainingOptions = {},
): Promise<tf.NamedTensorMap> {
  const settings = trainingOptions(options)
  const opened = openModel(model)
  const data = await readData(x, opened)
  const batchSize = data[0].values.length / g.sizeOf(data[0].shape)
  const given = isOneTarget(y) ? [await readTargets(y)] : await mapEach(y, readTargets)
  const types = new Map(data.map(({ name, dtype }) => [name, dtype]))
  const targets: { node: g.Node<'input'>; values: Values }[] = []
  const traced = traceGradient(
    opened,
    { ...settings, batchSize },
    (output, trained, all) => {
      const node = g.input(output.graph, all.length === 1 ? 'target' : `target ${trained.name}`, output.shape)
      const names = all.map(({ name }) => name)
      const own = inOrder<PlainTargets>('targets', given, names, 'invalid-data')[all.indexOf(trained)]
      targets.push({ node, values: targetRows(own, trained) })
      return node
    },
    { types },
  )
  const parameters = new Map<string, Values>([
    ...traced.captured,
    ...(await readWeights(opened.weights, weightParameter)),
  ])
  const program = { inputs: [...traced.inputs, ...targets.map(({ node }) => node)], outputs: traced.gradients }
  const inputs = [...data, ...targets].map(({ values }) => values)
  const gradients = await evaluate(settings.runtime, program, parameters, inputs)
  return Object.fromEntries(
    traced.trained.map((w, i) => [
      w.name,
      tf.tensor(Float32Array.from(gradients[i]), [...w.shape] as number[], 'float32'),
    ]),
  )
}
