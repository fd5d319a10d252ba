import * as tf from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import { crossEntropy, meanSquaredError } from '../../src/client/model/criteria'
import { traceGradient, weightParameter } from '../../src/client/model/gradient'
import { openModel } from '../../src/client/model/open-model'
import * as g from '../../src/graph'
import type { Values } from '../../src/runtime/runtime'
import type { Range } from './cases/case'
import type { LayerCase } from './cases/layer-case'
import { matching, numbers, type Problem } from './problem'

const rangeOf = (name: string): Range => {
  if (/variance/.test(name)) return { low: 0.6, high: 1.4 }
  if (/gamma/.test(name)) return { low: 0.7, high: 1.3 }
  return /alpha/.test(name) ? { low: 0.1, high: 0.4 } : { low: -0.7, high: 0.7 }
}

/** The case's model with reproducible weights. */
export function build(c: LayerCase): LayersModel {
  const model = c.model()
  setWeights(model)
  return model
}

function setWeights(model: LayersModel): void {
  tf.tidy(() => {
    const values = model.weights.map((w, i) => {
      const shape = w.shape as number[]
      const random = numbers(shape, { ...rangeOf(w.originalName), seed: 20 + i })
      return tf.tensor(Float32Array.from(random), shape, 'float32')
    })
    model.setWeights(values)
  })
}

const inputOf = (c: LayerCase): g.Shape => [c.batch ?? 2, ...c.inputShape]

/** What tfjs itself computes on the active backend; the moving statistics are as before afterwards. */
export function layersOutput(c: LayerCase, model: LayersModel): ArrayLike<number> {
  const output = tf.tidy(() => {
    const x = tf.tensor(Float32Array.from(numbers(inputOf(c), c)), [...inputOf(c)], 'float32')
    return (model.apply(x, { training: c.training ?? false }) as tf.Tensor).dataSync()
  })
  if (c.training) setWeights(model)
  return output
}

/** Soft labels that sum to 1, or regression targets. */
function labels(shape: g.Shape, kind: LayerCase['loss']): Float64Array {
  const values = numbers(shape, { low: 0.1, high: 0.9, seed: 33 })
  if (kind !== 'crossEntropy') return values
  const classes = shape[shape.length - 1]
  return values.map((v, i) => {
    const row = values.subarray(i - (i % classes), i - (i % classes) + classes)
    return Math.fround(v / row.reduce((a, b) => a + b, 0))
  })
}

export function traceLayers(c: LayerCase, model: LayersModel): Problem {
  const opened = openModel(model)
  const criterion = c.loss === 'crossEntropy' ? crossEntropy() : meanSquaredError()
  const training = { batchSize: c.batch ?? 2, criterion, reduction: 'mean', training: c.training ?? false } as const
  const traced = traceGradient(opened, training, (output) => g.parameter(output.graph, 'labels', output.shape))
  const parameters = new Map<string, Values>(traced.captured)
  parameters.set('labels', labels(traced.output.shape, c.loss))
  for (const weight of opened.weights)
    parameters.set(weightParameter(weight), Float64Array.from(weight.tensor().dataSync()))
  const J = matching(traced.gradients, parameters)
  const gradient = g.grad(J, [traced.data])[0]
  const { data: x, output, loss, gradients } = traced
  const weights = traced.trained.map(weightParameter)
  return { x, values: numbers(inputOf(c), c), output, loss, weights, gradients, J, gradient, parameters }
}
