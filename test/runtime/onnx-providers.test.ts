import * as tf from '@tensorflow/tfjs-core'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { deepLeakageFromGradients, gradientsOf, onnx, releaseCompiled } from '../../src'
import { convNet, plain, sample } from '../attacks/matching/tiny'

/** What the environment said whenever a session was created; every provider is the CPU's, for there is no GPU here. */
const created = vi.hoisted(() => [] as (string | undefined)[])

vi.mock('onnxruntime-node', async (original) => {
  const ort = (await original<{ default: typeof import('onnxruntime-common') }>()).default
  const InferenceSession = {
    create(model: Uint8Array, options: object) {
      created.push(process.env.NVIDIA_TF32_OVERRIDE)
      return ort.InferenceSession.create(model, { ...options, executionProviders: ['cpu'] })
    },
  }
  return { default: { Tensor: ort.Tensor, InferenceSession } }
})

const model = convNet()
const runOn = async (...executionProviders: (string | { name: string })[]) => {
  created.splice(0)
  tf.dispose(await gradientsOf(model, sample([1, 6, 6, 1]), [2], { runtime: onnx({ executionProviders }) }))
  await releaseCompiled()
  return [...created]
}

describe('providers of onnxruntime-node', () => {
  beforeEach(async () => {
    await tf.setBackend('cpu')
    vi.stubEnv('NVIDIA_TF32_OVERRIDE', undefined)
  })
  afterEach(() => vi.unstubAllEnvs())

  it.each([['cuda'], ['tensorrt', 'cuda'], [{ name: 'cuda', deviceId: 0 }, 'cpu']])(
    '%j: TF32 is off when the first session is created',
    async (...providers) => {
      expect(await runOn(...providers)).toEqual(['0'])
    },
  )

  it('TF32 stays as the user has set it', async () => {
    vi.stubEnv('NVIDIA_TF32_OVERRIDE', '1')
    expect(await runOn('cuda')).toEqual(['1'])
  })

  it.each([[['cpu']], [['webgpu']]])('%j leaves the environment alone', async (providers) => {
    expect(await runOn(...providers)).toEqual([undefined])
    expect(process.env).not.toHaveProperty('NVIDIA_TF32_OVERRIDE')
  })

  it('takes turns on one thread where a device cannot be shared, with the same result', async () => {
    const shared = plain(await gradientsOf(model, sample([1, 6, 6, 1]), [2], { runtime: 'reference' }))
    const attack = async (concurrency: number) => {
      created.splice(0)
      const runtime = onnx({ executionProviders: ['webgpu'] })
      const short = { runtime, restarts: 3, iterations: 2, tolerance: 0, priors: {}, concurrency }
      const leak = await deepLeakageFromGradients(model, shared, short)
      const outcome = leak.trials.map(({ evaluations, data }) => ({ evaluations, data: [...data.dataSync()] }))
      leak.dispose()
      await releaseCompiled()
      return { outcome, runtime: leak.runtime, sessions: created.length }
    }
    const alone = await attack(1)
    expect(alone.runtime).toBe('onnx:webgpu')
    // no further session: a thread of its own would load onnxruntime anew, and fail for want of a GPU
    expect(await attack(3)).toEqual(alone)
  })
})
