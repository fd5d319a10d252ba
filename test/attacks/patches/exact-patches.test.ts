import * as tf from '@tensorflow/tfjs-core'
import { layers, sequential } from '@tensorflow/tfjs-layers'
import { describe, expect, it } from 'vitest'
import { type VitOptions, vit } from '../../../examples/models/vit'
import { exactPatches } from '../../../src/analytic'
import { type AttackProgress, attack, targetOf } from '../../../src/attacks'
import { deepLeakage, type FunctionalModel, gradientsOf, type Model, type PlainTensor } from '../../../src/index'
import { ownership } from '../../tensors'
import { numbers, plain, sample, withUniformWeights } from '../matching/tiny'

const own = ownership()
const runtime = 'reference'

const small = { size: 8, patch: 2, width: 24, heads: 2, blocks: 1, classes: 4 }

function transformer(options: VitOptions = {}): FunctionalModel {
  const model = vit({ ...small, ...options })
  Object.values(model.weights).forEach(own)
  return model
}

const share = async (model: Model, x: tf.Tensor, labels: number[]): Promise<Record<string, PlainTensor>> =>
  plain(await gradientsOf(model, x, labels, { runtime }))

const worst = (found: ArrayLike<number> | undefined, x: tf.Tensor): number =>
  Math.max(...Array.from(x.dataSync(), (v, i) => Math.abs(v - (found?.[i] ?? Number.NaN))))

const picture = (...shape: number[]): tf.Tensor => own(sample([1, ...shape]))

describe('patches of a vision transformer in closed form', () => {
  it.each<[string, VitOptions]>([
    ['a convolution and a class token', {}],
    ['a convolution and the mean of the patches', { classToken: false }],
    ['a dense layer over patches', { embedding: 'dense', seed: 2 }],
    ['a dense layer over patches and their mean', { embedding: 'dense', classToken: false }],
    ['larger patches', { patch: 4, size: 16 }],
    ['one block more', { blocks: 2, seed: 3 }],
  ])('%s: every pixel comes back', async (_, options) => {
    const model = transformer(options)
    const { size, patch } = { ...small, ...options }
    const x = picture(size, size, 3)
    const found = await exactPatches(model, await share(model, x, [2]), { runtime })
    const count = (size / patch) ** 2
    expect(found).toMatchObject({ patches: count, rank: count, unread: 0, positions: 'positions' })
    expect(worst(found!.data, x)).toBeLessThan(2e-2)
  })

  it('a layer of the caller that adds positions', async () => {
    class Positions extends layers.Layer {
      static className = 'Positions'
      private table!: { read(): tf.Tensor }
      override build([, ...shape]: number[]) {
        this.table = this.addWeight('table', shape, 'float32', { apply: (s: number[]) => tf.randomUniform(s) } as never)
        this.built = true
      }
      override call(inputs: tf.Tensor | tf.Tensor[]) {
        return tf.add(Array.isArray(inputs) ? inputs[0] : inputs, this.table.read())
      }
    }
    const model = sequential()
    model.add(layers.conv2d({ inputShape: [8, 8, 3], filters: 20, kernelSize: 2, strides: 2 }))
    model.add(layers.reshape({ targetShape: [16, 20] }))
    model.add(new Positions({}))
    model.add(layers.dense({ units: 6, activation: 'tanh' }))
    model.add(layers.flatten())
    model.add(layers.dense({ units: 4 }))
    own(withUniformWeights(model))
    const x = picture(8, 8, 3)
    const outcome = own(await attack('patch-inversion', await targetOf(model, await share(model, x, [1]), { runtime })))
    // a dense layer of 6 lets at most 6 directions of the 16 patches through
    expect(outcome.evidence.rank).toBe(6)
    expect(outcome.status).not.toBe('proven')
  })

  it('windows that overlap, with padding, under positions of their own', async () => {
    const w = own(tf.tensor(numbers(3 * 3 * 2 * 40, 1, -0.5, 0.5), [3, 3, 2, 40]))
    const table = own(tf.tensor(numbers(4 * 4 * 40, 2, -0.5, 0.5), [4, 4, 40]))
    const v = own(tf.tensor(numbers(4 * 4 * 40 * 4, 3, -0.5, 0.5), [640, 4]))
    const model: FunctionalModel = {
      inputShape: [7, 7, 2],
      weights: { w, table, v },
      apply: (x, weights) => {
        // the model normalises its input itself
        const centred = tf.div(tf.sub(x, 0.4), 0.3) as tf.Tensor4D
        const z = tf.add(tf.conv2d(centred, weights.w as tf.Tensor4D, 2, 'same'), weights.table)
        return tf.matMul(tf.reshape(tf.sigmoid(z), [-1, 640]), weights.v)
      },
    }
    const x = picture(7, 7, 2)
    const found = await exactPatches(model, await share(model, x, [1]), { runtime })
    expect(found).toMatchObject({ patches: 16, rank: 16, unread: 0, weight: 'w', positions: 'table' })
    expect(worst(found!.data, x)).toBeLessThan(1e-3)
  })

  it('reads the same data off an update, and off a gradient times a factor', async () => {
    const model = transformer()
    const x = picture(8, 8, 3)
    const shared = await share(model, x, [2])
    const delta = Object.fromEntries(
      Object.entries(shared).map(([name, { shape, data }]) => [
        name,
        { shape, data: Array.from(data, (v) => -0.1 * v) },
      ]),
    )
    const moved = await exactPatches(model, { delta }, { runtime, update: { learningRate: 0.1 } })
    const scaled = await exactPatches(model, delta, { runtime, scale: 'auto' })
    for (const found of [moved, scaled]) expect(worst(found!.data, x)).toBeLessThan(2e-2)
  })

  it('is not called failed where the label is soft, or a factor was not said', async () => {
    const model = transformer()
    const x = picture(8, 8, 3)
    const soft = own(tf.tensor2d([[0.025, 0.025, 0.925, 0.025]]))
    const smoothed = plain(await gradientsOf(model, x, soft, { runtime }))
    const scaled = Object.fromEntries(
      Object.entries(await share(model, x, [2])).map(([name, { shape, data }]) => [
        name,
        { shape, data: Float32Array.from(data, (v) => 0.1 * v) },
      ]),
    )
    for (const [shared, words] of [
      [smoothed, /with label smoothing of 0\.10;/],
      [scaled, /with a factor of 0\.100 \(scale\);/],
    ] as const) {
      const outcome = own(await attack('patch-inversion', await targetOf(model, shared, { runtime })))
      expect(outcome.status).toBe('partial')
      expect(outcome.reason).toMatch(words)
      expect(worst(outcome.found.data?.dataSync(), x)).toBeLessThan(2e-2)
    }
  })

  it('is proven where every direction stands in the gradient, and not otherwise', async () => {
    const x = picture(8, 8, 3)
    const outcomeOf = async (options: VitOptions) => {
      const model = transformer(options)
      return own(await attack('patch-inversion', await targetOf(model, await share(model, x, [2]), { runtime })))
    }
    const whole = await outcomeOf({})
    expect(whole).toMatchObject({ status: 'proven', found: { labels: [2] } })
    expect(whole.evidence.residual).toBeLessThan(1e-4)
    // 16 patches, of which a width of 8 lets 7 directions through
    const narrow = await outcomeOf({ width: 8 })
    expect(narrow.status).not.toBe('proven')
    expect(narrow.evidence.rank).toBeLessThan(8)
    expect(narrow.reason).toContain('guessed')
  })

  it.each([
    ['two samples', 2, 'undetermined'],
    ['one sample', 1, 'undetermined'],
  ])('a linear model with one output proves nothing under a factor that is not known: %s', async (_, batch, status) => {
    const weights = {
      w: own(tf.tensor(numbers(3 * 6, 11, -1, 1), [3, 6])),
      table: own(tf.tensor(numbers(4 * 6, 12, -1, 1), [4, 6])),
      v: own(tf.tensor(numbers(24, 13, -1, 1), [24, 1])),
    }
    const model: FunctionalModel = {
      inputShape: [4, 3],
      weights,
      apply: (x, w) =>
        tf.matMul(
          tf.reshape(tf.add(tf.reshape(tf.matMul(tf.reshape(x, [-1, 3]), w.w), [-1, 4, 6]), w.table), [-1, 24]),
          w.v,
        ),
    }
    const training = { criterion: 'binaryCrossEntropy', output: 'logits', runtime } as const
    const x = own(sample([batch, 4, 3]))
    const y = own(tf.ones([batch, 1]))
    const shared = plain(await gradientsOf(model, x, y, training))
    const target = await targetOf(model, shared, { ...training, scale: 'auto' })
    const outcome = own(await attack('patch-inversion', target, { labels: [1] }))
    expect(outcome).toMatchObject({ status, reason: expect.stringContaining('mean of several samples') })
    expect(outcome.evidence.residual).toBeLessThan(1e-4)
  })

  it('finds in the rest of the gradient what normalisation takes', async () => {
    const wave = Float32Array.from({ length: 192 }, (_, i) => {
      const [row, column, channel] = [Math.floor(i / 24), Math.floor(i / 3) % 8, i % 3]
      return 0.5 + 0.3 * Math.sin(0.6 * row + channel) * Math.cos(0.5 * column)
    })
    const x = own(tf.tensor(wave, [1, 8, 8, 3]))
    for (const seed of [1, 2, 3]) {
      const model = transformer({ width: 16, seed })
      const target = await targetOf(model, await share(model, x, [2]), { runtime })
      const outcome = own(await attack('patch-inversion', target))
      // 16 patches at a width of 16: one direction is missing
      expect(outcome.evidence.rank).toBe(15)
      expect(outcome.status).toBe('matched')
      expect(outcome.work.evaluations).toBeGreaterThan(12)
      const guess = await exactPatches(model, await share(model, x, [2]), { runtime })
      const error = (found: ArrayLike<number>) => Math.hypot(...wave.map((v, i) => v - found[i]))
      expect(error(outcome.found.data!.dataSync())).toBeLessThan(1.2 * error(guess!.data))
      expect(error(guess!.data) / Math.sqrt(192)).toBeLessThan(1e-2)
    }
  })

  it('ends on an abort or within its budget, with what it has', async () => {
    const model = transformer({ width: 16 })
    const x = picture(8, 8, 3)
    const target = await targetOf(model, await share(model, x, [2]), { runtime })
    const abort = new AbortController()
    const onProgress = ({ words }: AttackProgress) => {
      if (words === 'the directions that are open') abort.abort()
    }
    for (const control of [
      { signal: abort.signal, onProgress },
      { budget: { evaluations: 5 } },
      { budget: { milliseconds: 1 } },
    ]) {
      const outcome = own(await attack('patch-inversion', target, {}, control))
      expect(outcome).toMatchObject({ status: 'cut', work: { evaluations: 0 }, found: { labels: [2] } })
      expect(outcome.found.data?.shape).toEqual([1, 8, 8, 3])
    }
  })

  it('is where the search begins', async () => {
    const model = transformer()
    const x = picture(8, 8, 3)
    const leak = own(
      await deepLeakage(model, await share(model, x, [2]), { labels: 'infer', iterations: 20, certainty: false }),
    )
    expect(leak.status).toBe('converged')
    expect(leak.trials.length).toBe(1)
    expect(worst(leak.data.dataSync(), x)).toBeLessThan(2e-2)
  })

  it('a batch is refused', async () => {
    const model = transformer()
    const x = own(sample([2, 8, 8, 3]))
    const shared = await share(model, x, [2, 1])
    await expect(exactPatches(model, shared, { batchSize: 2, runtime })).rejects.toMatchObject({
      code: 'invalid-option',
    })
    const outcome = await attack('patch-inversion', await targetOf(model, shared, { batchSize: 2, runtime }))
    expect(outcome).toMatchObject({ status: 'refused', reason: expect.stringContaining('2 samples') })
    // told as one, no data have this gradient
    const one = own(await attack('patch-inversion', await targetOf(model, shared, { runtime }), { labels: [2] }))
    expect(one.status).toBe('failed')
  })

  it.each<[string, string, (z: tf.Tensor, w: tf.NamedTensorMap) => tf.Tensor]>([
    ['positions that are multiplied', 'no trained positions', (z, w) => tf.mul(z, w.table)],
    [
      'a normalisation before the positions',
      'normalisation',
      (z, w) => tf.add(tf.div(z, tf.sqrt(tf.mean(tf.square(z), -1, true))), w.table),
    ],
    ['positions that are added twice', 'twice', (z, w) => tf.add(tf.tanh(tf.add(z, w.table)), w.table)],
    ['patches that are read twice', 'twice', (z, w) => tf.add(tf.tanh(tf.add(z, w.table)), tf.sum(tf.square(w.w)))],
    ['one position for all', 'no trained positions', (z, w) => tf.add(z, tf.slice(w.table, [0, 0], [1, 12]))],
  ])('%s: refused, with the reason', async (_, reason, embed) => {
    const weights = {
      w: own(tf.tensor(numbers(12 * 12, 1, -0.5, 0.5), [12, 12])),
      table: own(tf.tensor(numbers(4 * 12, 2, -0.5, 0.5), [4, 12])),
      v: own(tf.tensor(numbers(48 * 4, 3, -0.5, 0.5), [48, 4])),
    }
    const model: FunctionalModel = {
      inputShape: [4, 12],
      weights,
      apply: (x, w) => {
        const z = embed(tf.reshape(tf.matMul(tf.reshape(x, [-1, 12]), w.w), [-1, 4, 12]), w)
        return tf.matMul(tf.reshape(tf.sigmoid(z), [-1, 48]), w.v)
      },
    }
    const x = picture(4, 12)
    const shared = await share(model, x, [1])
    expect(await exactPatches(model, shared, { runtime })).toBeUndefined()
    const outcome = await attack('patch-inversion', await targetOf(model, shared, { runtime }))
    expect(outcome).toMatchObject({ status: 'refused', reason: expect.stringContaining(reason) })
  })
})
