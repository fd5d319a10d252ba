import * as tf from '@tensorflow/tfjs-core'
import { type LayersModel, layers, sequential } from '@tensorflow/tfjs-layers'
import { describe, expect, it } from 'vitest'
import { deepLeakage, gradientsOf, type Leakage, type LeakageOptions } from '../../src/index'
import { lenet } from '../../src/models/lenet'
import {
  convNet,
  functionalNet,
  functionalWeights,
  numbers,
  sample,
  withUniformWeights,
} from '../attacks/matching/tiny'
import { ownership } from '../tensors'

const own = ownership()

type Layer = Parameters<ReturnType<typeof sequential>['add']>[0]

const build = (...stack: Layer[]) => {
  const model = own(sequential())
  for (const layer of stack) model.add(layer)
  return withUniformWeights(model)
}

interface Audit {
  readonly y?: readonly number[] | tf.Tensor
  readonly seed?: number
  readonly data?: tf.Tensor
  readonly options?: LeakageOptions
}

/** A client shares the gradient of noise, and what is found is asked for its certainty. */
async function audit(model: LayersModel, { y = [1], seed = 99, data, options = {} }: Audit = {}) {
  const { batchSize = 1, criterion } = options
  const x = data ?? own(sample([batchSize, ...(model.inputs[0].shape.slice(1) as number[])], seed))
  const shared = await gradientsOf(model, x, y, { criterion })
  for (const t of Object.values(shared)) own(t)
  const leak = own(await deepLeakage(model, shared, { restarts: 2, certainty: true, preset: 'robust', ...options }))
  const error = leak.data.dataSync().map((v, i) => Math.abs(v - x.dataSync()[i]))
  return {
    leak,
    certainty: leak.certainty!,
    error,
    mask: Array.from(leak.certainty?.undetermined.data.dataSync() ?? []),
  }
}

const rms = (values: ArrayLike<number>): number =>
  Math.sqrt(Array.from(values).reduce((sum, v) => sum + v * v, 0) / values.length)

/** 10×10 pixels under a 3×3 filter of stride 2: the last row and column are not read. */
const stride = (size: number, activation: 'sigmoid' | 'relu' = 'sigmoid') =>
  build(
    layers.conv2d({ inputShape: [size, size, 1], filters: 4, kernelSize: 3, strides: 2, activation }),
    layers.flatten(),
    layers.dense({ units: 4 }),
  )

function withBias<M extends LayersModel>(model: M, bias: number): M {
  const [kernel, first, ...rest] = model.getWeights()
  const filled = own(tf.fill(first.shape, bias))
  model.setWeights([kernel, filled, ...rest])
  return model
}

describe('a match is undetermined', () => {
  it('in the 19 pixels of 100 that no filter reads, and only there', async () => {
    for (const seed of [1, 2, 3]) {
      const { leak, certainty, mask, error } = await audit(stride(10), { seed })
      expect(leak.status).toBe('undetermined')
      expect(mask).toEqual(Array.from({ length: 100 }, (_, i) => (i % 10 === 9 || i >= 90 ? 1 : 0)))
      expect(certainty).toMatchObject({ determined: false, fraction: 0.19, free: 0, examined: 'every direction' })
      expect(certainty.undetermined.labels).toEqual([])
      expect(rms(error.filter((_, i) => mask[i] === 0))).toBeLessThan(1e-2)
      expect(rms(error.filter((_, i) => mask[i] === 1))).toBeGreaterThan(0.1)
    }
  })

  it('in the 960 unread numbers of 1,728, for at most 200 evaluations', async () => {
    const model = build(
      layers.conv2d({ inputShape: [24, 24, 3], filters: 8, kernelSize: 4, strides: 2, activation: 'sigmoid' }),
      layers.cropping2D({ cropping: 2 }),
      layers.flatten(),
      layers.dense({ units: 4 }),
    )
    const { certainty, mask } = await audit(model)
    const read = (i: number) => {
      const [row, column] = [Math.floor(i / 72), Math.floor((i % 72) / 3)]
      return row >= 4 && row < 20 && column >= 4 && column < 20
    }
    expect(mask).toEqual(Array.from({ length: 1728 }, (_, i) => (read(i) ? 0 : 1)))
    expect(certainty.evaluations).toBeLessThanOrEqual(200)
  })

  it.each([
    ['dead', () => withBias(stride(11, 'relu'), -50)],
    ['saturated by 15', () => withBias(stride(11), 15)],
    ['saturated by 30', () => withBias(stride(11), 30)],
  ])('in all data behind units that are %s, and the label is not', async (_, model) => {
    for (const labels of ['joint', 'infer'] as const) {
      const { leak, certainty, mask } = await audit(model(), { options: { labels } })
      expect(leak.status).toBe('undetermined')
      expect(certainty.fraction).toBe(1)
      expect(mask.every((v) => v === 1)).toBe(true)
      expect(certainty.undetermined.labels).toEqual([])
      expect(leak.labels).toEqual([1])
    }
  })

  it('in 63 of 64 directions where only the average is read, and they keep the average', async () => {
    const model = build(
      layers.globalAveragePooling2d({ inputShape: [8, 8, 1] }),
      layers.dense({ units: 8, activation: 'sigmoid' }),
      layers.dense({ units: 4 }),
    )
    const { leak, certainty } = await audit(model)
    expect(leak.status).toBe('undetermined')
    expect(certainty).toMatchObject({ free: 63, fraction: 1 })
    for (const { inputs } of certainty.directions) {
      const change = Array.from(Object.values(inputs)[0].dataSync())
      expect(Math.abs(change.reduce((a, b) => a + b, 0))).toBeLessThan(1e-3)
      expect(change.reduce((most, v) => Math.max(most, Math.abs(v)), 0)).toBeCloseTo(1, 5)
    }
  })

  it('in mixtures of two samples, one less of them than numbers in a sample', async () => {
    const model = build(layers.dense({ inputShape: [12], units: 1 }))
    const y = own(tf.tensor([[0.3], [-0.4]]))
    for (const seed of [1, 2, 3, 4]) {
      const options = { batchSize: 2, criterion: 'meanSquaredError', labels: { targets: y } } as const
      const { leak, certainty, error, mask } = await audit(model, { y, seed, options })
      expect(leak.status).toBe('undetermined')
      // 24 unknowns, and 13 numbers were shared
      expect(certainty.free).toBe(11)
      expect(rms(error.filter((_, i) => mask[i] === 1))).toBeGreaterThan(0.05)
    }
  })

  it('in the label and the factor, where two classes have one number between them', async () => {
    const two = build(layers.dense({ inputShape: [12], units: 8, activation: 'sigmoid' }), layers.dense({ units: 2 }))
    for (const seed of [1, 2, 3, 4, 5]) {
      const { leak, certainty } = await audit(two, { seed, options: { scale: 'auto' } })
      expect(leak.status).toBe('undetermined')
      expect(certainty.undetermined.labels).toEqual([two.outputNames[0]])
      expect(certainty.undetermined.scale).toBe(true)
      expect(certainty.fraction).toBe(0)
    }
  })

  it('in soft labels of any number of classes, where a factor is fitted', async () => {
    // p + t (q − p) has the gradient of q, t times
    const { leak, certainty, error } = await audit(own(convNet()), { y: [2], options: { scale: 'auto' } })
    expect(leak.status).toBe('undetermined')
    expect(certainty).toMatchObject({ free: 1, fraction: 0 })
    expect(certainty.undetermined).toMatchObject({ labels: [expect.any(String)], scale: true })
    const [{ targets }] = certainty.directions
    const change = Array.from(Object.values(targets)[0].dataSync())
    expect(Math.abs(change.reduce((a, b) => a + b, 0))).toBeLessThan(1e-4)
    expect(rms(error)).toBeLessThan(1e-3)
    // the labels of one class among them, and their factor
    expect(leak.labels).toEqual([2])
    expect(leak.scale).toBeCloseTo(1, 3)
  })

  it('in most of 48 time steps of an LSTM, the early ones', async () => {
    const model = build(
      layers.lstm({ inputShape: [48, 1], units: 8, recurrentInitializer: 'glorotUniform' }),
      layers.dense({ units: 4 }),
    )
    const { leak, certainty, mask } = await audit(model, { options: { labels: 'infer', restarts: 1 } })
    expect(leak.status).toBe('undetermined')
    expect(certainty.fraction).toBeGreaterThan(0.5)
    expect(mask.slice(0, 16).every((v) => v === 1)).toBe(true)
    expect(mask[47]).toBe(0)
  }, 30_000)
})

describe('a match is determined', () => {
  it('with a cosine, whose labels are put where the factor is the stated one', async () => {
    for (const seed of [1, 2, 3]) {
      const { leak, error } = await audit(own(convNet()), { y: [2], seed, options: { distance: 'cosine' } })
      expect(leak).toMatchObject({ status: 'converged', labels: [2], scale: 1 })
      expect(leak.labelProbabilities.dataSync()[2]).toBeCloseTo(1, 2)
      expect(rms(error)).toBeLessThan(1e-3)
    }
  })

  it('with two classes where the factor is known, and with a fitted factor where the label is', async () => {
    for (const [units, scale, labels] of [
      [2, 1, 'joint'],
      [4, 'auto', [1]],
    ] as const)
      for (const seed of [1, 2, 3]) {
        const model = build(
          layers.dense({ inputShape: [12], units: 8, activation: 'sigmoid' }),
          layers.dense({ units }),
        )
        const { leak, certainty } = await audit(model, { seed, options: { scale, labels } })
        expect(leak.status).toBe('converged')
        expect(certainty).toMatchObject({ determined: true, fraction: 0, free: 0, directions: [] })
        expect(certainty.undetermined).toMatchObject({ labels: [], scale: false })
      }
  })

  it.each<LeakageOptions>([
    { distance: 'cosine', labels: 'infer' },
    { distance: 'balanced' },
    { labels: 'infer' },
    { preset: 'paper', iterations: 60 },
    { runtime: 'reference' },
    { runtime: 'tfjs' },
    { dataRange: [-1, 1] },
  ])('with %j', async (options) => {
    const { leak, certainty } = await audit(own(convNet()), { y: [2], options: { restarts: 1, ...options } })
    expect(leak.status).toBe('converged')
    expect(certainty.determined).toBe(true)
  })

  it('of a LeNet on smooth images, over 4 seeds', async () => {
    for (const seed of [1, 2, 3, 4]) {
      const [a, b, c] = numbers(3, seed, 1, 5)
      const smooth = (i: number) => {
        const [row, column, channel] = [Math.floor(i / 48), Math.floor((i % 48) / 3), i % 3]
        return 0.5 + 0.4 * Math.sin((a * row + b * column) / 16 + c * channel)
      }
      const data = own(
        tf.tensor(
          Float32Array.from({ length: 768 }, (_, i) => smooth(i)),
          [1, 16, 16, 3],
        ),
      )
      const model = own(lenet({ seed, size: 16, classes: 10, init: 'default' }))
      const { leak, certainty } = await audit(model, { data })
      expect(leak.status).toBe('converged')
      expect(certainty).toMatchObject({ determined: true, fraction: 0, examined: 'a subspace' })
      expect(certainty.evaluations).toBeLessThanOrEqual(200)
    }
  }, 60_000)
})

describe('error bars', () => {
  it('are as large as the errors, and those of a uniform distribution where nothing is read', async () => {
    const { certainty, error, mask } = await audit(stride(10), { options: { certainty: 'bars' } })
    const bars = Object.values(certainty.bars!)[0].dataSync()
    const [seen, unseen] = [0, 1].map((kind) => bars.filter((_, i) => mask[i] === kind))
    for (const v of unseen) expect(v).toBeGreaterThanOrEqual(Math.fround(1 / Math.sqrt(12)))
    expect(rms(seen)).toBeLessThan(0.05)
    expect(rms(seen)).toBeGreaterThan(rms(error.filter((_, i) => mask[i] === 0)) / 30)
  })

  it('cover the errors of a match that float32 ends', async () => {
    const { certainty, error, leak } = await audit(own(convNet()), { options: { certainty: 'bars' } })
    expect(leak.relativeLoss).toBeLessThan(1e-11)
    const bars = Object.values(certainty.bars!)[0].dataSync()
    expect(rms(bars)).toBeGreaterThan(rms(error))
    expect(rms(bars)).toBeLessThan(10 * rms(error))
    const outside = error.filter((v, i) => Math.abs(v) > 2 * bars[i]).length
    expect(outside).toBeLessThanOrEqual(0.05 * error.length)
  })

  it('are not there unless asked for', async () => {
    expect((await audit(own(convNet()))).certainty.bars).toBeUndefined()
  })
})

describe('the work', () => {
  const attack = async (options: LeakageOptions): Promise<Leakage> => (await audit(own(convNet()), { options })).leak

  it('can be left out', async () => {
    const { certainty, status } = await attack({ certainty: false })
    expect({ certainty, status }).toEqual({ certainty: undefined, status: 'converged' })
  })

  it('is not done without a match', async () => {
    expect((await attack({ iterations: 2, restarts: 1 })).certainty).toBeUndefined()
  })

  it('gives the same for the same seed', async () => {
    const [a, b] = [await attack({}), await attack({})]
    expect(a.certainty!.floor).toBe(b.certainty!.floor)
    expect(a.certainty!.evaluations).toBe(b.certainty!.evaluations)
  })

  it('keeps to what the budget leaves', async () => {
    const { evaluations } = await attack({})
    const { certainty, status } = await attack({ budget: { evaluations: evaluations + 5 } })
    expect({ certainty, status }).toEqual({ certainty: undefined, status: 'converged' })
  })

  it('ends when the caller aborts, and what was found stays', async () => {
    const { apply, ...rest } = functionalNet(functionalWeights())
    for (const weight of Object.values(rest.weights)) own(weight)
    const model = { ...rest, apply }
    const x = own(sample([1, 8]))
    const shared = await gradientsOf(model, x, [1])
    for (const t of Object.values(shared)) own(t)
    const whole = own(await deepLeakage(model, shared, { certainty: false }))
    const abort = new AbortController()
    const leak = own(
      await deepLeakage(model, shared, {
        certainty: 'bars',
        signal: abort.signal,
        onIteration: ({ iteration }) => {
          if (iteration === whole.history[whole.history.length - 1].iteration) setTimeout(() => abort.abort())
        },
      }),
    )
    expect(leak.certainty?.bars).toBeUndefined()
    expect(leak.data.dataSync().length).toBe(8)
  })

  it('refuses what it does not know', async () => {
    const x = own(sample([1, 6, 6, 1]))
    const model = own(convNet())
    const shared = await gradientsOf(model, x, [1])
    for (const t of Object.values(shared)) own(t)
    const wrong = deepLeakage(model, shared, { certainty: 'bar' as unknown as 'bars' })
    await expect(wrong).rejects.toMatchObject({
      code: 'invalid-option',
      message: "certainty is 'bar'; it must be true, false or 'bars'",
    })
  })
})

describe('how many samples there were is not determined', () => {
  const linear = (units: number, inputs = 8) => build(layers.dense({ inputShape: [inputs], units }))

  it.each([
    ['two classes, of four samples', 8, [0, 1, 0, 0]],
    ['two classes, of four samples of one class', 8, [1, 1, 1, 1]],
    ['two classes, of one sample', 8, [1]],
    ['two classes, where unknowns are many', 200, [0, 0, 0]],
  ])('where a linear model has %s', async (_, inputs, y) => {
    const model = linear(2, inputs)
    const shared = await gradientsOf(model, own(sample([y.length, inputs], 4)), y)
    for (const t of Object.values(shared)) own(t)
    const leak = own(await deepLeakage(model, shared, { restarts: 2 }))
    expect(leak.status).toBe('undetermined')
    // a label that is not of one class says that already
    expect(leak.certainty?.mixtures || leak.scale === undefined).toBe(true)
  })

  it('where a linear model has one output, near its target and far from it', async () => {
    const model = linear(1)
    for (const target of [0, 0.3, 1, 5]) {
      const y = own(tf.fill([3, 1], target))
      const shared = await gradientsOf(model, own(sample([3, 8], 4)), y, { criterion: 'meanSquaredError' })
      for (const t of Object.values(shared)) own(t)
      const leak = own(await deepLeakage(model, shared, { criterion: 'meanSquaredError' }))
      expect(leak.status).toBe('undetermined')
    }
  })

  it('and is where it has more of them', async () => {
    const { leak, certainty } = await audit(linear(5), {})
    expect(leak.status).toBe('converged')
    expect(certainty.mixtures).toBe(false)
  })

  it('where weights are small, and samples in proportion turn on the same units of a ReLU', async () => {
    const model = own(
      sequential({
        layers: [layers.dense({ inputShape: [8], units: 12, activation: 'relu' }), layers.dense({ units: 5 })],
      }),
    )
    model.setWeights(
      model.getWeights().map((w, i) => own(i % 2 ? tf.zeros(w.shape) : tf.mul(own(sample(w.shape, i)), 1e-3))),
    )
    const x = own(sample([1, 8], 3))
    const shared = await gradientsOf(model, own(tf.concat([x, own(tf.mul(x, 3))])), [1, 1])
    for (const t of Object.values(shared)) own(t)
    const leak = own(await deepLeakage(model, shared, { labels: [1], preset: 'robust' }))
    expect(leak.status).toBe('undetermined')
    expect(leak.certainty?.mixtures).toBe(true)
  })
})
