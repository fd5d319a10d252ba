import { threadId } from 'node:worker_threads'
import * as tf from '@tensorflow/tfjs-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  deepLeakageFromGradients,
  gradientsOf,
  type IterationEvent,
  type LeakageOptions,
  lbfgs,
  type PlainTensor,
} from '../../../src'
import { prepareAttack } from '../../../src/attacks/matching/leakage'
import { leakageOptions } from '../../../src/attacks/matching/options'
import { newProgress } from '../../../src/attacks/matching/search/progress'
import { openThreads } from '../../../src/attacks/matching/search/threads'
import { openTarget } from '../../../src/client/target'
import { convNet, plain, sample } from './tiny'

const model = convNet()
let shared: Record<string, PlainTensor>

beforeAll(async () => {
  await tf.setBackend('cpu')
  const x = sample([1, 6, 6, 1])
  shared = plain(await gradientsOf(model, x, [2], { runtime: 'reference' }))
  x.dispose()
})

afterAll(() => model.dispose())

/** Four short restarts, none of which converges. */
const short: LeakageOptions = { runtime: 'onnx', restarts: 4, iterations: 2, tolerance: 0, priors: {} }

async function attack(options: LeakageOptions) {
  const leak = await deepLeakageFromGradients(model, shared, { ...short, ...options })
  const { history, status, restart, evaluations, loss } = leak
  const data = [...leak.data.dataSync()]
  const trials = leak.trials.map(({ data, ...trial }) => ({ ...trial, data: [...data.dataSync()] }))
  leak.dispose()
  return { history, trials, status, restart, evaluations, loss, data }
}

describe('restarts on threads of their own, onnxruntime-node', () => {
  it('give what they give one by one, bit for bit', async () => {
    const alone = await attack({ concurrency: 1 })
    expect(alone.trials.map((t) => t.status)).toEqual(Array(4).fill('max-iterations'))
    expect(await attack({ concurrency: 2 })).toEqual(alone)
    expect(await attack({ concurrency: 8 })).toEqual(alone)
  })

  it('end with the first restart that converges, whichever is quicker', async () => {
    const alone = await attack({ concurrency: 1, iterations: 100, tolerance: 1e-6 })
    expect(alone.status).toBe('converged')
    const together = await attack({ concurrency: 3, iterations: 100, tolerance: 1e-6 })
    expect({ ...together, evaluations: alone.evaluations }).toEqual(alone)
  })

  it('have the patience that was asked for, and the schedule of the built-in Adam', async () => {
    for (const options of [
      { patience: 1, iterations: 100 },
      { optimizer: 'adam', iterations: 30 },
    ] as const) {
      const alone = await attack({ ...options, concurrency: 1 })
      expect(await attack({ ...options, concurrency: 2 })).toEqual(alone)
      const lengths = alone.trials.map((t) => t.evaluations)
      if ('optimizer' in options) expect(lengths).toEqual([30, 30, 30, 30])
      else expect(alone.trials.map((t) => t.status)).toEqual(Array(4).fill('stalled'))
    }
  })

  it('run on several threads', async () => {
    const settings = leakageOptions({ ...short, concurrency: 2 })
    const prepared = await prepareAttack(await openTarget(model, shared, settings), settings)
    const progress = newProgress(4)
    const threads = await openThreads(prepared.portable, settings, progress, 2)
    expect(threads).toHaveLength(2)
    const starts = await Promise.all([0, 1].map(prepared.start))
    const trials = await Promise.all(threads!.map((thread, i) => thread.search(i, starts[i], undefined)))
    expect(trials.map((t) => t.restart)).toEqual([0, 1])
    expect(progress.evaluations).toBe(trials[0].evaluations + trials[1].evaluations)
    await Promise.all(threads!.map((thread) => thread.close()))
    prepared.dispose()
    expect(threadId).toBe(0)
  })

  it('tell of their iterations, with the data of the best point', async () => {
    const events: (IterationEvent & { first: number })[] = []
    const { history, data, restart } = await attack({
      concurrency: 2,
      onIteration: (event) => events.push({ ...event, first: event.data()[0] }),
    })
    expect(new Set(events.map((e) => e.restart))).toEqual(new Set([0, 1, 2, 3]))
    const ofBest = events.filter((e) => e.restart === restart)
    // an iteration that takes long is told of several times
    const begun = ofBest.filter((e, i) => e.iteration !== ofBest[i - 1]?.iteration)
    expect(begun.map((e) => e.loss)).toEqual(history.map((h) => h.loss))
    expect(events.every((e) => e.milliseconds > 0 && e.evaluations > 0)).toBe(true)
    expect(Math.abs(ofBest[ofBest.length - 1].first - data[0])).toBeLessThan(1)
  })

  it('end at once when the caller aborts, with the best point so far', async () => {
    const controller = new AbortController()
    const { status, data } = await attack({
      concurrency: 2,
      iterations: 100_000,
      signal: controller.signal,
      onIteration: ({ evaluations }) => evaluations > 50 && controller.abort(),
    })
    expect(status).toBe('aborted')
    expect(data.every(Number.isFinite)).toBe(true)
  })

  it('share one budget', async () => {
    const { status, evaluations } = await attack({ concurrency: 2, iterations: 100_000, budget: { evaluations: 80 } })
    expect(status).toBe('budget')
    expect(evaluations).toBeGreaterThanOrEqual(80)
    expect(evaluations).toBeLessThanOrEqual(82)
  })

  it("hand on what the caller's listener throws", async () => {
    const failing = attack({
      concurrency: 2,
      iterations: 100_000,
      onIteration: () => {
        throw new Error('no more paper')
      },
    })
    await expect(failing).rejects.toThrow('no more paper')
  })

  it('say that the objective could not be opened, and end', async () => {
    const settings = leakageOptions({ ...short, concurrency: 2 })
    const prepared = await prepareAttack(await openTarget(model, shared, settings), settings)
    const portable = prepared.portable!()
    const { program } = portable
    const broken = () => ({
      ...portable,
      program: { ...program, content: { ...(program.content as object), model: Uint8Array.of(1, 2, 3) } },
    })
    const threads = await openThreads(broken, settings, newProgress(4), 2)
    const start = await prepared.start(0)
    await expect(threads![0].search(0, start, undefined)).rejects.toMatchObject({ code: 'runtime' })
    await Promise.all(threads!.map((thread) => thread.close()))
    prepared.dispose()
  })

  it('that ended say so', async () => {
    const settings = leakageOptions({ ...short, concurrency: 2 })
    const prepared = await prepareAttack(await openTarget(model, shared, settings), settings)
    const [thread] = (await openThreads(prepared.portable, settings, newProgress(4), 1))!
    await thread.close()
    const late = thread.search(0, await prepared.start(0), undefined)
    await expect(late).rejects.toMatchObject({ code: 'runtime', message: /a search thread ended/ })
    prepared.dispose()
  })

  it("stay on one thread with an optimizer of the caller's", async () => {
    const optimizer = lbfgs({ innerIterations: 3, lineSearch: 'strong-wolfe' })
    const alone = await attack({ optimizer })
    expect(await attack({ optimizer, concurrency: 2 })).toEqual(alone)
  })
})
