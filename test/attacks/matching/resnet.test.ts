import { readFileSync } from 'node:fs'
import * as tf from '@tensorflow/tfjs-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { resnet18 } from '../../../examples/models/resnet'
import { gradientsOf } from '../../../src'

interface Expected {
  readonly loss: number
  /** By weight: ‖g‖ and the products with two vectors. */
  readonly gradients: Readonly<Record<string, readonly [norm: number, first: number, second: number]>>
}

/** Made by test/fixtures/make_resnet.py. */
const fixture: { labels: number[]; evaluation: Expected; training: Expected } = JSON.parse(
  readFileSync(new URL('../../fixtures/resnet18.json', import.meta.url), 'utf8'),
)

/** The fixture's numbers: the finaliser of MurmurHash3 over positions. */
function uniform(size: number, seed: number, low: number, high: number): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => {
    let h = (i + Math.imul(seed, 0x9e3779b9)) >>> 0
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
    return low + (high - low) * (((h ^ (h >>> 16)) >>> 0) / 2 ** 32)
  })
}

function boundsOf(name: string, shape: readonly number[]): [low: number, high: number] {
  if (name.endsWith('kernel')) {
    const bound = 3 / Math.sqrt(shape.slice(0, -1).reduce((a, b) => a * b, 1))
    return [-bound, bound]
  }
  return name.endsWith('gamma') ? [0.8, 1.2] : name.endsWith('variance') ? [0.5, 1.5] : [-0.1, 0.1]
}

function network() {
  const model = resnet18()
  const seeds = new Map([...model.weights.map((w) => w.originalName)].sort().map((name, i) => [name, i]))
  tf.tidy(() =>
    model.setWeights(
      model.weights.map((w) => {
        const shape = w.shape as number[]
        const values = uniform(
          tf.util.sizeFromShape(shape),
          seeds.get(w.originalName)!,
          ...boundsOf(w.originalName, shape),
        )
        return tf.tensor(values, shape)
      }),
    ),
  )
  return model
}

describe('ResNet-18 with batch norm against PyTorch, onnxruntime-node', () => {
  let model: ReturnType<typeof network>
  let x: tf.Tensor
  beforeAll(async () => {
    await tf.setBackend('cpu')
    model = network()
    x = tf.tensor(uniform(2 * 32 * 32 * 3, 1000, 0, 1), [2, 32, 32, 3])
  })
  afterAll(() => {
    model.dispose()
    x.dispose()
  })

  it.each(['evaluation', 'training'] as const)('every gradient in %s mode is within 1e-4', async (mode) => {
    const shared = await gradientsOf(model, x, fixture.labels, { runtime: 'onnx', training: mode === 'training' })
    const expected = fixture[mode].gradients
    const nameOf = new Map(model.weights.map((w) => [w.name, w.originalName]))
    expect(
      Object.keys(shared)
        .map((name) => nameOf.get(name))
        .sort(),
    ).toEqual(Object.keys(expected).sort())
    for (const [name, tensor] of Object.entries(shared)) {
      const g = tensor.dataSync() as Float32Array
      const [norm, ...products] = expected[nameOf.get(name)!]
      // what a product may be off by when g is off by 1e-4 in any direction: ‖v‖ of a vector uniform in ±1 is √(n / 3)
      const room = 1e-4 * norm * Math.max(1, Math.sqrt(g.length / 3))
      expect(Math.abs(Math.hypot(...blocks(g)) - norm), name).toBeLessThan(1e-4 * norm)
      for (const [i, seed] of [2000, 3000].entries()) {
        const v = uniform(g.length, seed, -1, 1)
        const product = g.reduce((sum, value, j) => sum + value * v[j], 0)
        expect(Math.abs(product - products[i]), name).toBeLessThan(room)
      }
      tensor.dispose()
    }
  })
})

/** Norms of parts, since no call takes millions of arguments. */
function blocks(values: ArrayLike<number>): number[] {
  const norms: number[] = []
  for (let i = 0; i < values.length; i += 1000)
    norms.push(Math.hypot(...Array.prototype.slice.call(values, i, i + 1000)))
  return norms
}
