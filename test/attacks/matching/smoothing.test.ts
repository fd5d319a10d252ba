import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { layers, sequential } from '@tensorflow/tfjs-layers'
import { describe, expect, it } from 'vitest'
import { type FunctionalModel, type LeakageOptions, onnx, reference } from '../../../src'
import { leakageOptions } from '../../../src/attacks/matching/options'
import { type Kink, smoothed, smoothedClient } from '../../../src/attacks/matching/smoothing'
import { type TracedGradient, traceGradient } from '../../../src/client/model/gradient'
import type { Model } from '../../../src/client/model/model'
import { openModel } from '../../../src/client/model/open-model'
import { openTarget, traceClient } from '../../../src/client/target'
import * as g from '../../../src/graph'
import { evaluate } from '../../../src/runtime/runtime'
import { relativeError, uniform } from '../../oracle'
import { leavesNoTensors } from '../../tensors'
import { numbers, plain, withUniformWeights } from './tiny'

leavesNoTensors()

const meanSquared = { batchSize: 1, criterion: 'meanSquaredError' } as const

/** The gradient of w · f(x) against targets of an input of their own. */
function traced(model: Model, options: LeakageOptions): TracedGradient {
  const settings = leakageOptions(options)
  const target = (node: g.Node) => g.parameter(node.graph, 'target', node.shape)
  return traceGradient(openModel(model), settings, target)
}

/** f on n numbers, weighed by a weight of ones. */
function weighed(size: number, f: (x: tf.Tensor) => tf.Tensor): TracedGradient {
  const w = tf.ones([1])
  try {
    const model: FunctionalModel = {
      inputShape: [size],
      weights: { w },
      apply: (x, weights) => tf.mul(f(x), weights.w),
    }
    return traced(model, meanSquared)
  } finally {
    w.dispose()
  }
}

/** The smoothed output of f, its first derivative along the data and its second, all summed up by ones, in float64. */
async function smooth(
  f: (x: tf.Tensor) => tf.Tensor,
  x: ArrayLike<number>,
  beta: number,
  runtime = reference(),
): Promise<number[][]> {
  const { output, data, sharpness, kinks } = smoothed(weighed(x.length, f))
  const [first] = g.grad(g.sum(output), [data])
  const [second] = g.grad(g.sum(first), [data])
  const program = { inputs: [data, sharpness], outputs: [output, first, second] }
  const found = await evaluate(runtime, program, new Map([['weight w', Float64Array.of(1)], ...unscaled(kinks)]), [
    Float64Array.from(x),
    Float64Array.of(beta),
  ])
  return found.map((values) => [...values])
}

/** Every kink at a scale of 1. */
const unscaled = (kinks: readonly Kink[]) =>
  kinks.map(({ parameter }) => [parameter.attributes.name, Float64Array.of(1)] as const)

const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v))

/** Central differences of a closed form. */
const slope = (f: (v: number) => number, v: number): number => (f(v + 1e-5) - f(v - 1e-5)) / 2e-5

/** Closed forms of one number, and what each tends to. */
const kinks: [string, (x: tf.Tensor) => tf.Tensor, (v: number, b: number) => number, (v: number) => number][] = [
  ['ReLU', tf.relu, (v, b) => v * sigmoid(b * v), (v) => Math.max(v, 0)],
  [
    'leaky ReLU',
    (x) => tf.leakyRelu(x, 0.3),
    (v, b) => 0.3 * v + 0.7 * v * sigmoid(b * v),
    (v) => (v > 0 ? v : 0.3 * v),
  ],
  [
    'PReLU',
    (x) => tf.prelu(x, tf.scalar(0.25)),
    (v, b) => 0.25 * v + 0.75 * v * sigmoid(b * v),
    (v) => (v > 0 ? v : 0.25 * v),
  ],
  [
    'ReLU6',
    tf.relu6,
    (v, b) => {
      const r = v * sigmoid(b * v)
      return r + (6 - r) * sigmoid(b * (r - 6))
    },
    (v) => Math.min(Math.max(v, 0), 6),
  ],
  [
    'a clip',
    (x) => tf.clipByValue(x, -0.5, 0.75),
    (v, b) => {
      const low = v + (-0.5 - v) * sigmoid(b * (-0.5 - v))
      return low + (0.75 - low) * sigmoid(b * (low - 0.75))
    },
    (v) => Math.min(Math.max(v, -0.5), 0.75),
  ],
  [
    'hard swish',
    (x) => tf.mul(x, tf.div(tf.relu6(tf.add(x, 3)), 6)),
    (v, b) => {
      const r = (v + 3) * sigmoid(b * (v + 3))
      return (v * (r + (6 - r) * sigmoid(b * (r - 6)))) / 6
    },
    (v) => (v * Math.min(Math.max(v + 3, 0), 6)) / 6,
  ],
  ['absolute values', tf.abs, (v, b) => v * Math.tanh(b * v), Math.abs],
  ['signs', tf.sign, (v, b) => Math.tanh(b * v), Math.sign],
  [
    'comparisons',
    (x) => tf.mul(x, tf.cast(tf.greater(x, 0.2), 'float32')),
    (v, b) => v * sigmoid(b * (v - 0.2)),
    (v) => (v > 0.2 ? v : 0),
  ],
  [
    'choices by ≥',
    (x) => tf.where(tf.greaterEqual(x, 0.2), tf.square(x), tf.mul(x, 0.2)),
    (v, b) => sigmoid(b * (v - 0.2)) * v * v + (1 - sigmoid(b * (v - 0.2))) * 0.2 * v,
    (v) => (v >= 0.2 ? v * v : 0.2 * v),
  ],
]

/** Away from every kink above. */
const points = [-4.3, -1.7, -0.6, -0.21, 0.1, 0.4, 0.9, 2.2, 7.1]

describe('kinks that are rounded off', () => {
  it.each(kinks)('%s: value and derivatives are those of the closed form', async (_, f, closed) => {
    for (const beta of [1, 5, 20]) {
      const [value, first, second] = await smooth(f, points, beta)
      const form = (v: number): number => closed(v, beta)
      expect(relativeError(value, points.map(form))).toBeLessThan(1e-6)
      expect(
        relativeError(
          first,
          points.map((v) => slope(form, v)),
        ),
      ).toBeLessThan(1e-6)
      const twice = points.map((v) => slope((u) => slope(form, u), v))
      for (const [i, found] of second.entries())
        expect(Math.abs(found - twice[i])).toBeLessThan(1e-3 * (1 + Math.abs(twice[i])))
    }
  })

  it.each(kinks)('%s: tends to what it replaces', async (_, f, __, limit) => {
    const [value, first] = await smooth(f, points, 1e3)
    points.forEach((v, i) => {
      expect(value[i]).toBeCloseTo(limit(v), 6)
      expect(first[i]).toBeCloseTo(slope(limit, v), 5)
    })
  })

  it('a maximum and a minimum of two are mixtures', async () => {
    const x = [0.4, -0.3, 1.1, 1.1]
    for (const beta of [1, 10]) {
      const of = (sign: 1 | -1) => (t: tf.Tensor) => {
        const [a, b] = tf.split(t, 2, 1)
        return sign === 1 ? tf.maximum(a, b) : tf.minimum(a, b)
      }
      const mix = (a: number, b: number, sign: number) => a + (b - a) * sigmoid(sign * beta * (b - a))
      const expected = (sign: number) => [mix(0.4, 1.1, sign), mix(-0.3, 1.1, sign)]
      expect(relativeError((await smooth(of(1), x, beta))[0], expected(1))).toBeLessThan(1e-6)
      expect(relativeError((await smooth(of(-1), x, beta))[0], expected(-1))).toBeLessThan(1e-6)
    }
  })

  it.each<[string, (x: tf.Tensor, far: tf.Tensor) => tf.Tensor, number]>([
    ['maximum', (x, far) => tf.maximum(far, x), -1e18],
    ['maximum, the other way round', (x, far) => tf.maximum(x, far), -1e18],
    ['minimum', (x, far) => tf.minimum(far, x), 1e18],
    ['minimum, the other way round', (x, far) => tf.minimum(x, far), 1e18],
  ])('a number far away does not swallow what it is compared with: %s (needs onnxruntime-node)', async (_, f, far) => {
    const x = [-0.7, 0.2, 1.3]
    const others = [tf.scalar(far), tf.tensor1d([far, x[1], far])]
    for (const runtime of [reference(), onnx()])
      for (const [i, other] of others.entries()) {
        const [value, first, second] = await smooth((t) => f(t, other), x, 4, runtime)
        expect(value).toEqual(x.map((v) => expect.closeTo(v, 6)))
        expect(first).toEqual([1, expect.closeTo(i === 0 ? 1 : 0.5, 6), 1])
        expect(second.map(Math.abs)).toEqual([0, expect.any(Number), 0])
      }
    tf.dispose(others)
  })

  it.each([0, 1, 2])('a maximum over axis %i is the mean by soft-max', async (axis) => {
    const shape = [2, 3, 4]
    const x = uniform(24, -2, 2, 5)
    const beta = 3
    const [value] = await smooth((t) => tf.reshape(tf.max(tf.reshape(t, shape), axis), [1, -1]), x, beta)
    const strides = [12, 4, 1]
    const starts = Array.from(x, (_, i) => i).filter((i) => Math.floor(i / strides[axis]) % shape[axis] === 0)
    const expected = starts.map((start) => {
      const line = Array.from({ length: shape[axis] }, (_, k) => x[start + k * strides[axis]])
      const weights = line.map((v) => Math.exp(beta * v))
      return line.reduce((sum, v, k) => sum + v * weights[k], 0) / weights.reduce((a, b) => a + b)
    })
    expect(relativeError(value, expected)).toBeLessThan(1e-6)
  })

  it('what has no derivative but zero, and what goes into it, stays', async () => {
    const rounded = (x: tf.Tensor) => tf.mul(tf.tanh(x), tf.floor(tf.relu(x)))
    const [value] = await smooth(rounded, points, 2)
    const expected = points.map((v) => Math.tanh(v) * Math.floor(Math.max(v, 0)))
    for (const [i, v] of value.entries()) expect(v).toBeCloseTo(expected[i], 6)
  })
})

/** Two convolutions with ReLU and overlapping pools with padding, on 7×7, and a dense layer. */
function pooled() {
  const model = sequential()
  const conv = { filters: 3, kernelSize: 3, activation: 'relu' as const, padding: 'same' as const }
  model.add(layers.conv2d({ ...conv, inputShape: [7, 7, 1] }))
  model.add(layers.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' }))
  model.add(layers.conv2d(conv))
  model.add(layers.maxPooling2d({ poolSize: 2 }))
  model.add(layers.flatten())
  model.add(layers.dense({ units: 4 }))
  return withUniformWeights(model)
}

/** Numbers for every parameter of a gradient, captured ones too. */
function parametersOf(model: Model, { graph: _, captured, output }: TracedGradient): Map<string, Float64Array> {
  const weights = openModel(model).weights.map((w, i) => {
    const size = g.sizeOf(w.shape)
    return [`weight ${w.name}`, uniform(size, -0.5, 0.5, i + 1)] as const
  })
  const all = [...captured].map(([name, values]) => [name, Float64Array.from(values)] as const)
  return new Map([...all, ...weights, ['target', uniform(g.sizeOf(output.shape), -1, 1, 9)]])
}

/** Mean squared deviation from the mean. */
function variance(values: ArrayLike<number>): number {
  const all = Array.from(values)
  const mean = all.reduce((a, b) => a + b) / all.length
  return all.reduce((sum, v) => sum + (v - mean) ** 2, 0) / all.length
}

describe('the scale of a kink', () => {
  const scales = async (f: (x: tf.Tensor) => tf.Tensor, x: Float64Array): Promise<number[]> => {
    const { data, kinks } = smoothed(weighed(x.length, f))
    const program = { inputs: [data], outputs: kinks.map((kink) => kink.variance) }
    const found = await evaluate(reference(), program, new Map([['weight w', Float64Array.of(1)]]), [x])
    return found.map(([v]) => v)
  }
  const x = uniform(48, -1, 2, 8)

  it('is the spread of what is compared', async () => {
    const [relu] = await scales(tf.relu, x)
    expect(relu).toBeCloseTo(variance(x), 9)
    const [abs, again] = await scales((t) => tf.relu(tf.add(tf.abs(tf.mul(t, 3)), 5)), x)
    expect(abs).toBeCloseTo(9 * variance(x), 6)
    expect(again).toBeCloseTo(variance(x.map((v) => Math.abs(3 * v))), 6)
  })

  it('is that of the whole image in max-pooling, pads or none', async () => {
    for (const padding of ['same', 'valid'] as const) {
      const pool = (t: tf.Tensor) =>
        tf.reshape(tf.maxPool(tf.reshape(t, [1, 4, 4, 3]) as tf.Tensor4D, 3, 2, padding), [1, -1])
      const found = await scales(pool, x)
      expect(found.length).toBeGreaterThan(1)
      for (const v of found) expect(v).toBeCloseTo(variance(x), 9)
    }
  })

  it('makes one sharpness suit weights of any size', async () => {
    const at = async (size: number): Promise<number[]> => {
      const f = (t: tf.Tensor) => tf.div(tf.leakyRelu(tf.mul(tf.relu(tf.mul(t, size)), size)), size * size)
      const { output, data, sharpness, kinks } = smoothed(weighed(x.length, f))
      const factors = (await scales(f, x)).map((v) => Float64Array.of(1 / Math.sqrt(v)))
      const parameters = new Map([
        ['weight w', Float64Array.of(1)],
        ...kinks.map(({ parameter }, i) => [parameter.attributes.name, factors[i]] as const),
      ])
      const program = { inputs: [data, sharpness], outputs: [output] }
      return [...(await evaluate(reference(), program, parameters, [x, Float64Array.of(2)]))[0]]
    }
    expect(relativeError(await at(30), await at(1))).toBeLessThan(1e-6)
    expect(
      relativeError(
        await at(1),
        Array.from(x, (v) => Math.max(v, 0)),
      ),
    ).toBeGreaterThan(1e-2)
  })
})

describe('a network whose kinks are rounded off', () => {
  it('has the gradient of the network itself in the limit, and its derivative, pads and all', async () => {
    const model = pooled()
    const real = traced(model, meanSquared)
    const soft = smoothed(real)
    const x = uniform(49, 0, 1, 3)
    const parameters = new Map([...parametersOf(model, real), ...unscaled(soft.kinks)])
    const pull = ({ gradients, data }: TracedGradient) =>
      g.grad(gradients.map((n) => g.inner(n, n)).reduce(g.add), [data])
    const at = (gradient: TracedGradient, more: g.Node<'input'>[], values: number[]) => {
      const program = { inputs: [gradient.data, ...more], outputs: [...gradient.gradients, ...pull(gradient)] }
      return evaluate(reference(), program, parameters, [x, ...values.map((v) => Float64Array.of(v))])
    }
    const expected = await at(real, [], [])
    const errors = async (beta: number) => {
      const found = await at(soft, [soft.sharpness], [beta])
      return Math.max(...found.map((values, i) => relativeError(values, expected[i], 1e-6)))
    }
    const [dull, sharp, exact] = [await errors(10), await errors(1e3), await errors(1e6)]
    expect(dull).toBeGreaterThan(0.1)
    expect(sharp).toBeLessThan(dull)
    expect(exact).toBeLessThan(1e-9)
    model.dispose()
  })

  it('has derivatives that agree with differences of its gradient', async () => {
    const model = pooled()
    const soft = smoothed(traced(model, meanSquared))
    const parameters = new Map([...parametersOf(model, soft), ...unscaled(soft.kinks)])
    const squares = soft.gradients.map((n) => g.inner(n, n)).reduce(g.add)
    const program = {
      inputs: [soft.data, soft.sharpness],
      outputs: [squares, ...g.grad(squares, [soft.data])],
    }
    const x = uniform(49, 0, 1, 3)
    const at = (point: Float64Array) => evaluate(reference(), program, parameters, [point, Float64Array.of(7)])
    const [, slopes] = await at(x)
    for (const i of [0, 6, 24, 30, 48]) {
      const moved = (by: number) => x.map((v, k) => (k === i ? v + by : v))
      const [[above], [below]] = [await at(moved(1e-5)), await at(moved(-1e-5))]
      expect(slopes[i]).toBeCloseTo((above[0] - below[0]) / 2e-5, 6)
    }
    model.dispose()
  })

  it('is the same gradient where there is no kink, whatever the loss', () => {
    const model: FunctionalModel = {
      inputShape: [3],
      weights: { w: tf.zeros([3, 2]) },
      apply: (x, { w }) => tf.tanh(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D)),
    }
    for (const criterion of ['meanAbsoluteError', 'huber', 'meanSquaredError'] as const) {
      const gradient = traced(model, { ...meanSquared, criterion })
      const soft = smoothed(gradient)
      expect(soft.loss).toBe(gradient.loss)
      expect(soft.gradients.map((n) => n.id)).toEqual(gradient.gradients.map((n) => n.id))
    }
    tf.dispose(model.weights)
  })

  it('takes local steps as the network itself does', async () => {
    const weights = {
      w1: tf.tensor(numbers(40, 1, -0.5, 0.5), [5, 8]),
      w2: tf.tensor(numbers(24, 2, -0.5, 0.5), [8, 3]),
    }
    const model: FunctionalModel = {
      inputShape: [5],
      weights,
      apply: (x, { w1, w2 }) => tf.matMul(tf.relu(tf.matMul(x as tf.Tensor2D, w1 as tf.Tensor2D)), w2 as tf.Tensor2D),
    }
    const shared = plain({ w1: tf.clone(weights.w1), w2: tf.clone(weights.w2) })
    // three samples in batches of two: the second batch is another trace
    const update = { learningRate: 0.3, epochs: 2, batchSize: 2 }
    const settings = leakageOptions({ batchSize: 3, update })
    const target = await openTarget(model, { delta: shared }, settings)
    const real = traceClient(target, (node) => g.parameter(node.graph, 'target', node.shape))
    const soft = smoothedClient(target, real)
    expect(soft.gradients.every((n, i) => g.sameShape(n.shape, real.gradients[i].shape))).toBe(true)
    const parameters = new Map<string, Float32Array | Float64Array>([
      ...Object.entries(weights).map(([name, w]) => [`weight ${name}`, w.dataSync<'float32'>()] as const),
      ['target', Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1)] as const,
      ...unscaled(soft.kinks),
    ])
    const x = uniform(15, -1, 1, 4)
    const run = (outputs: readonly g.Node[], beta?: number) =>
      evaluate(
        reference(),
        { inputs: [real.data, ...(beta === undefined ? [] : [soft.sharpness])], outputs },
        parameters,
        [x, ...(beta === undefined ? [] : [Float64Array.of(beta)])],
      )
    const expected = await run(real.gradients)
    const [near, far] = [await run(soft.gradients, 1e5), await run(soft.gradients, 2)]
    for (const [i, values] of near.entries()) expect(relativeError(values, expected[i], 1e-6)).toBeLessThan(1e-6)
    for (const [i, values] of far.entries()) expect(relativeError(values, expected[i], 1e-6)).toBeGreaterThan(1e-3)
    tf.dispose(weights)
  })
})
