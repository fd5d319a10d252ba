import * as tf from '@tensorflow/tfjs-core'
import { layers, type Sequential, sequential } from '@tensorflow/tfjs-layers'
import { beforeAll, describe, expect, it } from 'vitest'
import { deepLeakage, gradientsOf, type LeakageOptions, type PlainTensor, type SharedUpdate } from '../../../../src'
import type { Attack } from '../../../../src/attacks/matching/attack'
import { leakageOptions } from '../../../../src/attacks/matching/options'
import { openTarget } from '../../../../src/client/target'
import { modelFromGraphModel, modelFromOnnx } from '../../../../src/models'
import { at } from '../../../client/shared/client'
import { writeOnnx } from '../../../models/onnx/write-onnx'
import { cases, graphModel } from '../../../models/tensorflow/graph-def-cases'
import { finiteDifference, relativeError, uniform } from '../../../oracle'
import { ownership } from '../../../tensors'
import { denseNet, plain, withUniformWeights } from '../tiny'

const own = ownership()

beforeAll(() => tf.setBackend('cpu'))

const [BATCH, INPUTS, UNITS, MOMENTUM, RATE] = [3, 5, 4, 0.9, 0.1]
const labels = [0, 2, 1]

type Tensors = Record<string, PlainTensor>

const valuesOf = (net: Sequential): Tensors =>
  Object.fromEntries(net.weights.map((w) => [w.name, { shape: w.shape as number[], data: [...w.read().dataSync()] }]))

/** A step of a client in training mode: tfjs itself moves the statistics. */
async function client(activation: 'relu' | 'sigmoid' = 'sigmoid') {
  const net = own(sequential())
  net.add(layers.dense({ name: 'first', inputShape: [INPUTS], units: UNITS, activation }))
  net.add(layers.batchNormalization({ name: 'norm', momentum: MOMENTUM }))
  net.add(layers.dense({ name: 'last', units: 3 }))
  // variances are above 0
  const drawn = withUniformWeights(net)
    .getWeights()
    .map((w) => tf.abs(w))
  net.setWeights(drawn)
  const x = own(tf.tensor(Float32Array.from(uniform(BATCH * INPUTS, -1, 1, 5)), [BATCH, INPUTS]))
  const gradients: Tensors = plain(await gradientsOf(net, x, labels, { training: true, runtime: 'reference' }))
  const before = valuesOf(net)
  tf.tidy(() => void net.apply(x, { training: true }))
  const moved = valuesOf(net)
  net.setWeights(drawn)
  tf.dispose(drawn)
  const entries = Object.entries(moved).map(([name, { shape, data }]) => {
    const gradient = gradients[name]?.data
    return [name, { shape, data: Array.from(data, (v, k) => v - (gradient ? RATE * gradient[k] : 0)) }] as const
  })
  const after = Object.fromEntries(entries) as Tensors
  return { net, x: [...x.dataSync()], before, after, shared: { before, after } }
}

type Client = Awaited<ReturnType<typeof client>>

/** tfjs numbers the names of later models. */
const valuesNamed = (tensors: Tensors, name: string): number[] =>
  Object.entries(tensors).find(([key]) => key.startsWith(name))![1].data as number[]

const minus = (a: Tensors, b: Tensors, sign = 1): Tensors =>
  Object.fromEntries(
    Object.entries(a).map(([name, { shape, data }]) => [
      name,
      { shape, data: Array.from(data, (v, k) => sign * (v - b[name].data[k])) },
    ]),
  )

const options = { batchSize: BATCH, labels, training: true, update: { learningRate: RATE } } satisfies LeakageOptions

const point = (x: readonly number[]): Float64Array => Float64Array.from(x)

/** Mean and variance of every unit of the first layer, in plain float64. */
function unitsOf(tensors: Tensors, x: readonly number[]) {
  const [kernel, bias] = ['first/kernel', 'first/bias'].map((name) => valuesNamed(tensors, name))
  return Array.from({ length: UNITS }, (_, unit) => {
    const outputs = Array.from({ length: BATCH }, (_, sample) => {
      const z = Array.from({ length: INPUTS }, (_, i) => x[sample * INPUTS + i] * kernel[i * UNITS + unit])
      return 1 / (1 + Math.exp(-z.reduce((a, b) => a + b, bias[unit])))
    })
    return statisticsOf(outputs)
  })
}

function statisticsOf(values: readonly number[]) {
  const mean = values.reduce((a, b) => a + b) / values.length
  return { mean, variance: values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length }
}

/** Σ ‖αm − m*‖² / ‖m*‖² / 2 over mean and variance with the best α, in plain float64. */
function byHand({ before, after }: Client, x: readonly number[]): number {
  const units = unitsOf(before, x)
  const parts = (['mean', 'variance'] as const).map((which) => {
    const name = `norm/moving_${which}`
    const shared = valuesNamed(minus(after, before), name)
    const found = units.map((unit, i) => (1 - MOMENTUM) * (unit[which] - valuesNamed(before, name)[i]))
    const inner = (a: readonly number[], b: readonly number[]) => a.reduce((sum, v, i) => sum + v * b[i], 0)
    return { along: inner(found, shared) / inner(shared, shared), squares: inner(found, found) / inner(shared, shared) }
  })
  const [along, squares] = [parts[0].along + parts[1].along, parts[0].squares + parts[1].squares]
  return (2 - along ** 2 / squares) / 2
}

/** The prior at a point: what it adds to the objective. */
async function priorAt(attack: Attack, x: Float64Array): Promise<number> {
  const [without, whole] = [await attack.evaluate(x, 0), await attack.evaluate(x, 1)]
  return (whole.value - without.value) / attack.objective.priorWeight!
}

describe('the prior batchNorm', () => {
  const weights = { ...options, priors: { batchNorm: 1 }, preset: 'robust' } satisfies LeakageOptions

  it('compares how far statistics moved, and is next to nothing for the data of the client', async () => {
    const all = await client()
    const other = [...uniform(BATCH * INPUTS, -1, 1, 6)]
    await at(all.net, all.shared, weights, async (attack) => {
      // statistics of size 1 that move by a tenth are stored in float32
      expect(await priorAt(attack, point(all.x))).toBeLessThan(1e-11)
      const expected = byHand(all, other)
      expect(expected).toBeGreaterThan(1e-3)
      expect((await priorAt(attack, point(other))) / expected).toBeCloseTo(1, 6)
    })
  })

  it('does not ask for the momentum of the client', async () => {
    const all = await client()
    const far = Object.entries(all.after).map(([name, { shape, data }]) => {
      const from = all.before[name].data
      const factor = name.includes('moving') ? 3 : 1
      return [name, { shape, data: Array.from(data, (v, k) => from[k] + factor * (v - from[k])) }] as const
    })
    await at(all.net, { before: all.before, after: Object.fromEntries(far) }, weights, async (attack) => {
      expect(await priorAt(attack, point(all.x))).toBeLessThan(1e-11)
    })
  })

  it('has the derivative of finite differences', async () => {
    const all = await client()
    const x = uniform(BATCH * INPUTS, -1, 1, 7)
    await at(all.net, all.shared, weights, async (attack) => {
      const valueAt = async (p: Float64Array) => (await attack.evaluate(p)).value
      const { gradient } = await attack.evaluate(x)
      expect(relativeError(gradient, await finiteDifference(valueAt, x))).toBeLessThan(1e-7)
    })
  })

  it('is that of the network itself where the smoothed one is sharp', async () => {
    const all = await client('relu')
    const x = uniform(BATCH * INPUTS, -1, 1, 8)
    await at(all.net, all.shared, { ...weights, preset: 'homotopy' }, async (attack) => {
      const [itself, sharp] = [await attack.evaluate(x), await attack.smoothed!(x, 1, 1e7)]
      expect(sharp.value / itself.value).toBeCloseTo(1, 9)
    })
  })

  it('is there by default where an update shares statistics, and only there', async () => {
    const { net, before, after } = await client()
    const trained = new Set(net.trainableWeights.map((w) => w.name))
    const alone = Object.fromEntries(Object.entries(after).filter(([name]) => trained.has(name)))
    const normed = (shared: SharedUpdate, given: LeakageOptions = {}) =>
      at(
        net,
        shared,
        { ...options, priors: undefined, ...given },
        async ({ objective }) => objective.priorWeight !== undefined,
      )
    expect(await normed({ before, after })).toBe(true)
    expect(await normed({ before, after: alone })).toBe(false)
    expect(await normed({ before, after }, { training: false })).toBe(false)
    expect(await normed({ before, after }, { priors: {} })).toBe(false)
  })

  it('reads statistics of one exact step, out of weights and differences alike', async () => {
    const { net, before, after } = await client()
    const read = async (shared: SharedUpdate, given: LeakageOptions = {}) =>
      (await openTarget(net, shared, leakageOptions({ ...options, ...given }))).statistics
    const expected = valuesNamed(minus(after, before), 'norm/moving_mean')
    const forms: [SharedUpdate, LeakageOptions?][] = [
      [{ before, after }],
      [{ before, delta: minus(after, before) }],
      [{ before, delta: minus(after, before, -1) }, { update: { learningRate: RATE, sign: 'before-after' } }],
    ]
    for (const [shared, given] of forms) {
      const found = await read(shared, given)
      const [mean, ...others] = found.values()
      expect(others).toHaveLength(1)
      expect(relativeError(mean, expected)).toBeLessThan(1e-12)
    }
    const inexact: LeakageOptions[] = [
      { update: { learningRate: RATE, localSteps: 2 } },
      { noise: 1e-3 },
      { scale: 'auto' },
      { scale: 2 },
    ]
    for (const given of inexact) expect((await read({ before, after }, given)).size).toBe(0)
  })

  it('is refused where nothing says how far statistics moved', async () => {
    const { net, before, after } = await client()
    const trained = new Set(net.trainableWeights.map((w) => w.name))
    const alone = Object.fromEntries(Object.entries(after).filter(([name]) => trained.has(name)))
    const attempt = deepLeakage(net, { before, after: alone }, weights)
    await expect(attempt).rejects.toMatchObject({
      code: 'invalid-option',
      message: /batchNorm needs moving statistics/,
    })
  })
})

/** The mean over channels of (μ − μ̂)² / s + ((σ² − σ̂²) / s)², s = σ̂² + 1 % of its mean, in plain float64. */
function runningByHand(
  found: readonly { readonly mean: number; readonly variance: number }[],
  means: readonly number[],
  variances: readonly number[],
): number {
  const dead = (0.01 * variances.reduce((a, b) => a + b)) / variances.length
  const parts = found.map(({ mean, variance }, i) => {
    const unit = variances[i] + dead
    return (mean - means[i]) ** 2 / unit + ((variance - variances[i]) / unit) ** 2
  })
  return parts.reduce((a, b) => a + b) / parts.length
}

describe('the prior batchNorm in evaluation mode', () => {
  const evaluation = { batchSize: BATCH, labels, priors: { batchNorm: 1 }, preset: 'robust' } satisfies LeakageOptions

  /** A trained network: its statistics are no longer 0 and 1. */
  async function trained(activation: 'relu' | 'sigmoid' = 'sigmoid') {
    const { net, before } = await client(activation)
    const x = own(tf.tensor(Float32Array.from(uniform(BATCH * INPUTS, -1, 1, 5)), [BATCH, INPUTS]))
    return { net, before, gradients: plain(await gradientsOf(net, x, labels, { runtime: 'reference' })) }
  }

  it('compares the statistics of the data with the running ones', async () => {
    const { net, before, gradients } = await trained()
    const other = [...uniform(BATCH * INPUTS, -1, 1, 6)]
    const running = ['norm/moving_mean', 'norm/moving_variance'].map((name) => valuesNamed(before, name))
    const expected = runningByHand(unitsOf(before, other), running[0], running[1])
    await at(net, gradients, evaluation, async (attack) => {
      expect((await priorAt(attack, point(other))) / expected).toBeCloseTo(1, 6)
    })
  })

  it('has the derivative of finite differences', async () => {
    const { net, gradients } = await trained()
    const x = uniform(BATCH * INPUTS, -1, 1, 7)
    // the distance at weight 0 is left, and the prior outweighs it
    await at(net, gradients, { ...evaluation, priors: { batchNorm: 100 } }, async (attack) => {
      const valueAt = async (p: Float64Array) => (await attack.evaluate(p)).value
      const { gradient } = await attack.evaluate(x)
      expect(relativeError(gradient, await finiteDifference(valueAt, x))).toBeLessThan(1e-7)
    })
  })

  it('is that of the network itself where the smoothed one is sharp, and is there along local steps', async () => {
    const { net, gradients, before } = await trained('relu')
    const x = uniform(BATCH * INPUTS, -1, 1, 8)
    await at(net, gradients, { ...evaluation, preset: 'homotopy' }, async (attack) => {
      const [itself, sharp] = [await attack.evaluate(x), await attack.smoothed!(x, 1, 1e7)]
      expect(sharp.value / itself.value).toBeCloseTo(1, 9)
    })
    const prior = await at(net, gradients, evaluation, (attack) => priorAt(attack, x))
    const update = { learningRate: RATE, localSteps: 3 }
    const moved = Object.entries(gradients).map(([name, { shape, data }]) => {
      const from = before[name].data
      return [name, { shape, data: Array.from(data, (v, k) => from[k] - RATE * v) }] as const
    })
    const shared = { before, after: { ...before, ...Object.fromEntries(moved) } }
    const unrolled = await at(net, shared, { ...evaluation, update }, (attack) => priorAt(attack, x))
    expect(unrolled / prior).toBeCloseTo(1, 9)
  })

  it('knows the batch norms of graph models and of ONNX files, whose channels come first', async () => {
    const [, sampleShape, nodes, constants] = cases.find(([name]) => name === 'FusedBatchNormV3')!
    const graph = modelFromGraphModel(graphModel(sampleShape, nodes, constants))
    const [m, v] = ['m', 'v'].map((name) => [...graph.weights[name].dataSync()])
    const stored = { mean: [0.5, -1], variance: [2, 0.5] }
    const onnx = modelFromOnnx(
      writeOnnx({
        nodes: [{ op: 'BatchNormalization', inputs: ['x', 'scale', 'bias', 'mean', 'var'], outputs: ['y'] }],
        initializers: {
          scale: { dims: [2], values: [1, 2] },
          bias: { dims: [2], values: [0, 1] },
          mean: { dims: [2], values: stored.mean },
          var: { dims: [2], values: stored.variance },
        },
        inputs: { x: ['batch', 2, 3, 3] },
        outputs: ['y'],
      }),
    )
    const x = uniform(2 * 18, -1, 1, 9)
    const channelOf = [
      { model: graph, of: (i: number) => i % 2, running: [m, v] },
      { model: onnx, of: (i: number) => Math.floor(i / 9) % 2, running: [stored.mean, stored.variance] },
    ]
    for (const { model, of, running } of channelOf) {
      const found = [0, 1].map((channel) => statisticsOf([...x].filter((_, i) => of(i) === channel)))
      const gradients = model.trainable.map((name) => ({ shape: model.weights[name].shape, data: [0.1, -0.2] }))
      const options = { batchSize: 2, criterion: 'meanSquaredError', priors: { batchNorm: 1 } } satisfies LeakageOptions
      // behind the data are the targets, which are searched too
      const both = Float64Array.from([...x, ...x])
      const prior = await at(model, gradients, options, (attack) => priorAt(attack, both))
      expect(prior / runningByHand(found, running[0], running[1])).toBeCloseTo(1, 6)
      model.dispose()
    }
  })

  it('is not there by default', async () => {
    const { net, gradients } = await trained()
    const weightless = await at(
      net,
      gradients,
      { ...evaluation, priors: undefined },
      async ({ objective }) => objective.priorWeight,
    )
    expect(weightless).toBeUndefined()
  })

  it('is refused without a batch norm, before training, and for what can be no statistics', async () => {
    const { net, gradients } = await trained()
    const refused = (model: Parameters<typeof deepLeakage>[0], shared: Tensors, given: LeakageOptions = {}) =>
      expect(deepLeakage(model, shared, { ...evaluation, ...given })).rejects.toMatchObject({
        code: 'invalid-option',
        message: /batchNorm needs moving statistics.*in evaluation mode, batch norms whose running means and variances/,
      })
    const dense = own(denseNet())
    const x = own(tf.ones([BATCH, 8]))
    await refused(dense, plain(await gradientsOf(dense, x, labels, { runtime: 'reference' })))
    await refused(net, gradients, { training: true })
    const weight = (name: string) => net.weights.find((w) => w.name.startsWith(name))!
    const write = (name: string, values: number[]) => tf.tidy(() => void weight(name).write(tf.tensor1d(values)))
    write('norm/moving_variance', [1, 1, -0.5, 1])
    await refused(net, gradients)
    write('norm/moving_variance', [1, 1, 1, 1])
    write('norm/moving_mean', [0, 0, 0, 0])
    await refused(net, gradients)
    write('norm/moving_mean', [0, 0, 0, 0.1])
    await at(net, gradients, evaluation, async ({ objective }) => expect(objective.priorWeight).toBeDefined())
  })
})
