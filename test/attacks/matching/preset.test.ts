import * as tf from '@tensorflow/tfjs-core'
import { layers, type Sequential, sequential } from '@tensorflow/tfjs-layers'
import { beforeAll, describe, expect, it } from 'vitest'
import { vit } from '../../../examples/models/vit'
import {
  adam,
  deepLeakageFromGradients,
  type FunctionalModel,
  gradientsOf,
  type IterationEvent,
  type Leakage,
  type LeakageOptions,
  type Model,
  type PlainTensor,
} from '../../../src'
import { meanSquaredError } from '../../../src/metrics'
import { convNet, numbers, plain, sample, withUniformWeights } from './tiny'

beforeAll(() => tf.setBackend('cpu'))

/** ReLU and max-pooling with padding, on 7×7 images. */
function kinked(size = 7): Sequential {
  const model = sequential({ name: 'kinked' })
  model.add(
    layers.conv2d({ inputShape: [size, size, 1], filters: 8, kernelSize: 3, padding: 'same', activation: 'relu' }),
  )
  model.add(layers.maxPooling2d({ poolSize: 2, padding: 'same' }))
  model.add(layers.flatten())
  model.add(layers.dense({ units: 16, activation: 'relu' }))
  model.add(layers.dense({ units: 4 }))
  return withUniformWeights(model)
}

const short: LeakageOptions = { labels: [2], runtime: 'auto', iterations: 3 }

interface Found extends Pick<Leakage, 'preset' | 'status' | 'history' | 'evaluations' | 'relativeLoss' | 'trials'> {
  readonly data: readonly number[]
  readonly mse: number
}

async function attack(model: Model, shape: number[], options: LeakageOptions, x = sample(shape)): Promise<Found> {
  const labels = Array.from({ length: shape[0] }, () => 2)
  const shared: Record<string, PlainTensor> = plain(await gradientsOf(model, x, labels, { runtime: 'reference' }))
  const leak = await deepLeakageFromGradients(model, shared, { ...short, batchSize: shape[0], ...options })
  const { preset, status, history, evaluations, relativeLoss, trials } = leak
  const data = [...leak.data.dataSync()]
  const mse = meanSquaredError(data, x.dataSync<'float32'>())
  leak.dispose()
  x.dispose()
  return { preset, status, history, evaluations, relativeLoss, trials, data, mse }
}

describe("preset: 'auto'", () => {
  const image = [1, 7, 7, 1]

  it('takes the homotopy for images behind kinks, and names the kinks', async () => {
    const model = kinked()
    const { preset, trials } = await attack(model, image, {})
    expect(preset.name).toBe('homotopy')
    expect(preset.reason).toBe('the network has kinks (ReLU; maxima, as in max-pooling or a clip)')
    expect(trials).toHaveLength(1)
    model.dispose()
  })

  it('whitens the layers of a deep network, and balances them where there is noise or a coarse type, unless a distance is given', async () => {
    const model = sequential({ name: 'deep' })
    for (let i = 0; i < 9; i++)
      model.add(
        layers.conv2d({
          ...(i === 0 && { inputShape: [5, 5, 1] }),
          ...{ filters: 2, kernelSize: 3, padding: 'same', activation: 'relu' },
        }),
      )
    model.add(layers.flatten())
    model.add(layers.dense({ units: 4 }))
    withUniformWeights(model)
    const deep = await attack(model, [1, 5, 5, 1], {})
    expect(deep.preset.name).toBe('homotopy')
    expect(deep.preset.reason).toContain('10 layers with kernels, whose gradients are whitened')
    const priors = { totalVariation: 0.06 }
    const balanced = await attack(model, [1, 5, 5, 1], { preset: 'homotopy', distance: 'balanced', priors })
    const given = await attack(model, [1, 5, 5, 1], { distance: 'balanced' })
    expect(given.preset.reason).not.toContain('whitened')
    expect(given.history).toEqual(balanced.history)
    expect(deep.history).not.toEqual(balanced.history)
    const noise = 1e-3
    const noisy = await attack(model, [1, 5, 5, 1], { noise })
    expect(noisy.preset.reason).toContain('whose gradients are balanced')
    const options: LeakageOptions = { preset: 'homotopy', distance: 'balanced', priors, noise }
    expect(noisy.history).toEqual((await attack(model, [1, 5, 5, 1], options)).history)
    const coarse = await attack(model, [1, 5, 5, 1], { precision: 'float16' })
    expect(coarse.preset.reason).toContain('whose gradients are balanced')
    const quiet = await attack(model, [1, 5, 5, 1], {}, tf.fill([1, 5, 5, 1], 1e-7))
    expect(quiet.preset.reason).toContain('whose gradients are balanced')
    const asked = await attack(model, [1, 5, 5, 1], { distance: 'cosine' })
    expect(asked.history).toEqual((await attack(model, [1, 5, 5, 1], { preset: 'homotopy', priors })).history)
    model.dispose()
  })

  it.each([
    { images: 1, weight: 0.01 },
    { images: 3, weight: 0.03 },
    { images: 24, weight: 0.2 },
  ])('gives total variation a weight of $weight for $images image(s), by itself and by name', async (given) => {
    const { images, weight } = given
    const model = kinked()
    const options = { labels: Array.from({ length: images }, () => 2) }
    const shape = [images, 7, 7, 1]
    const stated = await attack(model, shape, { ...options, preset: 'homotopy', priors: { totalVariation: weight } })
    for (const preset of ['auto', 'homotopy'] as const)
      expect((await attack(model, shape, { ...options, preset })).history).toEqual(stated.history)
    model.dispose()
  })

  it('gives total variation more weight where several local steps are unrolled, unless priors are given', async () => {
    const model = kinked()
    const found = 'the network has kinks (ReLU; maxima, as in max-pooling or a clip)'
    const x = sample(image)
    const gradients: Record<string, PlainTensor> = plain(await gradientsOf(model, x, [2], { runtime: 'reference' }))
    x.dispose()
    const delta = Object.fromEntries(
      Object.entries(gradients).map(([name, { shape, data }]) => [
        name,
        { shape, data: Array.from(data, (v) => -0.02 * v) },
      ]),
    )
    const search = async (update: LeakageOptions['update'], options: LeakageOptions = {}) => {
      const leak = await deepLeakageFromGradients(model, { delta }, { ...short, update, ...options })
      leak.dispose()
      return leak
    }
    const several = { learningRate: 0.01, localSteps: 2 }
    const heavier = await search(several)
    expect(heavier.preset.name).toBe('homotopy')
    expect(heavier.preset.reason).toBe(
      `${found}; 2 local steps are unrolled, for which total variation has a weight of 0.06`,
    )
    const same = await search(several, { preset: 'homotopy', priors: { totalVariation: 0.06 } })
    expect(heavier.history).toEqual(same.history)

    const given = await search(several, { priors: { totalVariation: 0.02 } })
    expect(given.preset.reason).toBe(found)
    const asked = await search(several, { preset: 'homotopy', priors: { totalVariation: 0.02 } })
    expect(given.history).toEqual(asked.history)

    const one = await search({ learningRate: 0.02 })
    expect(one.preset.reason).toBe(found)
    expect(one.history).toEqual((await search({ learningRate: 0.02 }, { preset: 'homotopy' })).history)
    expect((await search({ ...several, approach: 'surrogate' })).preset.reason).toBe(found)
    model.dispose()
  })

  it('gives total variation more weight behind batch norms in training mode', async () => {
    const model = sequential({ name: 'normed' })
    model.add(layers.conv2d({ inputShape: [7, 7, 1], filters: 4, kernelSize: 3, activation: 'relu' }))
    model.add(layers.batchNormalization())
    model.add(layers.flatten())
    model.add(layers.dense({ units: 4 }))
    const x = sample(image)
    for (const training of [true, false]) {
      const shared: Record<string, PlainTensor> = plain(
        await gradientsOf(model, x, [2], { runtime: 'reference', training }),
      )
      const { preset, data } = await deepLeakageFromGradients(model, shared, { ...short, training })
      expect(preset.reason).toBe(
        training
          ? 'the network has kinks (ReLU); batch norms are in training mode, for which total variation has a weight of 0.06'
          : 'the network has kinks (ReLU)',
      )
      data.dispose()
    }
    x.dispose()
    model.dispose()
  })

  it('takes robust for a smooth network, bit for bit', async () => {
    const model = convNet()
    const options = { iterations: 20, restarts: 2, tolerance: 0 }
    const auto = await attack(model, [1, 6, 6, 1], options)
    const robust = await attack(model, [1, 6, 6, 1], { ...options, preset: 'robust' })
    expect(auto.preset).toEqual({ name: 'robust', reason: 'the network is smooth between data and outputs' })
    expect(auto.history).toEqual(robust.history)
    expect(auto.data).toEqual(robust.data)
    expect(robust.preset).toEqual({ name: 'robust', reason: 'it was asked for' })
    model.dispose()
  })

  it('compares whitened gradients where a smooth network has attention over a batch of images', async () => {
    const model = vit({ size: 4, patch: 2, width: 8, heads: 2, blocks: 1, classes: 3 })
    const options = { labels: [2, 2], iterations: 1 }
    const auto = await attack(model, [2, 4, 4, 3], options)
    expect(auto.preset.name).toBe('attention')
    expect(auto.preset.reason).toBe('the network is smooth between data and outputs, and has attention over an image')
    expect(auto.trials).toHaveLength(1)
    const named = await attack(model, [2, 4, 4, 3], { ...options, preset: 'robust', distance: 'whitened', restarts: 1 })
    // the same but for the prior
    expect(named.history[0].relativeLoss).toBe(auto.history[0].relativeLoss)
    expect(named.history[0].loss).toBeLessThan(auto.history[0].loss)
    tf.dispose(model.weights)
  })

  it.each<[string, LeakageOptions]>([
    ['an optimizer', { optimizer: 'lbfgs' }],
    ['an optimizer', { optimizer: adam() }],
    ['a start', { init: { data: new Float32Array(49) } }],
    ['an optimizer and a start', { optimizer: 'adam', init: { data: new Float32Array(49) } }],
  ])('keeps to the network itself where the caller gave %s', async (what, options) => {
    const model = kinked()
    const { preset, history } = await attack(model, image, options)
    expect(preset.name).toBe('robust')
    expect(preset.reason).toContain(`but the caller gave ${what}`)
    expect(history).toEqual((await attack(model, image, { ...options, preset: 'robust' })).history)
    model.dispose()
  })

  it('keeps to it where the data are no images, or stand in the gradient', async () => {
    const dense: FunctionalModel = {
      inputShape: [8],
      weights: { w: tf.tensor(numbers(32, 1, -0.5, 0.5), [8, 4]) },
      apply: (x, { w }) => tf.relu(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D)),
    }
    const table = await attack(dense, [2, 8], { labels: [2, 2] })
    expect(table.preset).toMatchObject({ name: 'robust', reason: expect.stringContaining('the data are no images') })
    tf.dispose(dense.weights)

    const flat = sequential()
    flat.add(layers.flatten({ inputShape: [7, 7, 1] }))
    flat.add(layers.dense({ units: 12, activation: 'relu' }))
    flat.add(layers.dense({ units: 4 }))
    const closed = await attack(withUniformWeights(flat), image, {})
    expect(closed.preset).toMatchObject({ name: 'robust', reason: expect.stringContaining('in closed form') })
    expect(closed.mse).toBeLessThan(1e-8)
    flat.dispose()
  })

  it('lets given options stand', async () => {
    const model = kinked()
    const { trials, evaluations } = await attack(model, image, { iterations: 30, restarts: 2, distance: 'l2' })
    // 29 on the smoothed network, one on the network itself, and two judgements
    expect(trials.map((trial) => trial.evaluations)).toEqual([32, 32])
    expect(evaluations).toBe(64)
    model.dispose()
  })
})

describe("preset: 'homotopy'", () => {
  it('finds images where L-BFGS and Adam on the network itself do not', async () => {
    const [model, shape] = [kinked(12), [1, 12, 12, 1]]
    const hill = (i: number) => 0.5 + 0.45 * Math.sin((i % 12) / 2) * Math.cos(Math.floor(i / 12) / 3)
    const found = (options: LeakageOptions) =>
      attack(
        model,
        shape,
        options,
        tf.tensor(
          Array.from({ length: 144 }, (_, i) => hill(i)),
          shape,
        ),
      )
    const soft = await found({ iterations: 600 })
    const robust = await found({ preset: 'robust', iterations: 300 })
    const adam = await found({ preset: 'inverting-gradients', iterations: 600 })
    for (const other of [robust, adam]) expect(soft.mse).toBeLessThan(other.mse / 2)
    model.dispose()
  })

  it('reports a relative loss of the network itself', async () => {
    const model = kinked()
    const { data, relativeLoss } = await attack(model, [1, 7, 7, 1], { iterations: 50, distance: 'l2' })
    const x = tf.tensor(data, [1, 7, 7, 1])
    const truth = sample([1, 7, 7, 1])
    const gradients = async (at: tf.Tensor) => Object.values(plain(await gradientsOf(model, at, [2])))
    const [found, shared] = [await gradients(x), await gradients(truth)]
    const squares = (values: readonly number[]) => values.reduce((sum, v) => sum + v * v, 0)
    const flat = (tensors: PlainTensor[]) => tensors.flatMap(({ data: values }) => Array.from(values))
    const [a, b] = [flat(found), flat(shared)]
    expect(relativeLoss).toBeCloseTo(squares(a.map((v, i) => v - b[i])) / squares(b), 4)
    tf.dispose([x, truth])
    model.dispose()
  })

  it('is the same on threads, one by one and on the reference runtime, and with joint labels', async () => {
    const model = kinked()
    const options: LeakageOptions = { iterations: 40, restarts: 3, labels: 'joint' }
    const alone = await attack(model, [2, 7, 7, 1], options)
    const together = await attack(model, [2, 7, 7, 1], { ...options, concurrency: 2 })
    expect(together.history).toEqual(alone.history)
    expect(together.data).toEqual(alone.data)
    const exact = await attack(model, [2, 7, 7, 1], { ...options, iterations: 3, runtime: 'reference' })
    const short = await attack(model, [2, 7, 7, 1], { ...options, iterations: 3 })
    for (const [i, { loss }] of exact.history.entries())
      expect(Math.abs(short.history[i].loss / loss - 1)).toBeLessThan(1e-3)
    const oneByOne = await attack(model, [2, 7, 7, 1], { ...options, batchUpdate: 'one-by-one' })
    expect(oneByOne.history).toHaveLength(40)
    model.dispose()
  })

  it('is quiet on a network without kinks: nothing is smoothed', async () => {
    const model = convNet()
    const { history, relativeLoss } = await attack(model, [1, 6, 6, 1], { preset: 'homotopy', iterations: 50 })
    expect(history.every((entry) => Number.isFinite(entry.loss))).toBe(true)
    expect(relativeLoss).toBeLessThan(1)
    model.dispose()
  })

  it('tells how far it is, and can be aborted with the best point so far', async () => {
    const model = kinked()
    const controller = new AbortController()
    const events: IterationEvent[] = []
    const { status, relativeLoss } = await attack(model, [1, 7, 7, 1], {
      iterations: 100_000,
      signal: controller.signal,
      onIteration(event) {
        events.push(event)
        if (event.iteration >= 60) controller.abort()
      },
    })
    expect(status).toBe('aborted')
    expect(events[0].limits).toEqual({ iterations: 100_000, restarts: 1 })
    expect(events.every((event) => Number.isFinite(event.best))).toBe(true)
    expect(relativeLoss).toBeLessThanOrEqual(events[0].best)
    model.dispose()
  })
})

describe("preset: 'inverting-gradients'", () => {
  it('keeps the data in their range, at steps that fall at 3/8, 5/8 and 7/8', async () => {
    const model = kinked()
    const { data, history, evaluations, trials } = await attack(model, [1, 7, 7, 1], {
      preset: 'inverting-gradients',
      iterations: 80,
      dataRange: [0.2, 0.8],
    })
    expect(Math.min(...data)).toBeGreaterThanOrEqual(0.2 - 1e-6)
    expect(Math.max(...data)).toBeLessThanOrEqual(0.8 + 1e-6)
    expect(evaluations).toBe(80)
    expect(trials).toHaveLength(1)
    expect(history[79].loss).toBeLessThan(history[0].loss)
    model.dispose()
  })
})
