import * as tf from '@tensorflow/tfjs-core'
import { layers, sequential } from '@tensorflow/tfjs-layers'
import { describe, expect, it } from 'vitest'
import { gradientsOf, inferLabels } from '../../../src'
import { unexplained } from '../../../src/attacks/labels/explained'
import { atOnce } from '../../../src/numbers/steps'
import { uniform } from '../../oracle'
import { leavesNoTensors } from '../../tensors'
import { numbers, sample } from '../matching/tiny'

leavesNoTensors()

const CLASSES = 6

function classifier(seed: number, size = 0.3, classes = CLASSES) {
  const model = sequential()
  model.add(layers.dense({ inputShape: [10], units: 14, activation: 'sigmoid' }))
  model.add(layers.dense({ units: classes }))
  const weights = model
    .getWeights()
    .map((w, i) => tf.tensor(Float32Array.from(uniform(w.size, -size, size, 10 * seed + i)), w.shape))
  model.setWeights(weights)
  tf.dispose(weights)
  return model
}

/** Rows of labels smoothed by ε: 1 − ε on the class, and ε shared by all. */
const smoothed = (labels: readonly number[], epsilon: number) =>
  tf.tensor(
    Float32Array.from(
      { length: labels.length * CLASSES },
      (_, i) => (labels[Math.floor(i / CLASSES)] === i % CLASSES ? 1 - epsilon : 0) + epsilon / CLASSES,
    ),
    [labels.length, CLASSES],
  )

/** What is inferred; `refused` where no rule applies. */
async function asked(
  model: ReturnType<typeof classifier>,
  seed: number,
  labels: readonly number[],
  epsilon: number,
  told = labels.length,
) {
  const [x, y] = [tf.tensor(numbers(10 * labels.length, seed), [labels.length, 10]), smoothed(labels, epsilon)]
  const shared = await gradientsOf(model, x, y)
  try {
    return await inferLabels(model, shared, { batchSize: told })
  } catch (error) {
    expect(error).toMatchObject({ code: 'labels' })
    return 'refused'
  } finally {
    tf.dispose([x, y, shared])
  }
}

describe('the confidence of inferred labels', () => {
  it.each([[[4]], [[1, 3]], [[0, 2, 5]], [[2, 2, 5]]])('of %j falls with label smoothing', async (labels) => {
    const model = classifier(labels.length)
    let last = Number.POSITIVE_INFINITY
    for (const epsilon of [0, 0.01, 0.05, 0.1, 0.3]) {
      const found = await asked(model, 3, labels, epsilon)
      if (found === 'refused') break
      if (epsilon === 0) expect(found).toMatchObject({ labels, confidence: expect.toSatisfy((v: number) => v > 0.9) })
      else expect(found.confidence).toBeLessThan(last)
      if (epsilon === 0.1) expect(found.confidence).toBeLessThan(0.75)
      last = found.confidence
    }
    model.dispose()
  })

  it('is high for one sample of a model that is sure of its classes', async () => {
    let told = 0
    for (const size of [4, 8])
      for (let seed = 1; seed <= 15; seed++) {
        const model = classifier(seed, size)
        const found = await asked(model, seed, [seed % CLASSES], 0)
        model.dispose()
        // a label that is certain leaves no gradient to read
        if (found === 'refused') continue
        told++
        const sure = expect.toSatisfy((v: number) => v > 0.99)
        expect(found, `seed ${seed}`).toMatchObject({ labels: [seed % CLASSES], confidence: sure })
      }
    expect(told).toBeGreaterThan(25)
  })

  it('is never high for wrong labels: smoothing, a wrong batch size, a factor', async () => {
    let wrong = 0
    for (let seed = 1; seed <= 12; seed++) {
      const [size, classes] = [[0.1, 0.4, 1][seed % 3], CLASSES]
      const model = classifier(seed, size)
      const labels = Array.from(uniform(1 + (seed % 5), 0, classes, seed + 100), Math.floor).sort((a, b) => a - b)
      for (const [epsilon, told] of [
        [0.1, labels.length],
        [0.3, labels.length],
        [0, labels.length + 1],
      ]) {
        const found = await asked(model, seed, labels, epsilon, told)
        if (found === 'refused' || found.labels.join() === labels.join()) continue
        wrong++
        // in the same proportions no rule can tell
        const proportion = new Set(labels).size === 1 && new Set(found.labels).size === 1
        if (!proportion) expect(found.confidence, `seed ${seed}, told ${told}, ε ${epsilon}`).toBeLessThan(0.6)
      }
      model.dispose()
    }
    expect(wrong).toBeGreaterThan(1)
  })

  it('falls where one sample is told as several, whose gradient shows one', async () => {
    const model = classifier(1)
    const found = await asked(model, 2, [3], 0, 3)
    if (found !== 'refused') expect(found.confidence).toBeLessThanOrEqual(1 / 3)
    model.dispose()
  })

  it('is low for two classes that are both present: their counts explain every gradient', async () => {
    const model = classifier(5, 0.5, 2)
    const x = sample([3, 10])
    const shared = await gradientsOf(model, x, [0, 1, 1])
    const answer = await inferLabels(model, shared, { batchSize: 3 }).catch((error) => {
      expect(error).toMatchObject({ code: 'labels' })
      return undefined
    })
    if (answer) expect(answer.confidence).toBeLessThanOrEqual(0.5)
    tf.dispose([x, shared])
    model.dispose()
  })
})

describe('what counts leave unexplained', () => {
  it.each([1, 2, 3, 4])('is rounding for distinct labels, and much for others (seed %i)', async (seed) => {
    const model = classifier(seed, 0.5)
    const x = tf.tensor(numbers(30, seed), [3, 10])
    const shared = Object.values(await gradientsOf(model, x, [0, 2, 3], { runtime: 'reference' }))
    const [weightGradient, biasGradient] = shared.slice(-2).map((t) => t.dataSync<'float32'>())
    const [weight, bias] = model
      .getWeights()
      .slice(-2)
      .map((t) => t.dataSync<'float32'>())
    const left = (counts: number[], samples = 3) =>
      atOnce(unexplained({ weightGradient, biasGradient, weight, bias }, counts, samples))
    expect(left([1, 0, 1, 1, 0, 0])).toBeLessThan(1e-4)
    for (const other of [
      [1, 1, 0, 1, 0, 0],
      [2, 0, 1, 0, 0, 0],
      [0, 0, 1, 1, 1, 0],
    ])
      expect(left(other)).toBeGreaterThan(0.03)
    // one sample more, or a factor
    expect(left([2, 0, 1, 1, 0, 0], 4)).toBeGreaterThan(0.03)
    expect(left([1, 0, 1, 1, 0, 0], 2)).toBeGreaterThan(0.03)
    // without the bias gradient too
    expect(atOnce(unexplained({ weightGradient, weight, bias }, [1, 0, 1, 1, 0, 0], 3))).toBeLessThan(1e-4)
    tf.dispose([x, shared])
    model.dispose()
  })
})

describe('the weights of the last layer', () => {
  type Apply = (x: tf.Tensor, w: tf.NamedTensorMap) => tf.Tensor
  const weights = () => ({ w: sample([10, 8], 1), v: sample([4, 8], 2), b: sample([4], 3) })
  const turned: Apply = (x, { w, v, b }) =>
    tf.add(
      tf.matMul(
        tf.sigmoid(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D)) as tf.Tensor2D,
        v as tf.Tensor2D,
        false,
        true,
      ),
      b,
    )

  it('are read where they are kept as [classes, features] too, and the labels tested', async () => {
    const model = { inputShape: [10], weights: weights(), apply: turned }
    const x = sample([2, 10], 7)
    const shared = await gradientsOf(model, x, [3, 1])
    expect(await inferLabels(model, shared, { batchSize: 2 })).toEqual({
      labels: [1, 3],
      rule: 'bias-signs',
      confidence: 1,
    })
    tf.dispose([x, shared, Object.values(model.weights)])
  })

  it('say nothing where another part of the model reads them too', async () => {
    const apply: Apply = (x, w) => tf.add(turned(x, w), tf.mul(tf.sum(x, 1, true), w.b))
    const model = { inputShape: [10], weights: weights(), apply }
    const x = sample([2, 10], 7)
    const shared = await gradientsOf(model, x, [3, 1])
    const failed = inferLabels(model, shared, { batchSize: 2 })
    await expect(failed).rejects.toMatchObject({ code: 'labels' })
    tf.dispose([x, shared, Object.values(model.weights)])
  })
})
