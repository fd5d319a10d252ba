import '@tensorflow/tfjs-backend-wasm'
import * as tf from '@tensorflow/tfjs-core'
import type { Sequential } from '@tensorflow/tfjs-layers'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  adam,
  deepLeakageFromGradients,
  gradientsOf,
  type IterationEvent,
  type LeakageOptions,
  lbfgs,
} from '../../../src'
import { convNet, sample } from './tiny'

let model: Sequential
let x: tf.Tensor
let shared: tf.NamedTensorMap
let numTensors: number

const attack = (options: LeakageOptions = {}) =>
  deepLeakageFromGradients(model, shared, {
    runtime: 'tfjs',
    // short iterations: a few of them do not solve so small a problem
    optimizer: lbfgs({ innerIterations: 3, lineSearch: 'strong-wolfe' }),
    restarts: 1,
    iterations: 5,
    ...options,
  })

const bytes = (tensors: readonly tf.Tensor[]): number[][] =>
  tensors.map((t) => [...new Uint32Array(t.dataSync().slice().buffer)])

beforeAll(async () => {
  await tf.setBackend('cpu')
})

beforeEach(async () => {
  model = convNet()
  x = sample([1, 6, 6, 1])
  shared = await gradientsOf(model, x, [2], { runtime: 'tfjs' })
  numTensors = tf.memory().numTensors
})

afterEach(async () => {
  expect(tf.memory().numTensors).toBe(numTensors)
  model.dispose()
  tf.dispose([x, ...Object.values(shared)])
  await tf.setBackend('cpu')
})

describe.each(['cpu', 'wasm'])('on tfjs %s', (backend) => {
  beforeEach(async () => {
    await tf.setBackend(backend)
  })

  it('leaves two tensors, which dispose() frees', async () => {
    const leak = await attack()
    expect(tf.memory().numTensors).toBe(numTensors + 2)
    expect(leak.data.shape).toEqual([1, 6, 6, 1])
    expect(leak.labelProbabilities.shape).toEqual([1, 4])
    leak.dispose()
    leak.dispose()
  })

  it('leaves a mask beside them after a match, which dispose() frees too', async () => {
    const leak = await attack({ optimizer: 'lbfgs', iterations: 100, certainty: 'bars' })
    expect(leak.status).toBe('converged')
    // data, label probabilities, the mask and the bars
    expect(tf.memory().numTensors).toBe(numTensors + 4)
    expect(leak.certainty!.undetermined.data).toMatchObject({ shape: [1, 6, 6, 1], dtype: 'bool' })
    leak.dispose()
    leak.dispose()
  })

  it("changes nothing of the caller's", async () => {
    const before = { weights: bytes(model.getWeights()), shared: bytes(Object.values(shared)) }
    const prediction = tf.tidy(() => bytes([model.predict(x) as tf.Tensor]))
    ;(await attack()).dispose()
    expect(bytes(model.getWeights())).toEqual(before.weights)
    expect(bytes(Object.values(shared))).toEqual(before.shared)
    expect(tf.tidy(() => bytes([model.predict(x) as tf.Tensor]))).toEqual(prediction)
    expect(tf.getBackend()).toBe(backend)
  })

  it('repeats itself bit for bit with the same seed, and not with another', async () => {
    const run = async (seed?: number) => {
      const leak = await attack({ seed })
      const { history, labels, loss, relativeLoss, evaluations } = leak
      const out = {
        data: bytes([leak.data, leak.labelProbabilities]),
        history,
        labels,
        loss,
        relativeLoss,
        evaluations,
      }
      leak.dispose()
      return out
    }
    const first = await run()
    expect(await run()).toEqual(first)
    expect(await run(1234)).toEqual(first)
    expect(await run(1235)).not.toEqual(first)
    expect((await run(1234 + 2 ** 32)).data).not.toEqual(first.data)
  })
})

describe('restarts', () => {
  it('keep the data of each, which dispose() frees', async () => {
    const seen: Float32Array[] = []
    const leak = await attack({
      restarts: 3,
      iterations: 2,
      optimizer: adam(),
      onIteration: ({ restart, data }) => {
        seen[restart] = data()
      },
    })
    // with the data and the labels of the best one, whose data are those of the leak
    expect(tf.memory().numTensors).toBe(numTensors + 4)
    expect(leak.trials[leak.restart].data).toBe(leak.data)
    for (const { restart, data } of leak.trials) {
      expect(data.shape).toEqual([1, 6, 6, 1])
      // every step of Adam was told of, and the best point with it
      expect(data.dataSync()).toEqual(seen[restart])
    }
    leak.dispose()
    leak.dispose()
    expect(leak.trials.every(({ data }) => data.isDisposed)).toBe(true)
  })

  it('begin elsewhere, and the best of them is reported', async () => {
    const leak = await attack({ restarts: 3, iterations: 1 })
    expect(leak.trials.map((t) => t.restart)).toEqual([0, 1, 2])
    expect(new Set(leak.trials.map((t) => t.relativeLoss)).size).toBe(3)
    expect(leak.relativeLoss).toBe(Math.min(...leak.trials.map((t) => t.relativeLoss)))
    expect(leak.trials[leak.restart].relativeLoss).toBe(leak.relativeLoss)
    expect(leak.trials.reduce((sum, t) => sum + t.evaluations, 0)).toBe(leak.evaluations)
    leak.dispose()
  })

  it('end with the first that converges', async () => {
    const leak = await attack({ restarts: 3, tolerance: 0.9, certainty: false })
    expect(leak.status).toBe('converged')
    expect(leak.trials).toHaveLength(1)
    leak.dispose()
  })
})

describe('onIteration', () => {
  it('sees every iteration, in order', async () => {
    const events: IterationEvent[] = []
    const data: Float32Array[] = []
    const leak = await attack({
      restarts: 2,
      onIteration(event) {
        const last = events.at(-1)
        // an iteration that takes long is told of several times
        if (event.restart === last?.restart && event.iteration === last.iteration) return
        events.push(event)
        data.push(event.data())
      },
    })
    expect(events.map((e) => [e.restart, e.iteration])).toEqual(
      [0, 1].flatMap((restart) => [0, 1, 2, 3, 4].map((iteration) => [restart, iteration])),
    )
    events.forEach((event, i) => {
      const { loss, relativeLoss } = event
      if (event.restart === leak.restart) expect({ loss, relativeLoss }).toEqual(pick(leak.history[event.iteration]))
      if (i === 0) return
      expect(event.evaluations).toBeGreaterThan(events[i - 1].evaluations)
      expect(event.milliseconds).toBeGreaterThanOrEqual(events[i - 1].milliseconds)
      if (event.restart === events[i - 1].restart) expect(event.best).toBeLessThanOrEqual(events[i - 1].best)
    })
    expect(leak.evaluations).toBeGreaterThan(events.at(-1)!.evaluations)
    expect(leak.relativeLoss).toBeLessThanOrEqual(Math.min(...events.map((e) => e.best)))
    for (const values of data) expect(values).toHaveLength(36)
    leak.dispose()
  })

  it('gets copies', async () => {
    const spoil = await attack({ onIteration: (event) => event.data().fill(Number.NaN) })
    const leave = await attack()
    expect(bytes([spoil.data])).toEqual(bytes([leave.data]))
    spoil.dispose()
    leave.dispose()
  })

  it('may throw: the error comes through and nothing leaks', async () => {
    const mistake = new Error('of the caller')
    const attempt = attack({
      onIteration() {
        throw mistake
      },
    })
    await expect(attempt).rejects.toBe(mistake)
  })

  it('may fail later: the error comes through all the same', async () => {
    const mistake = new Error('of the caller')
    const attempt = attack({
      iterations: 1000,
      async onIteration() {
        throw mistake
      },
    })
    await expect(attempt).rejects.toBe(mistake)
  })

  describe('while certainty is worked out', () => {
    // a clock that jumps: whoever tells every 50 ms tells each time it looks
    const jumping = () => {
      let now = 0
      vi.spyOn(performance, 'now').mockImplementation(() => {
        now += 60
        return now
      })
    }
    afterEach(() => void vi.restoreAllMocks())
    const matching: LeakageOptions = { optimizer: 'lbfgs', iterations: 100 }

    it('is told that it is, of a point that stays', async () => {
      const plain = await attack({ ...matching, certainty: false })
      jumping()
      const events: IterationEvent[] = []
      const leak = await attack({ ...matching, onIteration: (event) => void events.push(event) })
      const looking = events.filter(({ stage }) => stage === 'certainty')
      expect(looking.length).toBeGreaterThan(20)
      expect(events.slice(-looking.length)).toEqual(looking)
      for (const { best, data } of looking) {
        expect(best).toBe(leak.relativeLoss)
        expect(data()).toEqual(plain.data.dataSync())
      }
      expect(leak.certainty?.determined).toBe(true)
      leak.dispose()
      plain.dispose()
    })

    it.each([
      [
        'throw',
        (error: Error) => {
          throw error
        },
      ],
      [
        'fail later',
        async (error: Error) => {
          throw error
        },
      ],
    ])('may %s: the error comes through and nothing leaks', async (_, fail) => {
      // biome-ignore format: short
      jumping()
      const mistake = new Error('of the caller')
      const attempt = attack({
        ...matching,
        onIteration: ({ stage }) => (stage === 'certainty' ? fail(mistake) : undefined),
      })
      await expect(attempt).rejects.toBe(mistake)
    })
  })
})

const pick = ({ loss, relativeLoss }: { loss: number; relativeLoss: number }) => ({ loss, relativeLoss })

describe('ends early with the best point so far', () => {
  it('when aborted in a callback', async () => {
    const controller = new AbortController()
    let seen: { best: number; data: Float32Array } | undefined
    const leak = await attack({
      iterations: 100,
      restarts: 4,
      signal: controller.signal,
      onIteration(event) {
        if (event.iteration < 3) return
        seen = { best: event.best, data: event.data() }
        controller.abort()
      },
    })
    expect(leak.status).toBe('aborted')
    expect(leak.trials).toHaveLength(1)
    expect(leak.history).toHaveLength(4)
    expect(leak.relativeLoss).toBe(seen!.best)
    expect(leak.relativeLoss).toBeLessThan(leak.history[0].relativeLoss)
    expect(leak.data.dataSync()).toEqual(seen!.data)
    leak.dispose()
  })

  it('when aborted by a timer', async () => {
    const controller = new AbortController()
    let timer: NodeJS.Timeout | undefined
    const onIteration = () => {
      timer ??= setTimeout(() => controller.abort(), 30)
    }
    const leak = await attack({ iterations: 1e6, tolerance: 0, restarts: 1e6, signal: controller.signal, onIteration })
    expect(leak.status).toBe('aborted')
    leak.dispose()
  })

  it('and without a point where it is aborted while it is prepared', async () => {
    const controller = new AbortController()
    const attempt = attack({ signal: controller.signal })
    controller.abort()
    await expect(attempt).rejects.toMatchObject({
      ...{ code: 'aborted', message: expect.stringContaining('before anything was evaluated') },
    })
  })

  it('when the evaluations are spent, and not one more', async () => {
    const leak = await attack({ iterations: 100, restarts: 4, budget: { evaluations: 7 } })
    expect(leak.status).toBe('budget')
    expect(leak.evaluations).toBe(7)
    leak.dispose()
  })

  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])(
    'when %i evaluations are spent, in whichever restart',
    async (evaluations) => {
      const leak = await attack({ iterations: 1, restarts: 4, budget: { evaluations } })
      leak.dispose()
      expect(leak.evaluations).toBe(evaluations)
      expect(leak.status).toBe('budget')
    },
  )

  it('when the time is spent', async () => {
    const leak = await attack({ iterations: 1e6, tolerance: 0, restarts: 1e6, budget: { milliseconds: 30 } })
    expect(leak.status).toBe('budget')
    expect(leak.milliseconds).toBeGreaterThanOrEqual(30)
    expect(leak.milliseconds).toBeLessThan(1000)
    leak.dispose()
  })
})

describe('frozen layers', () => {
  it('share nothing, and the rest still leaks', async () => {
    model.layers[0].trainable = false
    const fewer = await gradientsOf(model, x, [2], { runtime: 'tfjs' })
    expect(Object.keys(fewer)).toEqual(Object.keys(shared).slice(2))
    const leak = await deepLeakageFromGradients(model, fewer, { runtime: 'tfjs', restarts: 1, iterations: 5 })
    expect(leak.relativeLoss).toBeLessThan(leak.history[0].relativeLoss)
    leak.dispose()
    tf.dispose(fewer)
  })
})
