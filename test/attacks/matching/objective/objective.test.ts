import * as tf from '@tensorflow/tfjs-core'
import { expect, it } from 'vitest'
import { cosine, type Distance, type FunctionalModel, meanSquaredError } from '../../../../src'
import { derivativeOf, l2 } from '../../../../src/attacks/matching/objective/distance'
import { objectiveProgram } from '../../../../src/attacks/matching/objective/objective'
import { norm, type Prior } from '../../../../src/attacks/matching/objective/prior'
import { weighed } from '../../../../src/attacks/matching/objective/weighed'
import { traceGradient } from '../../../../src/client/model/gradient'
import { openModel } from '../../../../src/client/model/open-model'
import * as g from '../../../../src/graph'
import { reference } from '../../../../src/runtime/reference'
import { evaluate } from '../../../../src/runtime/runtime'
import { relativeError, uniform } from '../../../oracle'

/** y = w·x, loss (y − t)²: ∂L/∂w = 2(wx − t)x. */
function line() {
  const model: FunctionalModel = {
    inputShape: [1],
    weights: { w: tf.zeros([1, 1]) },
    apply: (x, { w }) => tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D),
  }
  const training = { batchSize: 1, criterion: meanSquaredError(), reduction: 'mean', training: false } as const
  return traceGradient(openModel(model), training, (output) => g.parameter(output.graph, 'target', output.shape))
}

it('is w·D + v·Σ λᵢ Pᵢ, with D beside it and the derivatives after', async () => {
  const traced = line()
  const unused: Prior = { ...norm(0), measure: () => expect.fail('a prior of weight 0 needs no measuring') }
  const program = objectiveProgram(traced, [traced.data], l2(), [norm(0.5), unused, norm(1.5)])
  const [w, t, x, shared, distanceWeight, priorWeight] = [3, 2, 5, 100, 7, 11]
  const [objective, distance, gradient] = await evaluate(
    reference(),
    program,
    new Map([
      ['weight w', Float64Array.of(w)],
      ['target', Float64Array.of(t)],
      ['shared 0', Float64Array.of(shared)],
      ['distance weight', Float64Array.of(distanceWeight)],
    ]),
    [Float64Array.of(x), Float64Array.of(priorWeight)],
  )
  const difference = 2 * (w * x - t) * x - shared
  expect(distance[0]).toBe(difference ** 2)
  expect(objective[0]).toBe(distanceWeight * difference ** 2 + priorWeight * 2 * x ** 2)
  // ∂/∂x of 2(wx − t)x is 4wx − 2t
  expect(gradient[0]).toBe(distanceWeight * 2 * difference * (4 * w * x - 2 * t) + priorWeight * 4 * x)
})

it('has one derivative, in closed form or by differentiation, and that of a measure of the caller’s', async () => {
  const model: FunctionalModel = {
    inputShape: [3],
    weights: { w: tf.zeros([3, 2]), v: tf.zeros([2, 1]) },
    apply: (x, { w, v }) => tf.matMul(tf.tanh(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D)), v as tf.Tensor2D),
  }
  const training = { batchSize: 1, criterion: meanSquaredError(), reduction: 'mean', training: false } as const
  const traced = traceGradient(openModel(model), training, (output) => g.parameter(output.graph, 'target', output.shape)) // biome-ignore format: one line
  const values = new Map([
    ['weight w', uniform(6, -1, 1, 1)],
    ['weight v', uniform(2, -1, 1, 2)],
    ['target', Float64Array.of(0.3)],
    ['shared 0', uniform(6, -1, 1, 3)],
    ['shared 1', uniform(2, -1, 1, 4)],
    ['distance weight', Float64Array.of(7)],
  ])
  const run = (distance: Distance) =>
    evaluate(reference(), objectiveProgram(traced, [traced.data], distance, []), values, [
      Float64Array.of(0.4, -0.2, 0.9),
    ])
  const { measure } = cosine()
  const { distance } = await weighed(cosine(), traced, [values.get('shared 0')!, values.get('shared 1')!], async () => false) // biome-ignore format: one line
  const [closed, bound, differentiated, doubled] = await Promise.all([
    run(cosine()),
    run(distance),
    run({ name: 'mine', measure: (...lists) => measure(...lists) }),
    run({ ...cosine(), measure: (...lists) => g.scale(measure(...lists), 2) }),
  ])
  expect(derivativeOf(distance)).toBeDefined()
  for (const [i, expected] of differentiated.entries()) {
    expect(relativeError(closed[i], expected)).toBeLessThan(1e-12)
    expect(relativeError(bound[i], expected)).toBeLessThan(1e-12)
    expect(relativeError(doubled[i], expected.map((v) => 2 * v))).toBeLessThan(1e-12) // biome-ignore format: one line
  }
  tf.dispose(model.weights)
})
