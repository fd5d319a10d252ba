import * as tf from '@tensorflow/tfjs-core'
import { evaluate } from '../runtime/runtime'
import type { Each } from './model/each'
import type { Model } from './model/model'
import type { Data } from './read-data'
import type { OutputTargets } from './target-values'
import { traceExample } from './trace-example'
import type { TrainingOptions } from './training-options'

/**
 * The gradient ∂L/∂W of the training loss on a batch: a client would share it.
 *
 * Computed on the traced graph, where every derivative is the mathematical one. Some of tfjs's own first-order
 * gradients are not: average pooling with 'same' padding, for one.
 *
 * @param model a built model; its weights are read, nothing is changed
 * @param x data [batch, ...inputShape], float32; of several inputs a list or a map by name, which may be integers too
 * @param y class indices, or targets [batch, …] of the shape of the model's output; of several outputs a list or a map
 * @returns tensors by weight name; the caller owns them. They are in the order of `model.trainableWeights`, except that an
 * object has names which are whole numbers ('10') first: where a model has such names, go by name
 * @throws DlgError `invalid-model`, `invalid-data`, `invalid-option`, `untraceable`
 */
export async function gradientsOf(
  model: Model,
  x: Data,
  y: OutputTargets | Each<OutputTargets>,
  options: TrainingOptions = {},
): Promise<tf.NamedTensorMap> {
  return Object.fromEntries(await gradientList(model, x, y, options))
}

/** Like {@link gradientsOf}: names and tensors, in the order of the trained weights. */
export async function gradientList(
  model: Model,
  x: Data,
  y: OutputTargets | Each<OutputTargets>,
  options: TrainingOptions = {},
): Promise<[name: string, gradient: tf.Tensor][]> {
  const { traced, settings, inputs, values, parameters } = await traceExample(model, x, y, options)
  const gradients = await evaluate(settings.runtime, { inputs, outputs: traced.gradients }, parameters, values)
  return traced.trained.map(({ name, shape }, i) => [
    name,
    tf.tensor(Float32Array.from(gradients[i]), [...shape], 'float32'),
  ])
}
