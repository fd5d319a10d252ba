import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { deepLeakage, gradientsOf, type IterationEvent, type LeakageOptions, type PlainTensor } from '../../../../src'
import { leakageOptions } from '../../../../src/attacks/matching/options'
import { pulled } from '../../../../src/attacks/matching/search/evaluation'
import { groupMeans } from '../../../../src/attacks/matching/search/group'
import { pullsOf } from '../../../../src/attacks/matching/search/pulls'
import type { RestartOutcome } from '../../../../src/attacks/matching/search/search'
import { at } from '../../../client/shared/client'
import { finiteDifference, relativeError, uniform } from '../../../oracle'
import { ownership } from '../../../tensors'
import { convNet, denseNet, plain, sample } from '../tiny'
import { objective } from './objectives'

const own = ownership()

beforeAll(() => tf.setBackend('cpu'))

const numbers = (...values: number[]): Float64Array => Float64Array.from(values)

describe('the mean of a group', () => {
  const alignment = { shape: [2, 2], targetCost: 1, shift: 0 }
  /** Two samples, and the same a little changed in the other order. */
  const [a, b] = [numbers(0, 1, 5, 6), numbers(5.5, 6.5, 0.5, 1.5)]

  it('is that of the pairs, in the order of each member', () => {
    const targets = [[1], [1]]
    const members = [a, b].map((data) => ({ data, targets }))
    const [first, second] = groupMeans(members, alignment)
    expect([...first]).toEqual([0.25, 1.25, 5.25, 6.25])
    expect([...second]).toEqual([5.25, 6.25, 0.25, 1.25])
  })

  it('is of samples with equal targets, and of equal places where these are fixed', () => {
    const members = [
      { data: a, targets: [[1], [0]] },
      { data: b, targets: [[1], [0]] },
    ]
    const byPlace = [2.75, 3.75, 2.75, 3.75]
    expect(groupMeans(members, { ...alignment, targetCost: 1e9 }).map((m) => [...m])).toEqual([byPlace, byPlace])
    const alike = members.map(({ data }) => ({ data, targets: [[0], [0]] }))
    expect([...groupMeans(alike, { ...alignment, targetCost: 1e9 })[0]]).toEqual([0.25, 1.25, 5.25, 6.25])
    const fixed = groupMeans(alike, { ...alignment, targetCost: Number.POSITIVE_INFINITY })
    expect(fixed.map((m) => [...m])).toEqual([byPlace, byPlace])
  })

  it('is of pictures that are shifted onto each other, and back', () => {
    const [height, width, channels] = [6, 5, 2]
    const scene = uniform(20 * 20 * channels, 0, 1, 3)
    /** A window of a larger scene. */
    const window = (top: number, left: number): Float64Array =>
      Float64Array.from({ length: height * width * channels }, (_, i) => {
        const [y, x, c] = [Math.floor(i / (width * channels)), Math.floor(i / channels) % width, i % channels]
        return scene[((y + top) * 20 + x + left) * channels + c]
      })
    const members = [window(7, 7), window(8, 5)].map((data) => ({ data, targets: [[1]] }))
    const shape = [1, height, width, channels]
    const registered = groupMeans(members, { shape, targetCost: 1, shift: 2 })
    // where both have a pixel they agree, and elsewhere each has its own
    for (const [i, { data }] of members.entries()) expect(relativeError(registered[i], data)).toBeLessThan(1e-15)
    const [still] = groupMeans(members, { shape, targetCost: 1, shift: 1 })
    expect(relativeError(still, members[0].data)).toBeGreaterThan(0.1)
  })
})

describe('the pull to the mean of a group', () => {
  it('adds w · mean (x − x̄)² and its derivative, of the data alone, eased', async () => {
    const [x, mean] = [numbers(1, 2, 4, 8), numbers(0, 4, 1)]
    const square = objective(
      (p) => ({ relativeLoss: p.reduce((sum, v) => sum + v ** 2, 0), gradient: [...p].map((v) => 2 * v) }),
      { data: 3 },
    )
    const all = pulled(square, { mean, weight: 6 })
    expect(all.hasPriors).toBe(true)
    const { value, relativeLoss, gradient } = await all.evaluate(x, 0.5)
    expect([value, relativeLoss]).toEqual([85 + 0.5 * 6 * ((1 + 4 + 9) / 3), 85])
    const slope = await finiteDifference(async (p) => (await all.evaluate(p, 0.5)).value, x)
    expect(relativeError(gradient, slope)).toBeLessThan(1e-9)
  })

  it('leads to the mean of all restarts that did not diverge, in the order of each', async () => {
    const model = own(convNet())
    const x = own(sample([2, 6, 6, 1]))
    const shared = plain(await gradientsOf(model, x, [2, 2], { runtime: 'reference' }))
    const [one, two, other] = [1, 2, 3].map((seed) => uniform(36, 0, 1, seed))
    const points = [[...one, ...two], [...two, ...one].map((v) => v + 0.2), [...one, ...other]]
    const trials = points.map((point, restart) => ({
      ...{
        restart,
        point: Float64Array.from(point),
        relativeLoss: restart === 2 ? Number.POSITIVE_INFINITY : 1 - restart,
      },
      ...({ status: 'stalled', loss: 1, evaluations: 1, history: [] } as const),
    })) satisfies RestartOutcome[]
    const consistency = { weight: 0.5, shift: 1 }
    const options = { batchSize: 2, labels: [2, 2], dataRange: [0, 2], restarts: 3, consistency } as const
    await at(model, shared, options, async (attack) => {
      const [first, second, third] = pullsOf(attack, attack.settings, trials)!
      const expected = [...one, ...two].map((v) => v + 0.1)
      expect(relativeError(first!.mean, expected)).toBeLessThan(1e-15)
      expect(relativeError(second!.mean, [...expected.slice(36), ...expected.slice(0, 36)])).toBeLessThan(1e-15)
      expect(first!.weight).toBeCloseTo((0.5 * 1e6) / 4, 6)
      expect(third).toBeUndefined()
      expect(pullsOf(attack, attack.settings, trials.slice(1))).toBeUndefined()
    })
  })
})

describe('consistency', () => {
  const model = convNet()
  let shared: Record<string, PlainTensor>
  beforeAll(async () => {
    const x = sample([1, 6, 6, 1])
    shared = plain(await gradientsOf(model, x, [2], { runtime: 'reference' }))
    x.dispose()
  })

  async function attack(given: LeakageOptions) {
    const events: Pick<IterationEvent, 'restart' | 'iteration'>[] = []
    const options = { runtime: 'reference', restarts: 3, iterations: 5, tolerance: 0, priors: {}, ...given } as const
    const onIteration = (event: IterationEvent) => void events.push(event)
    const leak = await deepLeakage(model, shared, { ...options, onIteration, certainty: false })
    const { history, evaluations, relativeLoss } = leak
    const trials = leak.trials.map(({ data, ...trial }) => ({ ...trial, data: [...data.dataSync()] }))
    leak.dispose()
    return { history, evaluations, relativeLoss, trials, events }
  }

  it('takes the second half of the iterations of every restart, and ends with the best by the gradient', async () => {
    const before = tf.memory().numTensors
    const alone = await attack({ iterations: 3 })
    const { history, evaluations, relativeLoss, trials, events } = await attack({ consistency: 1e-3 })
    expect(history.map((h) => h.iteration)).toEqual([0, 1, 2, 3, 4])
    expect(history.every((h, i) => i === 0 || h.evaluations > history[i - 1].evaluations)).toBe(true)
    expect(relativeLoss).toBe(Math.min(...trials.map((t) => t.relativeLoss)))
    for (const [i, trial] of trials.entries()) {
      expect(trial.relativeLoss).toBeLessThanOrEqual(alone.trials[i].relativeLoss)
      expect(trial.evaluations).toBeGreaterThan(alone.trials[i].evaluations)
    }
    expect(evaluations).toBe(trials.reduce((sum, t) => sum + t.evaluations, 0))
    expect(Math.max(...events.map((e) => e.iteration))).toBe(4)
    expect(tf.memory().numTensors).toBe(before)
  })

  it('brings restarts together, the more the greater its weight', async () => {
    const spread = async (consistency: number): Promise<number> => {
      const { trials } = await attack({ consistency, iterations: 8, priorEasing: 1, optimizer: 'adam' })
      const means = trials[0].data.map((_, k) => trials.reduce((sum, t) => sum + t.data[k], 0) / trials.length)
      return trials.reduce((sum, { data }) => sum + data.reduce((s, v, k) => s + (v - means[k]) ** 2, 0), 0)
    }
    expect(await spread(1)).toBeLessThan(await spread(0))
  })

  it('is the same on threads of their own, bit for bit, onnxruntime-node', async () => {
    const options = { runtime: 'onnx', consistency: { weight: 0.01, shift: 1 } } as const
    const { events: _, ...alone } = await attack(options)
    const { events: __, ...together } = await attack({ ...options, concurrency: 2 })
    expect(together).toEqual(alone)
  })

  it('does not go on once a restart has converged', async () => {
    const { trials } = await attack({ iterations: 200, tolerance: 1e-6, consistency: 0.01 })
    expect(trials.map((t) => t.status)).toEqual(['converged'])
  })

  it('is refused for one restart, for a shift of what is no picture, and for wrong values', async () => {
    const refused = (given: object, message: RegExp, of = model, gradients = shared) =>
      expect(deepLeakage(of, gradients, given)).rejects.toMatchObject({ code: 'invalid-option', message })
    await refused(
      { restarts: 1, consistency: 0.1 },
      /at least two restarts, and restarts is 1 with the preset 'robust'/,
    )
    const dense = own(denseNet())
    const x = own(sample([1, 8]))
    const gradients = plain(await gradientsOf(dense, x, [1], { runtime: 'reference' }))
    await refused({ consistency: { weight: 0.1, shift: 1 } }, /only images/, dense as never, gradients)
    for (const [consistency, message] of [
      [-1, /consistency is -1/],
      [null, /consistency is null/],
      [{}, /consistency.weight is undefined/],
      [{ weight: 1, shift: 0.5 }, /consistency.shift is 0.5/],
      [{ weight: 1, pixels: 2 }, /pixels/],
    ] as const)
      await refused({ consistency }, message)
    expect(leakageOptions({}).consistency).toEqual({ weight: 0, shift: 0 })
  })
})
