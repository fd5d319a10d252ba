import * as tf from '@tensorflow/tfjs-core'
import { expect, it } from 'vitest'
import { type FunctionalModel, meanSquaredError } from '../../../../src'
import { l2 } from '../../../../src/attacks/matching/objective/distance'
import { objectiveProgram } from '../../../../src/attacks/matching/objective/objective'
import { norm, type Prior } from '../../../../src/attacks/matching/objective/prior'
import { traceGradient } from '../../../../src/client/model/gradient'
import { openModel } from '../../../../src/client/model/open-model'
import * as g from '../../../../src/graph'
import { reference } from '../../../../src/runtime/reference'
import { evaluate } from '../../../../src/runtime/runtime'

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
