import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  type CriterionOption,
  crossEntropy,
  deepLeakage,
  gradientsOf,
  huber,
  type LeakageOptions,
  type NamedFunctionalModel,
  tokenCrossEntropy,
} from '../../../src'
import { mse } from '../../../src/metrics'
import { denseNet, numbers, plain, sample } from '../../attacks/matching/tiny'

beforeAll(async () => {
  await tf.setBackend('cpu')
})

/** Runs the body and checks that nothing is left behind. */
async function cleanly(body: () => Promise<void>): Promise<void> {
  const tensors = tf.memory().numTensors
  await body()
  expect(tf.memory().numTensors).toBe(tensors)
}

/** Mean squared errors of at most 2e-12 measured. */
const RECOVERED = 1e-6

const rows = { bits: [1, 0, 0, 1], numbers: [0.4, -1, 0.2, 1.5] }

/** Σ |y − t|^2.5, with weights of the caller's own that are too many for constants. */
const weights = numbers(100, 5, 0.5, 2)
const own: CriterionOption = function powers(y, t) {
  return tf.mul(tf.mean(tf.tensor1d(weights)), tf.sum(tf.pow(tf.abs(tf.sub(y, t)), 2.5), 1))
}
const brier: CriterionOption = (y, t) => tf.losses.meanSquaredError(t, tf.softmax(y)) as tf.Scalar

describe('recovers one sample and its targets under', () => {
  const cases: [string, CriterionOption, number[], LeakageOptions][] = [
    ['binaryCrossEntropy', 'binaryCrossEntropy', rows.bits, {}],
    ['meanSquaredError', 'meanSquaredError', rows.numbers, {}],
    // beyond δ the gradient does not say how large an error is
    ['huber', huber({ delta: 4 }), rows.numbers, {}],
    ['label smoothing', crossEntropy({ labelSmoothing: 0.1 }), [0, 1, 0, 0], {}],
    ['a function of two tensors', own, [0, 1, 0, 0], {}],
    ['a function that gives a scalar', brier, [0, 0, 1, 0], {}],
    // the sign of an error has no slope by which its target could be found
    [
      'meanAbsoluteError',
      'meanAbsoluteError',
      rows.numbers,
      { labels: { targets: { shape: [1, 4], data: rows.numbers } } },
    ],
  ]
  it.each(cases)('%s', (_, criterion, row, options) =>
    cleanly(async () => {
      const [model, x, y] = [denseNet(), sample([1, 8]), tf.tensor2d([row])]
      const shared = plain(await gradientsOf(model, x, y, { criterion, runtime: 'tfjs' }))
      const leak = await deepLeakage(model, shared, { criterion, runtime: 'tfjs', ...options })
      expect(leak.status).toBe('converged')
      expect(mse(leak.data.dataSync(), x.dataSync())).toBeLessThan(RECOVERED)
      leak.labelProbabilities.dataSync().forEach((v, i) => {
        expect(v).toBeCloseTo(row[i], 2)
      })
      leak.dispose()
      tf.dispose([x, y])
      model.dispose()
    }),
  )
})

it('recovers what a language model saw, embeddings and next tokens', () =>
  cleanly(async () => {
    const w = tf.tensor(numbers(6 * 8, 1, -0.5, 0.5), [6, 8])
    const v = tf.tensor(numbers(8 * 5, 2, -0.5, 0.5), [8, 5])
    const model: NamedFunctionalModel = {
      inputShape: { embeddings: [3, 6] },
      weights: { w, v },
      apply({ embeddings }, weights) {
        const h = tf.sigmoid(tf.matMul(tf.reshape(tf.cumsum(embeddings, 1), [3, 6]), weights.w as tf.Tensor2D))
        return tf.reshape(tf.matMul(h, weights.v as tf.Tensor2D), [1, 3, 5])
      },
    }
    const [x, y] = [sample([1, 3, 6]), tf.tensor2d([[4, 1, -100]], [1, 3], 'int32')]
    const criterion = tokenCrossEntropy()
    const shared = plain(await gradientsOf(model, { embeddings: x }, y, { criterion, runtime: 'tfjs' }))
    const leak = await deepLeakage(model, shared, { criterion, runtime: 'tfjs', labels: { targets: y } })
    // the last position has no loss, and so what it saw is not in the gradient
    expect(leak.status).toBe('undetermined')
    const mask = Array.from(leak.certainty!.undetermined.data.dataSync())
    expect(mask).toEqual(Array.from({ length: 18 }, (_, i) => (i < 12 ? 0 : 1)))
    expect(mse(leak.data.dataSync().slice(0, 12), x.dataSync().slice(0, 12))).toBeLessThan(RECOVERED)
    expect(leak.labelProbabilities.shape).toEqual([1, 3, 5])
    expect(leak.labels.slice(0, 2)).toEqual([4, 1])
    expect(leak.groups).toEqual([])
    leak.dispose()
    tf.dispose([w, v, x, y])
  }))
