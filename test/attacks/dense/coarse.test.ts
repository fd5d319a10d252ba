import * as tf from '@tensorflow/tfjs-core'
import { layers, sequential } from '@tensorflow/tfjs-layers'
import { describe, expect, it } from 'vitest'
import { gradientsOf } from '../../../src'
import { exactData } from '../../../src/analytic'
import { attack, targetOf } from '../../../src/attacks'
import { exactDataIn } from '../../../src/attacks/dense/exact-data'
import { traceOfOne } from '../../../src/attacks/dense/first-dense'
import { openModel } from '../../../src/client/model/open-model'
import { targetOptions } from '../../../src/client/target-options'
import { atOnce } from '../../../src/numbers/steps'
import { denseNet, numbers, plain, sample, withUniformWeights } from '../matching/tiny'

/** A number as float16 holds it. */
function float16(v: number): number {
  if (v === 0) return 0
  const step = 2 ** (Math.max(-14, Math.floor(Math.log2(Math.abs(v)))) - 10)
  return Math.round(v / step) * step
}

describe('a batch whose gradient was shared in float16', () => {
  it('has the candidates that its float32 gradient has', async () => {
    const model = sequential()
    model.add(layers.dense({ inputShape: [48], units: 256, activation: 'relu' }))
    model.add(layers.dense({ units: 10 }))
    withUniformWeights(model)
    const x = tf.tensor(numbers(4 * 48, 7, -1, 1), [4, 48])
    const shared = plain(await gradientsOf(model, x, [0, 1, 2, 3], { runtime: 'reference' }))
    const found = async (given: typeof shared, options: object) => {
      const outcome = await attack('isolated-inputs', await targetOf(model, given, { batchSize: 4, ...options }))
      const rows = (outcome.found.data?.arraySync() ?? []) as number[][]
      outcome.dispose()
      return { status: outcome.status, rows, reason: outcome.reason }
    }
    const fine = await found(shared, {})
    const coarse = await found(
      Object.fromEntries(
        Object.entries(shared).map(([name, { shape, data }]) => [
          name,
          { shape, data: Float32Array.from(data, float16) },
        ]),
      ),
      { precision: 'float16' },
    )
    expect([fine.status, coarse.status]).toEqual(['partial', 'partial'])
    expect(fine.rows.length).toBeGreaterThan(1)
    const apart = (a: number[], b: number[]) => Math.hypot(...a.map((v, j) => v - b[j])) / Math.hypot(...a)
    const samples = x.arraySync() as number[][]
    for (const row of fine.rows) expect(Math.min(...samples.map((one) => apart(one, row)))).toBeLessThan(1e-5)
    for (const row of fine.rows) expect(Math.min(...coarse.rows.map((one) => apart(row, one)))).toBeLessThan(3e-3)
    tf.dispose(x)
    model.dispose()
  })
})

describe('one sample, whose weights after training were shared in float16', () => {
  /** @param rest the types of the other layers, and what their steps are multiplied by */
  const shareAfter = async (learningRate: number, rest = { dtype: 'float16' as 'float16' | 'float32', times: 1 }) => {
    const model = denseNet()
    const x = sample([1, 8])
    const gradients = plain(await gradientsOf(model, x, [1], { runtime: 'reference' }))
    const after = Object.fromEntries(
      model.trainableWeights.map((weight, i) => {
        const { dtype, times } = i < 2 ? { dtype: 'float16' as const, times: 1 } : rest
        const from = weight.read().dataSync()
        const { shape, data } = gradients[weight.name]
        return [
          weight.name,
          {
            shape,
            dtype,
            data: Float32Array.from(from, (v, k) => {
              const moved = v - times * learningRate * data[k]
              return dtype === 'float16' ? float16(moved) : moved
            }),
          },
        ]
      }),
    )
    const outcome = await attack('dense-inversion', await targetOf(model, { after }, { update: { learningRate } }))
    const found = outcome.found.data?.dataSync()
    const error = found && Math.max(...Array.from(x.dataSync(), (v, i) => Math.abs(v - found[i])))
    outcome.dispose()
    x.dispose()
    model.dispose()
    return { ...outcome, error }
  }

  it('is read as far as its first layer tells, which lost more than the whole, and is not called proven', async () => {
    const { status, reason, error, evidence } = await shareAfter(1)
    expect(error).toBeLessThan(2e-3)
    expect(status).toBe('undetermined')
    expect(reason).toMatch(/the mean of several samples: what was shared tells gradients apart from \d/)
    expect(evidence.residual!).toBeLessThan(evidence.floor!)
  })

  it('is held to what the other layers tell, where they were shared exactly', async () => {
    const exact = await shareAfter(0.1, { dtype: 'float32', times: 1 })
    const other = await shareAfter(0.1, { dtype: 'float32', times: 1.03 })
    expect([exact.status, other.status]).toEqual(['undetermined', 'partial'])
    expect(other.evidence.residual!).toBeGreaterThan(other.evidence.floor!)
    // what the first layer lost would allow it
    expect(other.evidence.residual!).toBeLessThan(exact.evidence.floor!)
  })

  it('is not read where the type has taken what the step has moved', async () => {
    const { status, reason } = await shareAfter(1e-3)
    expect(status).toBe('failed')
    expect(reason).toMatch(/what was shared of the first layer lost about as much as it has/)
  })
})

describe('a gradient of signs', () => {
  it('gives no data: the attacks say that it has one size, and the step of an adaptive optimizer too', async () => {
    const model = denseNet()
    const x = sample([2, 8])
    const shared = plain(await gradientsOf(model, x, [1, 2], { runtime: 'reference' }))
    const each = (f: (v: number) => number) =>
      Object.fromEntries(
        Object.entries(shared).map(([name, { shape, data }]) => [name, { shape, data: Float32Array.from(data, f) }]),
      )
    const signs = each(Math.sign)
    const adam = { delta: each((v) => (-0.01 * v) / (Math.abs(v) + 1e-8)) }
    for (const [given, options] of [
      [signs, {}],
      [adam, { update: { learningRate: 0.01 } }],
    ] as const)
      for (const [name, batchSize] of [
        ['dense-inversion', 1],
        ['isolated-inputs', 2],
      ] as const) {
        const { status, reason } = await attack(name, await targetOf(model, given, { ...options, batchSize }))
        expect([status, reason]).toEqual([
          'refused',
          expect.stringMatching(/one size, as signs have, .* adaptive optimizer/),
        ])
      }
    expect(await exactData(model, signs)).toBeUndefined()
    // nor does a search begin at them
    const traced = traceOfOne(openModel(model), targetOptions({}))
    expect(
      atOnce(
        exactDataIn(
          traced,
          Object.values(signs).map(({ data }) => data),
        ),
      ),
    ).toBeUndefined()
    x.dispose()
    model.dispose()
  })
})
