import * as tf from '@tensorflow/tfjs-core'
import { layers, type Sequential, sequential } from '@tensorflow/tfjs-layers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  adam,
  deepLeakageFromGradients,
  gradientsOf,
  type LeakageOptions,
  type PlainTensor,
  recover,
} from '../../../../src'
import { plain, sample, withUniformWeights } from '../tiny'

/** One convolution with kinks behind it. */
function reluNet(): Sequential {
  const model = sequential({ name: 'tiny relu' })
  model.add(layers.conv2d({ inputShape: [6, 6, 1], filters: 8, kernelSize: 3, activation: 'relu' }))
  model.add(layers.flatten())
  model.add(layers.dense({ units: 4 }))
  return withUniformWeights(model)
}

let model: Sequential
let shared: Record<string, PlainTensor>

beforeAll(async () => {
  await tf.setBackend('cpu')
  model = reluNet()
  const x = sample([1, 6, 6, 1])
  shared = plain(await gradientsOf(model, x, [2], { runtime: 'reference' }))
  x.dispose()
})

afterAll(() => model.dispose())

const recipe: LeakageOptions = { optimizer: 'adam', distance: 'cosine', runtime: 'reference', restarts: 1 }

async function attack(options: LeakageOptions) {
  const leak = await deepLeakageFromGradients(model, shared, { ...recipe, ...options })
  leak.dispose()
  return leak
}

describe("optimizer 'adam' with distance 'cosine' on a ReLU network", () => {
  it.each([1, 50, 400])('runs all of %i iterations', async (iterations) => {
    const { status, history, evaluations } = await attack({ iterations })
    expect(status).toBe('max-iterations')
    expect(history.map((entry) => entry.iteration)).toEqual(Array.from({ length: iterations }, (_, i) => i))
    expect(evaluations).toBe(iterations)
  })

  it('gets further the more there are, and further than L-BFGS', async () => {
    const found = async (options: LeakageOptions) => (await attack({ restarts: 2, ...options })).relativeLoss
    const [few, many, quasiNewton] = [
      await found({ iterations: 50 }),
      await found({ iterations: 1500 }),
      await found({ optimizer: 'lbfgs', iterations: 1500 }),
    ]
    expect(many).toBeLessThan(few / 3)
    expect(many).toBeLessThan(quasiNewton / 3)
  })

  it('runs all iterations in each restart', async () => {
    const { trials } = await attack({ iterations: 40, restarts: 3 })
    expect(trials.map((trial) => trial.evaluations)).toEqual([40, 40, 40])
  })

  it('runs all iterations with priors, at one weight', async () => {
    const { status, evaluations } = await attack({ iterations: 90, priors: { totalVariation: 1e-3 } })
    expect({ status, evaluations }).toEqual({ status: 'max-iterations', evaluations: 90 })
  })

  it('stalls where it is asked to', async () => {
    const { status, evaluations } = await attack({ iterations: 2000, patience: 20 })
    expect(status).toBe('stalled')
    expect(evaluations).toBeLessThan(2000)
  })

  it('is what the parts make', async () => {
    const iterations = 60
    const parts = recover(adam({ steps: iterations, decay: 'cosine' }), { factor: Number.POSITIVE_INFINITY })
    const [named, made] = [await attack({ iterations }), await attack({ iterations, optimizer: parts })]
    expect(made.history).toEqual(named.history)
  })

  it('ends when aborted, with the best point so far', async () => {
    const controller = new AbortController()
    const { status, relativeLoss, history } = await attack({
      iterations: 1_000_000,
      signal: controller.signal,
      onIteration: ({ iteration }) => {
        if (iteration === 120) controller.abort()
      },
    })
    expect(status).toBe('aborted')
    expect(history).toHaveLength(121)
    expect(relativeLoss).toBe(Math.min(...history.map((entry) => entry.relativeLoss)))
  })

  it('ends when a timer aborts', async () => {
    const signal = AbortSignal.timeout(100)
    expect((await attack({ iterations: 1_000_000, signal })).status).toBe('aborted')
  })
})
