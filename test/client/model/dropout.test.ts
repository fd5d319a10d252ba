import * as tf from '@tensorflow/tfjs-core'
import { initializers, layers, sequential } from '@tensorflow/tfjs-layers'
import { describe, expect, it } from 'vitest'
import { checkModel, deepLeakage, gradientsOf } from '../../../src'
import { attack, targetOf } from '../../../src/attacks'
import { readDropped } from '../../../src/client/model/dropout'
import { defended, withheld } from '../../../src/defences'
import { numbers, sample } from '../../attacks/matching/tiny'
import { relativeError } from '../../oracle'

const uniform = (seed: number) => initializers.randomUniform({ minval: -0.5, maxval: 0.5, seed })
const conv = () =>
  layers.conv2d({
    inputShape: [7, 7, 1],
    filters: 5,
    kernelSize: 3,
    activation: 'sigmoid',
    kernelInitializer: uniform(1),
  })
const head = () => layers.dense({ units: 6, kernelInitializer: uniform(2) })

/** A dropout of 125 features before the last layer. */
const readable = (rate: number) =>
  sequential({ layers: [conv(), layers.flatten(), layers.dropout({ rate, seed: 3 }), head()] })
/** A dropout of the pictures of a convolution, which no dense layer reads. */
const hidden = (rate: number) =>
  sequential({
    layers: [
      conv(),
      layers.dropout({ rate }),
      layers.conv2d({ filters: 3, kernelSize: 3, activation: 'sigmoid', kernelInitializer: uniform(4) }),
      layers.flatten(),
      head(),
    ],
  })

describe('dropout on the client', () => {
  it.each([0.1, 0.3, 0.5])('of rate %s: the mask is read from rows of zeros, and the data come back', async (rate) => {
    const model = readable(rate)
    const x = sample([1, 7, 7, 1])
    const shared = await gradientsOf(model, x, [4], { training: true })
    const leak = await deepLeakage(model, shared, { training: true, labels: 'infer' })
    const zeros = Object.values(shared)[2]
    const dropped = tf.tidy(() => tf.sum(tf.equal(tf.sum(tf.abs(zeros), 1), 0)).dataSync()[0])
    expect(leak.notes).toEqual([
      expect.stringContaining(`is read from the gradient behind it: ${dropped} of 125 features were dropped`),
    ])
    expect(relativeError(leak.data.dataSync(), x.dataSync())).toBeLessThan(0.01)
    expect(['converged', 'undetermined']).toContain(leak.status)
    leak.dispose()
    tf.dispose([x, shared])
    model.dispose()
  })

  it('behind a ReLU: features that are zero by themselves count as dropped', async () => {
    const model = sequential({
      layers: [
        layers.dense({ inputShape: [12], units: 80, activation: 'relu', kernelInitializer: uniform(6) }),
        layers.dropout({ rate: 0.25, seed: 5 }),
        head(),
      ],
    })
    const x = tf.tensor(numbers(12, 8), [1, 12])
    const shared = await gradientsOf(model, x, [2], { training: true })
    const leak = await deepLeakage(model, shared, { training: true, labels: 'infer' })
    expect(leak.notes).toEqual([expect.stringMatching(/of 80 features were dropped or zero$/)])
    expect(leak.status).toBe('converged')
    expect(relativeError(leak.data.dataSync(), x.dataSync())).toBeLessThan(0.01)
    leak.dispose()
    tf.dispose([x, shared])
    model.dispose()
  })

  it('of a batch: masks are read sample by sample, and belong to the labels in their order', async () => {
    const model = readable(0.5)
    const x = tf.tensor(numbers(98, 5), [2, 7, 7, 1])
    const shared = await gradientsOf(model, x, [4, 1], { training: true })
    const leak = await deepLeakage(model, shared, { training: true, batchSize: 2, labels: [4, 1], certainty: false })
    expect(leak.notes).toEqual([
      expect.stringMatching(/^the masks of .* of 125 features \d+, \d+ were dropped for samples with labels 1, 4$/),
    ])
    expect(leak.status).toBe('converged')
    // half of the features are gone, so that pixels of the border hardly show
    expect(relativeError(leak.data.dataSync(), x.dataSync())).toBeLessThan(0.1)
    leak.dispose()
    tf.dispose([x, shared])
    model.dispose()
  })

  it.each(['surrogate', 'one-step', 'unrolled'] as const)(
    'of several local steps: no mask is read, as each step draws its own (%s)',
    async (approach) => {
      const model = readable(0.5)
      const x = sample([1, 7, 7, 1])
      const steps = [
        await gradientsOf(model, x, [4], { training: true }),
        await gradientsOf(model, x, [4], { training: true }),
      ]
      const delta = tf.tidy(() =>
        Object.values(steps[0]).map((first, i) => tf.mul(tf.add(first, Object.values(steps[1])[i]), -0.01)),
      )
      const options = { training: true, update: { learningRate: 0.01, localSteps: 2, approach } }
      const { notes } = await targetOf(model, { delta }, options)
      expect(notes).toEqual([expect.stringContaining('draws a random mask in every step')])
      tf.dispose([x, steps, delta])
      model.dispose()
    },
  )

  it('of a batch, where weights are withheld: the order of the labels leaves them out all the same', async () => {
    const model = readable(0.5)
    const x = tf.tensor(numbers(98, 5), [2, 7, 7, 1])
    const shared = await gradientsOf(model, x, [4, 1], { training: true })
    const target = await targetOf(model, shared, { batchSize: 2, training: true })
    expect(target.sampleLabels).toEqual([1, 4])
    const bias = target.trained[1].name
    const less = defended(target, withheld([bias]), { seed: 1 })
    const ordered = less.forLabels([4, 1])
    expect(ordered.sampleLabels).toEqual([4, 1])
    expect(ordered.model.weights.filter((w) => w.trainable)).toEqual(
      less.trained.map(({ name }) => expect.objectContaining({ name })),
    )
    const outcome = await attack('gradient-matching', less, { labels: [4, 1], restarts: 1, iterations: 40 })
    expect(outcome.found.labels).toEqual([4, 1])
    expect(outcome.evidence.residual).toBeLessThan(0.2)
    outcome.dispose()
    tf.dispose([x, shared])
    model.dispose()
  })

  it('of a batch behind two layers: the masks of both belong together, and tell labels that repeat', async () => {
    const model = sequential({
      layers: [
        layers.dense({ inputShape: [12], units: 120, activation: 'tanh', kernelInitializer: uniform(6) }),
        layers.dropout({ rate: 0.25, seed: 5 }),
        layers.dense({ units: 90, activation: 'sigmoid', kernelInitializer: uniform(7) }),
        layers.dropout({ rate: 0.5, seed: 6 }),
        head(),
      ],
    })
    const x = tf.tensor(numbers(48, 8), [4, 12])
    const shared = await gradientsOf(model, x, [3, 0, 3, 5], { training: true })
    const leak = await deepLeakage(model, shared, { training: true, batchSize: 4, labels: 'infer', certainty: false })
    expect(leak).toMatchObject({ status: 'converged', labels: [0, 3, 3, 5] })
    const [found, truth] = [leak.data.dataSync(), x.dataSync()]
    const rowsOf = (all: ArrayLike<number>) =>
      Array.from({ length: 4 }, (_, s) => Array.from({ length: 12 }, (_, i) => all[12 * s + i]))
    for (const row of rowsOf(truth))
      expect(Math.min(...rowsOf(found).map((other) => relativeError(other, row)))).toBeLessThan(0.01)
    leak.dispose()
    tf.dispose([x, shared])
    model.dispose()
  })

  it('shows no labels where the gradients of the samples are none of a cross-entropy', () => {
    const inputs = [5, 6].map((seed) => numbers(120, seed).map((v, j) => ((j + seed) % 3 === 0 ? 0 : v)))
    const labelsOf = (felt: readonly number[][]) =>
      readDropped([{ name: 'drop', rate: 1 / 3, reader: 0, behind: { output: true } }], {
        ...{ training: true, batchSize: 2, oneStep: true },
        gradientOf: () => ({
          units: 4,
          values: Float32Array.from({ length: 480 }, (_, i) =>
            inputs.reduce((sum, input, s) => sum + input[Math.floor(i / 4)] * felt[s][i % 4], 0),
          ),
        }),
      }).labels
    expect(
      labelsOf([
        [-0.7, 0.2, 0.2, 0.3],
        [0.1, 0.1, -0.4, 0.2],
      ]),
    ).toEqual([0, 2])
    // most of what was small is gone
    expect(
      labelsOf([
        [-0.7, 0, 0, 0.3],
        [0, 0, -0.4, 0.2],
      ]),
    ).toBeUndefined()
  })

  it('is said before the search where the mask cannot be read, and where training mode was not said', async () => {
    const x = sample([1, 7, 7, 1])
    const [unread, unsaid] = [hidden(0.3), readable(0.3)]
    const notes = async (model: typeof unread, options: object, batch = x, labels = [4]) => {
      const shared = await gradientsOf(model, batch, labels, { training: true })
      const target = await targetOf(model, shared, options)
      tf.dispose(shared)
      return target.notes
    }
    expect(await notes(unread, { training: true })).toEqual([
      expect.stringMatching(/^'dropout_.*' draws a random mask in every step, .* nothing can match$/),
    ])
    expect(await notes(unsaid, {})).toEqual([
      expect.stringMatching(/of 125 features behind .* if the client trains with it, say so \(training: true\)/),
    ])
    const two = tf.tensor(numbers(98, 5), [2, 7, 7, 1])
    expect(await notes(unread, { training: true, batchSize: 2 }, two, [4, 1])).toEqual([
      expect.stringMatching(/for every sample, .* nothing can match$/),
    ])
    // without dropout on the client there is nothing to say
    const plain = await gradientsOf(unsaid, x, [4])
    expect((await targetOf(unsaid, plain)).notes).toEqual([])
    expect((await targetOf(unsaid, plain, { training: true })).notes[0]).toContain('nothing can match')
    const check = await checkModel(unread, { x, y: [4] }, { training: true })
    expect(check.findings.filter(({ code }) => code === 'random-layers')).toMatchObject([
      { level: 'warning', message: expect.stringContaining('nothing can match') },
    ])
    tf.dispose([x, two, plain])
    unread.dispose()
    unsaid.dispose()
  })
})
