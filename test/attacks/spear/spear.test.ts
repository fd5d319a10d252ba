import * as tf from '@tensorflow/tfjs-core'
import { layers, type Sequential, sequential } from '@tensorflow/tfjs-layers'
import { describe, expect, it } from 'vitest'
import { proofOf } from '../../../src/analytic'
import { type Spear, type SpearOptions, spear } from '../../../src/attacks/spear'
import { type FunctionalModel, gradientsOf, type Model, type PlainTensor } from '../../../src/index'
import { ownership } from '../../tensors'
import { numbers, plain, withUniformWeights } from '../matching/tiny'
import { distances } from './batches'

const own = ownership()
const runtime = 'reference'

/** Dense layers with ReLU between them, with weights of the size that frameworks begin with. */
function network(widths: readonly number[], activation = 'relu' as const, seed = 1): Sequential {
  const model = sequential()
  widths.slice(1).forEach((units, i) => {
    const last = i === widths.length - 2
    model.add(layers.dense({ units, ...(i === 0 && { inputShape: [widths[0]] }), ...(!last && { activation }) }))
  })
  return own(withSmallWeights(model, seed))
}

function withSmallWeights(model: Sequential, seed: number): Sequential {
  withUniformWeights(model)
  const weights = model.getWeights()
  const smaller = weights.map((w, i) => {
    const bound = 1 / Math.sqrt((weights[i - (i % 2)].shape[0] as number) ?? 1)
    return tf.tensor(numbers(w.size, seed * 100 + i, -bound, bound), w.shape)
  })
  model.setWeights(smaller)
  tf.dispose(smaller)
  return model
}

const inputs = (shape: number[], seed = 5, low = -1.7, high = 1.7): tf.Tensor =>
  own(tf.tensor(numbers(tf.util.sizeFromShape(shape), seed, low, high), shape))

const rowsOf = (x: tf.Tensor): Float64Array[] => {
  const width = x.size / x.shape[0]
  return Array.from({ length: x.shape[0] }, (_, s) => Float64Array.from(x.dataSync().slice(s * width, (s + 1) * width)))
}

const worst = (x: tf.Tensor, { data }: Spear): number => Math.max(...distances(rowsOf(x), data!.dataSync()))

type Shared = Record<string, PlainTensor>

const share = async (
  model: Model,
  x: tf.Tensor,
  y: readonly number[] | tf.Tensor,
  options: object = {},
): Promise<Shared> => plain(await gradientsOf(model, x, y, { runtime, ...options }))

const attack = async (model: Model, shared: Parameters<typeof spear>[1], options: SpearOptions = {}) =>
  own(await spear(model, shared, { runtime, ...options }))

const turned = (shared: Shared, change: (v: number) => number): Shared =>
  Object.fromEntries(
    Object.entries(shared).map(([name, { shape, data }]) => [name, { shape, data: Float64Array.from(data, change) }]),
  )

describe('a batch is exact: masks agree, and its gradient is the shared one', () => {
  it.each([1, 4, 8])(
    '%i pictures with their labels',
    async (samples) => {
      const model = sequential()
      model.add(layers.flatten({ inputShape: [12, 12, 1] }))
      model.add(layers.dense({ units: 120, activation: 'relu' }))
      model.add(layers.dense({ units: 10 }))
      own(withSmallWeights(model, 3))
      const x = inputs([samples, 12, 12, 1], 5, 0, 1)
      const labels = [3, 3, 0, 9, 1, 7, 3, 2].slice(0, samples)
      const shared = await share(model, x, labels)
      const found = await attack(model, shared)
      expect(found).toMatchObject({ status: 'exact', reason: undefined, batchSize: samples, agreement: 1 })
      expect(found.data!.shape).toEqual([samples, 12, 12, 1])
      expect(worst(x, found)).toBeLessThan(1e-5)
      expect([...found.labels!].sort()).toEqual([...labels].sort())
      // each row has the label of its own sample
      rowsOf(found.data!).forEach((row, s) => {
        const at = rowsOf(x).findIndex((sample) => distances([sample], row)[0] < 1e-3)
        expect(found.labels![s]).toBe(labels[at])
      })
      const proof = await proofOf(model, { data: found.data!, labels: found.labels! }, shared, { runtime })
      expect(proof.proven).toBe(true)
      expect(found.residual!).toBeCloseTo(proof.residual, 6)
    },
    60_000,
  )

  it('with several hidden layers, two classes, a sum for a loss, and batchSize given', async () => {
    const model = network([30, 80, 40, 2])
    const x = inputs([6, 30])
    const shared = await share(model, x, [0, 1, 1, 0, 1, 0], { reduction: 'sum' })
    const found = await attack(model, shared, { batchSize: 6, reduction: 'sum' })
    expect(found.status).toBe('exact')
    expect(worst(x, found)).toBeLessThan(1e-5)
  }, 60_000)

  it('of one output that is a bit, and of targets that are numbers', async () => {
    const x = inputs([4, 30])
    const bit = network([30, 80, 40, 1])
    const bits = await attack(bit, await share(bit, x, [0, 1, 1, 0], { criterion: 'binaryCrossEntropy' }), {
      criterion: 'binaryCrossEntropy',
    })
    expect(bits.status).toBe('exact')
    expect([...bits.labels!].sort()).toEqual([0, 0, 1, 1])
    const model = network([30, 80, 3])
    const y = inputs([4, 3], 8)
    const numbersFound = await attack(model, await share(model, x, y, { criterion: 'meanSquaredError' }), {
      criterion: 'meanSquaredError',
    })
    expect(numbersFound).toMatchObject({ status: 'exact', labels: undefined })
    for (const found of [bits, numbersFound]) expect(worst(x, found)).toBeLessThan(1e-5)
  }, 60_000)

  it('without a proof where fewer units than targets lie between: the rows are right, and what they were trained for is open', async () => {
    const x = inputs([2, 10])
    const model = network([10, 40, 3, 5])
    const shared = await share(model, x, inputs([2, 5], 8), { criterion: 'meanSquaredError' })
    const found = await attack(model, shared, { criterion: 'meanSquaredError' })
    expect(found.status).toBe('agreed')
    expect(found.reason).toContain('no equations for its targets')
    expect(worst(x, found)).toBeLessThan(1e-5)
  }, 60_000)

  it('of a functional model with its weight turned, and a ReLU that is a maximum', async () => {
    const weights = {
      w1: own(tf.tensor(numbers(60 * 20, 1, -0.2, 0.2), [60, 20])),
      b1: own(tf.tensor(numbers(60, 2, -0.2, 0.2))),
      w2: own(tf.tensor(numbers(60 * 5, 3, -0.2, 0.2), [60, 5])),
    }
    const model: FunctionalModel = {
      inputShape: [20],
      weights,
      apply: (x, w) => {
        const z = tf.add(tf.matMul(x as tf.Tensor2D, w.w1 as tf.Tensor2D, false, true), w.b1)
        return tf.matMul(tf.maximum(z, tf.scalar(0)) as tf.Tensor2D, w.w2 as tf.Tensor2D)
      },
    }
    const x = inputs([3, 20])
    const found = await attack(model, await share(model, x, [1, 4, 0]))
    expect(found.status).toBe('exact')
    expect(worst(x, found)).toBeLessThan(1e-5)
  }, 60_000)
})

describe('what was shared may be more or less than the gradient', () => {
  const labels = [2, 0, 4, 1]

  it('an update of one step, with weights in float32', async () => {
    const model = network([30, 80, 5])
    const x = inputs([4, 30])
    const gradient = await share(model, x, labels)
    const before = Object.fromEntries(model.weights.map((w) => [w.originalName, w.read()]))
    const names = Object.keys(gradient)
    const after = Object.fromEntries(
      names.map((name, i) => {
        const values = Object.values(before)[i].dataSync()
        return [
          name,
          { shape: gradient[name].shape, data: Float32Array.from(values, (v, k) => v - 0.05 * gradient[name].data[k]) },
        ]
      }),
    )
    const found = await attack(model, { after }, { update: { learningRate: 0.05 } })
    expect(['exact', 'noisy']).toContain(found.status)
    expect(found.rank).toBe(4)
    expect(worst(x, found)).toBeLessThan(1e-2)
  }, 60_000)

  it('several steps of a small learning rate: masks agree, and no proof is claimed', async () => {
    const model = network([30, 80, 5])
    const x = inputs([4, 30])
    const start = model.getWeights().map((w) => w.clone())
    const delta: Record<string, PlainTensor> = {}
    for (let step = 0; step < 3; step++) {
      const gradient = await share(model, x, labels)
      const moved = Object.values(gradient).map(({ shape, data }, i) =>
        tf.tidy(() => tf.sub(model.getWeights()[i], tf.mul(1e-3, tf.tensor(data as Float32Array, [...shape])))),
      )
      for (const [i, name] of Object.keys(gradient).entries()) {
        const sum = delta[name]?.data ?? new Float64Array(gradient[name].data.length)
        delta[name] = {
          shape: gradient[name].shape,
          data: Float64Array.from(sum, (v, k) => v - 1e-3 * gradient[name].data[k]),
        }
        expect(moved[i].shape).toEqual(gradient[name].shape)
      }
      model.setWeights(moved)
      tf.dispose(moved)
    }
    model.setWeights(start)
    tf.dispose(start)
    const found = await attack(model, { delta }, { batchSize: 4, update: { learningRate: 1e-3, epochs: 3 } })
    expect(found.status).not.toBe('exact')
    expect(worst(x, found)).toBeLessThan(1e-2)
    expect(found.reason).toBeDefined()
  }, 60_000)

  it('another scale, known or fitted', async () => {
    const model = network([30, 80, 5])
    const x = inputs([4, 30])
    const shared = turned(await share(model, x, labels), (v) => v / 7)
    for (const scale of [1 / 7, 'auto'] as const) {
      const found = await attack(model, shared, { scale })
      expect(found.status).toBe('exact')
      expect([...found.labels!].sort()).toEqual([0, 1, 2, 4])
    }
  }, 60_000)

  it.each([1 / 7, -1, -0.3])(
    'another scale that nobody stated, %d: the rows are right, and not called exact',
    async (factor) => {
      const model = network([30, 80, 5])
      const x = inputs([4, 30])
      const found = await attack(
        model,
        turned(await share(model, x, labels), (v) => factor * v),
      )
      expect(found.status).toBe('agreed')
      expect(found.reason).toContain(`what was shared may have a factor (scale: ${factor.toPrecision(3)})`)
      expect([...found.labels!].sort()).toEqual([0, 1, 2, 4])
      expect(worst(x, found)).toBeLessThan(1e-5)
    },
  )

  it('the first layer alone', async () => {
    const model = network([30, 80, 5])
    const x = inputs([4, 30])
    const [[weight, w], [bias, b]] = Object.entries(await share(model, x, labels))
    const found = await attack(model, { [weight]: w, [bias]: b }, { missing: 'allowed' })
    expect(found.status).toBe('exact')
    expect(worst(x, found)).toBeLessThan(1e-5)
  }, 60_000)

  it('rounded to 11 bits as in fp16: near, and not called exact', async () => {
    const model = network([30, 120, 5])
    const x = inputs([4, 30])
    const round = (v: number) => {
      const unit = v === 0 ? 1 : 2 ** (Math.floor(Math.log2(Math.abs(v))) - 10)
      return Math.round(v / unit) * unit
    }
    const found = await attack(model, turned(await share(model, x, labels), round))
    expect(found.rank).toBe(4)
    expect(['noisy', 'unproven', 'budget']).toContain(found.status)
    expect(found.noise).toBeGreaterThan(1e-5)
    if (found.status === 'noisy') expect(worst(x, found)).toBeLessThan(1e-2)
  }, 60_000)
})

describe('nothing wrong is called exact', () => {
  it('the mean of two samples that turn on the same units, with two classes: one row whose masks agree', async () => {
    const weights = {
      w1: own(tf.tensor(numbers(60 * 20, 1, -0.2, 0.2), [20, 60])),
      b1: own(tf.zeros([60])),
      w2: own(tf.tensor(numbers(60 * 2, 3, -0.2, 0.2), [60, 2])),
    }
    const model: FunctionalModel = {
      inputShape: [20],
      weights,
      apply: (x, w) =>
        tf.matMul(
          tf.relu(tf.add(tf.matMul(x as tf.Tensor2D, w.w1 as tf.Tensor2D), w.b1)) as tf.Tensor2D,
          w.w2 as tf.Tensor2D,
        ),
    }
    const row = numbers(20, 7, -1, 1)
    const x = own(tf.tensor([...row, ...row.map((v) => 3 * v)], [2, 20]))
    const shared = await share(model, x, [1, 1])
    const found = await attack(model, shared)
    expect(found).toMatchObject({ status: 'unproven', rank: 1, agreement: 1 })
    expect(found.reason).toMatch(/a row may be the mean of several samples/)
    const known = await attack(model, shared, { batchSize: 2 })
    expect(known.status).toBe('refused')
    expect(known.reason).toMatch(/the gradient shows 1 sample of 2/)
  })

  it.each([
    ['one class and small weights', 3, 1e-3, undefined, /so would the means of several samples in proportion/],
    ['two classes and a factor that is fitted', 2, 3, 'auto', /a factor and the mean of several samples look alike/],
  ] as const)('the mean of samples in proportion, with %s', async (_, classes, size, scale, reason) => {
    const model = network([20, 60, classes])
    const small = model.getWeights().map((w, i) => own(i % 2 ? tf.zeros(w.shape) : tf.mul(w, size)))
    model.setWeights(small)
    const x = inputs([1, 20])
    const shared = await share(model, own(tf.concat([x, own(tf.mul(x, 3))])), [1, 1])
    const found = await attack(model, shared, { scale })
    expect(found).toMatchObject({ status: 'agreed', rank: 1, agreement: 1 })
    expect(found.reason).toMatch(reason)
  })

  it('the right rows, where the client trained with another loss', async () => {
    const model = network([30, 80, 3])
    const x = inputs([3, 30])
    const found = await attack(model, await share(model, x, inputs([3, 3], 8), { criterion: 'meanSquaredError' }))
    expect(found.status).toBe('unproven')
    expect(found.residual).toBeGreaterThan(1e-3)
  }, 60_000)

  it('repeated samples', async () => {
    const model = network([30, 80, 3])
    const two = inputs([2, 30])
    const x = own(tf.concat([two, own(tf.slice(two, 0, 1))]))
    const shared = await share(model, x, [0, 1, 2])
    expect(await attack(model, shared)).toMatchObject({ status: 'unproven', rank: 2 })
    expect(await attack(model, shared, { batchSize: 3 })).toMatchObject({ status: 'refused', data: undefined })
  }, 60_000)
})

describe('a model without such a layer is refused in a sentence', () => {
  const x = () => inputs([2, 8])

  it.each(['sigmoid', 'tanh', 'elu', 'selu', 'swish', 'linear'] as const)('%s', async (activation) => {
    const model = network([8, 20, 3], activation as 'relu')
    const found = await attack(model, await share(model, x(), [0, 1]), { budget: { draws: 1000 } })
    expect(found).toMatchObject({ status: 'refused', data: undefined, batchSize: 0 })
    if (activation === 'sigmoid')
      expect(found.reason).toMatch(/no ReLU alone follows the first dense layer \(there is sigmoid\)/)
  })

  it('unless it is a ReLU clipped above: exact where nothing was clipped, else masks disagree', async () => {
    const model = network([8, 60, 3], 'relu6' as 'relu')
    for (const [size, exact] of [
      [1, true],
      [40, false],
    ] as const) {
      const data = inputs([2, 8], 5, -size, size)
      const found = await attack(model, await share(model, data, [0, 1]), { budget: { draws: 1000 } })
      expect(found.status === 'exact').toBe(exact)
      expect(found.agreement === 1).toBe(exact)
    }
  })

  it('without a bias, or whose first layer is a convolution', async () => {
    const flat = sequential()
    flat.add(layers.dense({ inputShape: [8], units: 12, activation: 'relu', useBias: false }))
    flat.add(layers.dense({ units: 3 }))
    own(flat)
    const conv = sequential()
    conv.add(layers.conv2d({ inputShape: [4, 4, 1], filters: 3, kernelSize: 3, activation: 'relu' }))
    conv.add(layers.flatten())
    conv.add(layers.dense({ units: 3 }))
    own(conv)
    for (const [model, data] of [
      [flat, x()],
      [conv, inputs([2, 4, 4, 1])],
    ] as const) {
      const found = await attack(model, await share(model, data, [0, 1]))
      expect(found.status).toBe('refused')
      expect(found.reason).toMatch(/does not begin with a dense layer with a bias/)
    }
  })

  it('whose weights, or whose z, something else reads too', async () => {
    const weights = {
      w: own(tf.tensor(numbers(64, 1, -0.5, 0.5), [8, 8])),
      b: own(tf.tensor(numbers(8, 2, -0.5, 0.5))),
    }
    const layer = (x: tf.Tensor, w: tf.NamedTensorMap) => tf.add(tf.matMul(x as tf.Tensor2D, w.w as tf.Tensor2D), w.b)
    const models: [FunctionalModel['apply'], RegExp][] = [
      [(x, w) => tf.matMul(tf.relu(layer(x, w)) as tf.Tensor2D, w.w as tf.Tensor2D), /used more than once/],
      [(x, w) => tf.add(tf.relu(layer(x, w)), w.b), /used more than once/],
      [(x, w) => tf.add(tf.relu(layer(x, w)), tf.sigmoid(layer(x, w))), /no ReLU alone follows/],
    ]
    for (const [apply, reason] of models) {
      const model: FunctionalModel = { inputShape: [8], weights, apply }
      const found = await attack(model, await share(model, x(), [0, 1]))
      expect(found.status).toBe('refused')
      expect(found.reason).toMatch(reason)
    }
  })
})

describe('it can be ended, and owns nothing of the caller', () => {
  it('by a signal', async () => {
    const model = network([60, 100, 5])
    const x = inputs([30, 60])
    const shared = await share(
      model,
      x,
      Array.from({ length: 30 }, (_, s) => s % 5),
    )
    const controller = new AbortController()
    const found = await attack(model, shared, { signal: controller.signal, onProgress: () => controller.abort() })
    expect(found.status).toBe('aborted')
  }, 60_000)

  it('wrong options are refused before any work', async () => {
    const model = network([8, 12, 3])
    const shared = await share(model, inputs([1, 8]), [0])
    for (const [options, code] of [
      [{ batchSize: 0.5 }, 'invalid-option'],
      [{ tolerance: 2 }, 'invalid-option'],
      [{ labels: 'infer' }, 'invalid-option'],
      [{ seed: 'x' }, 'invalid-option'],
      [{ budget: { draws: -1 } }, 'budget'],
      [{ signal: AbortSignal.abort() }, 'aborted'],
    ] as const)
      await expect(attack(model, shared, options as SpearOptions)).rejects.toMatchObject({ name: 'DlgError', code })
    await expect(attack(model, { other: shared[Object.keys(shared)[0]] })).rejects.toMatchObject({
      code: 'invalid-gradients',
    })
  })
})
