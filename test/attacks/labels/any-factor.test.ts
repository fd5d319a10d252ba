import * as tf from '@tensorflow/tfjs-core'
import { layers, sequential } from '@tensorflow/tfjs-layers'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { attack, targetOf } from '../../../src/attacks'
import { infer } from '../../../src/attacks/labels/infer'
import type { LabelContext } from '../../../src/attacks/labels/strategy'
import { gradientsOf } from '../../../src/client/gradients-of'
import { random } from '../../../src/numbers/random'
import { atOnce, inSteps } from '../../../src/numbers/steps'
import { thrown } from '../../io/thrown'

/** The last layer of a batch in closed form, its gradient times a factor. */
function layerOf(labels: readonly number[], classes: number, factor: number, seed: number, width = 8): LabelContext {
  const { normal } = random(seed, 0x616679)
  const draw = (size: number) => Float32Array.from({ length: size }, () => 0.5 * normal())
  const own = { weight: draw(width * classes), bias: draw(classes) }
  const weight = new Float64Array(width * classes)
  const bias = new Float64Array(classes)
  for (const label of labels) {
    const features = draw(width)
    const scores = Array.from(own.bias, (v, c) =>
      features.reduce((sum, h, j) => sum + h * own.weight[j * classes + c], v),
    )
    const total = scores.reduce((sum, v) => sum + Math.exp(v), 0)
    for (let c = 0; c < classes; c++) {
      const error = (factor * (Math.exp(scores[c]) / total - (c === label ? 1 : 0))) / labels.length
      bias[c] += error
      for (let j = 0; j < width; j++) weight[j * classes + c] += error * features[j]
    }
  }
  const head = { weight: Float32Array.from(weight), bias: Float32Array.from(bias) }
  return { batchSize: labels.length, classes, head, layer: own, anyFactor: 'either' }
}

function decided(context: LabelContext) {
  const decision = infer().decide(context)
  const known = inSteps(decision) ? atOnce(decision) : decision
  if (known.kind !== 'known') throw new Error('nothing was inferred')
  return { labels: known.labels, ...known.inferred! }
}

const factors = fc
  .tuple(fc.constantFrom(1, -1), fc.integer({ min: -3, max: 3 }))
  .map(([sign, power]) => sign * 10 ** power)

describe('labels behind a factor that nobody knows', () => {
  it('are those of one sample, whatever the factor', () => {
    fc.assert(
      fc.property(factors, fc.integer({ min: 3, max: 12 }), fc.nat(1000), (factor, classes, seed) => {
        const label = seed % classes
        const { labels, rule, confidence } = decided(layerOf([label], classes, factor, seed))
        expect([labels, rule]).toEqual([[label], 'bias-signs'])
        expect(confidence).toBeGreaterThan(0.9)
      }),
    )
  })

  it('are those of a batch, each of another class, or are refused where the others outweigh one', () => {
    let right = 0
    for (let seed = 0; seed < 25; seed++) {
      try {
        const { labels, confidence } = decided(layerOf([1, 4, 6], 10, seed % 2 ? -0.02 : 30, seed))
        expect(labels).toEqual([1, 4, 6])
        expect(confidence).toBeGreaterThan(0.9)
        right++
      } catch (error) {
        expect((error as { code?: string }).code).toBe('labels')
      }
    }
    expect(right).toBeGreaterThanOrEqual(20)
  })

  it('of which one occurs twice are never sure: a sample that the model is sure of adds nothing', () => {
    for (let seed = 0; seed < 25; seed++) {
      try {
        expect(decided(layerOf([2, 2, 5], 8, -3, seed)).confidence).toBeLessThanOrEqual(0.5)
      } catch (error) {
        expect((error as { code?: string }).code).toBe('labels')
      }
    }
  })

  it('go by signs where the values of the layer are not known, and are half sure', () => {
    const { layer: _, ...context } = layerOf([3], 6, -5, 1)
    expect(decided(context)).toEqual({ labels: [3], rule: 'bias-signs', confidence: 0.5 })
    const { bias: __, ...head } = context.head
    expect(decided({ ...context, head })).toEqual({ labels: [3], rule: 'row-products', confidence: 0.5 })
  })

  it.each<[string, number[], number, (context: LabelContext) => LabelContext, string]>([
    ['two classes', [1], 2, (context) => context, 'with two classes, a factor of the other sign'],
    [
      'half of the classes, without the values',
      [0, 1],
      4,
      ({ layer: _, ...context }) => context,
      'present at its sign',
    ],
    ['a batch without a bias', [0, 1], 5, (c) => ({ ...c, head: { weight: c.head.weight } }), 'may have either sign'],
  ])('are refused for %s', (_, labels, classes, change, words) => {
    const refused = thrown(() => decided(change(layerOf(labels, classes, -1, 3))))
    expect(refused.code).toBe('labels')
    expect(refused.message).toContain(words)
  })
})

describe('labels behind a factor above 0, as that of clipping', () => {
  it('are told by the sign: of two classes, and of a batch without a bias', () => {
    const one = { ...layerOf([1], 2, 0.01, 4), anyFactor: 'positive' } as const
    expect(decided(one)).toMatchObject({ labels: [1], confidence: 0.5 })
    const { head, layer: _, ...rest } = layerOf([1, 3], 5, 0.02, 6)
    const features = { ...rest, head: { weight: Float32Array.from(head.weight!) }, anyFactor: 'positive' } as const
    expect(decided({ ...features, batchSize: 1, head: layerOf([3], 5, 0.02, 6).head }).labels).toEqual([3])
  })
})

describe('a proof behind a factor of the other sign', () => {
  it.each([
    [3, 2, [2]],
    [2, 1, undefined],
  ])('of %d classes has the data, and the label only where one is told', async (classes, label, told) => {
    const model = sequential()
    model.add(layers.dense({ inputShape: [8], units: 12, activation: 'tanh' }))
    model.add(layers.dense({ units: classes }))
    const { uniform } = random(classes, 0x616679)
    model.setWeights(model.getWeights().map((w) => tf.tensor(Float32Array.from({ length: w.size }, () => uniform() - 0.5), w.shape))) // biome-ignore format: one line
    const data = Float32Array.from({ length: 8 }, () => uniform())
    const gradient = await gradientsOf(model, tf.tensor(data, [1, 8]), [label])
    const shared = Object.fromEntries(Object.entries(gradient).map(([name, t]) => [name, tf.mul(t, -3)]))
    const { status, found, dispose } = await attack('dense-inversion', await targetOf(model, shared, { scale: 'auto' }))
    expect(status).toBe('proven')
    expect(found.labels).toEqual(told)
    const off = found.data!.dataSync().map((v, i) => Math.abs(v - data[i]))
    expect(Math.max(...off)).toBeLessThan(1e-5)
    dispose()
  })

  it.each([
    ['spear', 'relu'],
    ['dense-inversion', 'tanh'],
  ] as const)(
    'by %s names no label where the model finds two of ten classes alone possible',
    async (name, activation) => {
      const named: unknown[] = []
      for (let seed = 0; seed < 4; seed++) {
        const model = sequential()
        model.add(layers.dense({ inputShape: [8], units: 12, activation }))
        model.add(layers.dense({ units: 10 }))
        const { uniform } = random(seed, 0x616679)
        const values = model.getWeights().map((w) => Float32Array.from({ length: w.size }, () => uniform() - 0.5))
        values[3].fill(-200, 2)
        model.setWeights(model.getWeights().map((w, i) => tf.tensor(values[i], w.shape)))
        const data = Float32Array.from({ length: 8 }, () => uniform())
        const gradient = await gradientsOf(model, tf.tensor(data, [1, 8]), [seed % 2])
        const shared = Object.fromEntries(Object.entries(gradient).map(([weight, t]) => [weight, tf.mul(t, -3)]))
        const { status, found, dispose } = await attack(name, await targetOf(model, shared, { scale: 'auto' }))
        if (status === 'proven') named.push(found.labels)
        dispose()
      }
      expect(named.length).toBeGreaterThan(0)
      expect(named.every((labels) => labels === undefined)).toBe(true)
    },
  )
})
