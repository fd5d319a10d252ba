import * as tf from '@tensorflow/tfjs-core'
import { initializers, layers, sequential } from '@tensorflow/tfjs-layers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DlgError, type FunctionalModel, gradientsOf, type Model, type SharedGradients } from '../../src'
import { proofOf } from '../../src/analytic'
import { denseNet, numbers, plain, sample, withUniformWeights } from '../attacks/matching/tiny'

type Shared = ReturnType<typeof plain>

let model: ReturnType<typeof denseNet>
let data: tf.Tensor
let shared: Shared
let kernel: string

beforeEach(async () => {
  await tf.setBackend('cpu')
  model = denseNet()
  data = sample([1, 8])
  shared = plain(await gradientsOf(model, data, [2], { runtime: 'reference' }))
  kernel = Object.keys(shared)[0]
})
afterEach(() => {
  data.dispose()
  model.dispose()
})

const proof = (gradients: SharedGradients, tolerance?: number, of: Model = model) =>
  proofOf(of, { data, labels: [2] }, gradients, { runtime: 'reference', tolerance })

/** The same gradient and data at another scale, in float64. */
const scaled = ({ shape, data }: Shared[string], scale: number) => ({
  shape,
  data: Float64Array.from(data as Float32Array, (v) => v * scale),
})

describe('a proof', () => {
  it('asks which weights were shared: behind a square the others say nothing of signs', async () => {
    const net: FunctionalModel = {
      inputShape: [2],
      weights: {
        first: tf.tensor([1, 0, 0, 1], [2, 2]),
        second: tf.tensor(numbers(20, 1, -1, 1), [2, 10]),
        head: tf.tensor(numbers(30, 2, -1, 1), [10, 3]),
      },
      apply: (x, w) => {
        const read = tf.square(tf.add(tf.matMul(x as tf.Tensor2D, w.first as tf.Tensor2D), 0.3))
        return tf.matMul(tf.tanh(tf.matMul(read as tf.Tensor2D, w.second as tf.Tensor2D)), w.head as tf.Tensor2D)
      },
    }
    const [own, twin] = [tf.tensor([[0.4, 0.8]]), tf.tensor([[-1, -1.4]])]
    const { first, ...part } = plain(await gradientsOf(net, own, [1], { runtime: 'reference' }))
    const proven = async (of: tf.Tensor, given: SharedGradients) =>
      (await proofOf(net, { data: of, labels: [1] }, given, { runtime: 'reference' })).proven
    expect(await proven(own, { first, ...part })).toBe(true)
    expect(await proven(twin, { first, ...part })).toBe(false)
    expect(await proven(own, part)).toBe(false)
    expect(await proven(twin, part)).toBe(false)
    tf.dispose([own, twin, Object.values(net.weights)])
  })

  it('refuses what is wrong before any work', async () => {
    const compiled: unknown[] = []
    const runtime = { name: 'none', precision: 'float64', compile: (program: unknown) => compiled.push(program) }
    const refused = (gradients: unknown, tolerance?: number) =>
      proofOf(model, { data, labels: [2] }, gradients as SharedGradients, { runtime: runtime as never, tolerance })
    await expect(refused(shared, 2)).rejects.toThrow(/tolerance is 2/)
    await expect(refused({ ...shared, w9: shared[kernel] })).rejects.toThrow(/'w9' is of no trained weight/)
    await expect(refused({ [kernel]: { shape: [1], data: [1] } })).rejects.toThrow(/has shape \[1\]; the weight has/)
    await expect(refused({ [kernel]: scaled(shared[kernel], 0) })).rejects.toThrow(/every shared gradient is zero/)
    expect(compiled).toHaveLength(0)
  })

  it('holds for all gradients, for some, and for a list', async () => {
    const alone = { [kernel]: shared[kernel] }
    for (const given of [shared, alone, Object.values(shared)])
      expect(await proof(given)).toEqual({ residual: 0, determined: true, proven: true })
  })

  it.each([1e200, 1e-200])('at a scale of %s is refused by its residual, not by its squares', async (scale) => {
    const { residual, proven } = await proof({ [kernel]: scaled(shared[kernel], scale) })
    expect(proven).toBe(false)
    // ‖g − s g‖ / ‖s g‖ = |1 / s − 1|
    expect(residual / Math.abs(1 / scale - 1)).toBeCloseTo(1, 10)
  })

  it('takes a list in the order of the weights, whatever an object does to their names', async () => {
    const weights = {
      b: tf.tensor(numbers(3, 1), [3]),
      10: tf.tensor(numbers(24, 2), [8, 3]),
    }
    const functional: FunctionalModel = {
      inputShape: [8],
      weights,
      apply: (x, w) => tf.add(tf.matMul(x as tf.Tensor2D, w[10] as tf.Tensor2D), w.b),
    }
    const own = plain(await gradientsOf(functional, data, [2], { runtime: 'reference' }))
    expect(await proof({ b: own.b, 10: own[10] }, undefined, functional)).toMatchObject({ proven: true })
    expect(
      await proof(
        Object.keys(weights).map((name) => own[name]),
        undefined,
        functional,
      ),
    ).toMatchObject({ proven: true })
    tf.dispose(weights)
  })
})

/** A sigmoid or ReLU network on 6×6 images whose first units are all shifted by a bias. */
const shifted = (bias: number, activation: 'sigmoid' | 'relu') => {
  const net = withUniformWeights(
    sequential({
      layers: [
        layers.conv2d({ inputShape: [6, 6, 1], filters: 4, kernelSize: 3, activation }),
        layers.flatten(),
        layers.dense({ units: 4 }),
      ],
    }),
  )
  const [kernel, first, ...rest] = net.getWeights()
  const filled = tf.fill(first.shape, bias)
  net.setWeights([kernel, filled, ...rest])
  filled.dispose()
  return net
}

describe('noise', () => {
  it.each([
    ['saturated by 8', 8, 'sigmoid'],
    ['saturated by 15', 15, 'sigmoid'],
    ['saturated by 30', 30, 'sigmoid'],
    ['dead', -50, 'relu'],
  ] as const)('is never proven behind units that are %s', async (_, bias, activation) => {
    const net = shifted(bias, activation)
    const [x, noise] = [sample([1, 6, 6, 1]), sample([1, 6, 6, 1], 7)]
    const gradients = plain(await gradientsOf(net, x, [2]))
    const { residual, proven, determined } = await proofOf(net, { data: noise, labels: [2] }, gradients, {
      tolerance: 1e-2,
    })
    expect(residual).toBeLessThan(1e-2)
    expect({ proven, determined }).toEqual({ proven: false, determined: false })
    tf.dispose([x, noise])
    net.dispose()
  })

  it('is not needed: data that the gradient determines are proven, and a part that it does not read is not', async () => {
    for (const [size, strides, determined] of [
      [6, 1, true],
      [10, 2, false],
    ] as const) {
      const net = withUniformWeights(
        sequential({
          layers: [
            layers.conv2d({ inputShape: [size, size, 1], filters: 4, kernelSize: 3, strides, activation: 'sigmoid' }),
            layers.flatten(),
            layers.dense({ units: 4 }),
          ],
        }),
      )
      const x = sample([1, size, size, 1])
      const gradients = plain(await gradientsOf(net, x, [2]))
      expect(await proofOf(net, { data: x, labels: [2] }, gradients)).toMatchObject({ determined, proven: determined })
      x.dispose()
      net.dispose()
    }
  })
})

describe('what cannot be proven is refused', () => {
  const wrong: [string, string, () => unknown][] = [
    ['invalid-gradients', 'is of no trained weight', () => ({ other: shared[kernel] })],
    ['invalid-gradients', 'has shape [1]; the weight has [8, 12]', () => ({ [kernel]: { shape: [1], data: [0] } })],
    [
      'invalid-gradients',
      'has shape [12, 8]; the weight has [8, 12]',
      () => ({ [kernel]: { ...shared[kernel], shape: [12, 8] } }),
    ],
    ['invalid-gradients', 'has no data', () => ({ [kernel]: { shape: [8, 12] } })],
    [
      'invalid-gradients',
      'has 2 numbers; shape [8, 12] needs 96',
      () => ({ [kernel]: { shape: [8, 12], data: [1, 2] } }),
    ],
    ['invalid-gradients', 'must be a tensor or {shape, data}', () => ({ [kernel]: undefined })],
    [
      'invalid-gradients',
      'is NaN at position 0',
      () => ({ [kernel]: { shape: [8, 12], data: new Float32Array(96).fill(NaN) } }),
    ],
    [
      'invalid-gradients',
      'every shared gradient is zero',
      () => ({ [kernel]: { shape: [8, 12], data: new Float32Array(96) } }),
    ],
    ['invalid-gradients', 'no gradient was shared', () => ({})],
    ['invalid-gradients', '1 gradient for 4 trained weights', () => [shared[kernel]]],
    ['invalid-gradients', 'must be a list or a map', () => null],
    [
      'invalid-gradients',
      'is a disposed tensor',
      () => {
        const tensor = tf.zeros([8, 12])
        tensor.dispose()
        return { [kernel]: tensor }
      },
    ],
  ]
  it.each(wrong)('%s: %s', async (code, words, make) => {
    const tensors = tf.memory().numTensors
    const error = await proof(make() as SharedGradients).catch((thrown) => thrown)
    expect(error).toBeInstanceOf(DlgError)
    expect(error).toMatchObject({ code, message: expect.stringContaining(words) })
    expect(tf.memory().numTensors).toBe(tensors)
  })

  it('a tolerance out of range', async () => {
    await expect(proof(shared, 2)).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining('tolerance is 2'),
    })
  })
})

describe('data that the gradient does not determine', () => {
  const behind = (activation: 'relu' | 'sigmoid', bias: number) => {
    const net = sequential()
    net.add(
      layers.dense({ inputShape: [8], units: 6, activation, biasInitializer: initializers.constant({ value: bias }) }),
    )
    net.add(layers.dense({ units: 4 }))
    return net
  }

  it.each([
    ['relu', -50],
    ['sigmoid', 12],
    ['sigmoid', 20],
    ['sigmoid', 30],
  ] as const)('are never proven: noise behind a %s with a bias of %s', async (activation, bias) => {
    const net = behind(activation, bias)
    const gradient = await gradientsOf(net, data, [2])
    const noise = sample([1, 8], 5)
    const { residual, proven, determined } = await proofOf(net, { data: noise, labels: [2] }, gradient)
    expect(residual).toBeLessThan(1e-4)
    expect([proven, determined]).toEqual([false, false])
    const asked = await proofOf(net, { data: noise, labels: [2] }, gradient, { determined: false })
    expect(asked).toEqual({ residual, proven: true })
    tf.dispose([gradient, noise])
    net.dispose()
  })

  it('are not proven where the mean of several samples has the gradient of one', async () => {
    const small = (shape: number[], seed: number) => tf.tidy(() => tf.mul(sample(shape, seed), 2e-3))
    const weights = { w: small([8, 12], 1), v: small([12, 3], 2) }
    const net: FunctionalModel = {
      inputShape: [8],
      weights,
      apply: (x, { w, v }) => tf.matMul(tf.tanh(tf.matMul(x, w)), v as tf.Tensor2D),
    }
    const four = sample([4, 8], 6)
    const mean = tf.mean(four, 0, true)
    const gradient = await gradientsOf(net, four, [1, 1, 1, 1])
    const { residual, proven, determined } = await proofOf(net, { data: mean, labels: [1] }, gradient)
    expect(residual).toBeLessThan(1e-4)
    expect([proven, determined]).toEqual([false, false])
    // nor are the four themselves: only their mean shows
    const batch = await proofOf(net, { data: four, labels: [1, 1, 1, 1] }, gradient)
    expect(batch.proven).toBe(false)
    tf.dispose([four, mean, gradient, Object.values(weights)])
  })

  it('are not proven where other data far away have their gradient: mirror images, and what a square hides', async () => {
    const weights = { w: sample([3, 12], 1), v: sample([12, 4], 3) }
    const each = (x: tf.Tensor, { w, v }: tf.NamedTensorMap) => {
      const units = tf.sigmoid(tf.matMul(tf.reshape(x, [-1, 3]), w as tf.Tensor2D))
      return tf.matMul(tf.mean(tf.reshape(units, [-1, 4, 12]), 1) as tf.Tensor2D, v as tf.Tensor2D)
    }
    const anyOrder: FunctionalModel = { inputShape: [4, 3], weights, apply: each }
    const squared: FunctionalModel = { ...anyOrder, apply: (x, w) => each(tf.square(tf.sub(x, 0.4)), w) }
    const x = sample([1, 4, 3], 5)
    for (const net of [anyOrder, squared]) {
      const gradient = await gradientsOf(net, x, [1])
      const { residual, proven, determined } = await proofOf(net, { data: x, labels: [1] }, gradient)
      expect(residual).toBe(0)
      expect([proven, determined]).toEqual([false, false])
      tf.dispose(gradient)
    }
    tf.dispose([x, Object.values(weights)])
  })

  it('are not proven where windows of them in another order have their gradient', async () => {
    const net = sequential({
      layers: [
        layers.conv2d({ filters: 8, kernelSize: 2, strides: 2, activation: 'sigmoid', inputShape: [4, 6, 1] }),
        layers.globalAveragePooling2d({}),
        layers.dense({ units: 4 }),
      ],
    })
    const x = sample([1, 4, 6, 1], 5)
    const gradient = await gradientsOf(net, x, [1])
    const { residual, proven } = await proofOf(net, { data: x, labels: [1] }, gradient)
    expect([residual < 1e-6, proven]).toEqual([true, false])
    tf.dispose([x, gradient])
    net.dispose()
  })

  it('are not proven where a part of them is not read', async () => {
    const weights = { w: sample([4, 6], 1), b: sample([6], 2), v: sample([6, 3], 3) }
    const half: FunctionalModel = {
      inputShape: [8],
      weights,
      apply: (x, { w, b, v }) =>
        tf.matMul(
          tf.sigmoid(tf.add(tf.matMul(tf.slice(x, [0, 0], [-1, 4]) as tf.Tensor2D, w as tf.Tensor2D), b)),
          v as tf.Tensor2D,
        ),
    }
    const gradient = await gradientsOf(half, data, [1])
    expect(await proofOf(half, { data, labels: [1] }, gradient)).toEqual({
      residual: 0,
      proven: false,
      determined: false,
    })
    tf.dispose([gradient, Object.values(weights)])
  })

  it('refuses a switch that is none', async () => {
    const given = { runtime: 'reference', determined: 'no' } as never
    await expect(proofOf(model, { data, labels: [2] }, shared, given)).rejects.toThrow(
      "determined is 'no'; it must be true or false",
    )
  })
})
