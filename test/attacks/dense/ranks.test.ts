import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { gradientsOf } from '../../../src'
import { gradientRanks } from '../../../src/analytic'
import { spectrum as spectrumInSteps } from '../../../src/numbers/singular-values'
import { atOnce } from '../../../src/numbers/steps'
import { relativeError, uniform } from '../../oracle'
import { convNet, denseNet, sample } from '../matching/tiny'

/** Σ_k σ_k u_k v_kᵀ with the columns of discrete cosine transforms, which are orthonormal. */
function withSpectrum(sigma: readonly number[], rows: number, columns: number): Float64Array {
  const cosine = (n: number, k: number, i: number): number =>
    Math.sqrt((k === 0 ? 1 : 2) / n) * Math.cos((Math.PI * k * (2 * i + 1)) / (2 * n))
  const out = new Float64Array(rows * columns)
  sigma.forEach((s, k) => {
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) out[i * columns + j] += s * cosine(rows, k, i) * cosine(columns, k, j)
  })
  return out
}

/** The spectrum, all at once. */
const spectrum = (...given: Parameters<typeof spectrumInSteps>) => atOnce(spectrumInSteps(...given))

describe('singular values', () => {
  const sigma = [5, 3, 1, 0.1, 1e-3]

  it.each([
    [40, 25],
    [25, 40],
    [5, 5],
    [300, 6],
  ])('of a [%i, %i] matrix are those it was made with', (rows, columns) => {
    const { values, rank, truncated } = spectrum(withSpectrum(sigma, rows, columns), rows, columns, 256)
    expect([rank, truncated]).toEqual([5, false])
    expect(
      relativeError(
        values.subarray(0, 5),
        sigma.map((s) => s / 5),
      ),
    ).toBeLessThan(1e-9)
  })

  it('below the rounding of float32 do not count', () => {
    const exact = withSpectrum([...sigma, 1e-8], 60, 50)
    expect(spectrum(Float32Array.from(exact), 60, 50, 256).rank).toBe(5)
  })

  it('are cut off at the limit, and that is said', () => {
    expect(spectrum(withSpectrum(sigma, 30, 30), 30, 30, 3)).toMatchObject({ rank: 3, truncated: true })
  })

  it.each([1e200, 1e-200, 1e-310])('do not depend on the scale %s', (scale) => {
    const values = withSpectrum([5, 3, 1], 12, 9).map((v) => v * scale)
    const found = spectrum(values, 12, 9, 256)
    expect(found.rank).toBe(3)
    expect(relativeError(found.values.subarray(0, 3), [1, 0.6, 0.2])).toBeLessThan(1e-6)
  })

  it('of nothing are none', () => {
    expect(spectrum(new Float64Array(12), 4, 3, 9)).toMatchObject({ rank: 0, truncated: false })
  })
})

describe('gradients', () => {
  it('of a dense network have the rank of the batch', async () => {
    await tf.setBackend('cpu')
    const model = denseNet()
    for (const batch of [1, 2, 3]) {
      const x = sample([batch, 8])
      const shared = await gradientsOf(
        model,
        x,
        Array.from({ length: batch }, (_, i) => i),
        { runtime: 'tfjs' },
      )
      const [first, second] = await gradientRanks(shared)
      expect(first).toMatchObject({ rows: 8, columns: 12, rank: batch, implies: 'span' })
      expect(first.gap).toBeGreaterThan(100)
      expect(second).toMatchObject({ rows: 12, columns: 4, rank: batch, implies: 'span' })
      tf.dispose([x, shared])
    }
    model.dispose()
  })

  it('of filters are flattened to [height · width · in, out]', async () => {
    await tf.setBackend('cpu')
    const model = convNet()
    const x = sample([1, 6, 6, 1])
    const shared = await gradientsOf(model, x, [1], { runtime: 'tfjs' })
    const [filters, dense] = await gradientRanks(shared)
    expect(filters).toMatchObject({ rows: 9, columns: 4, rank: 4, implies: 'full' })
    expect(dense).toMatchObject({ rows: 64, columns: 4, rank: 1, implies: 'span' })
    tf.dispose([x, shared])
    model.dispose()
  })

  it('of zeros, vectors, and beyond the limit', async () => {
    const data = uniform(20 * 20, -1, 1)
    const ranks = await gradientRanks(
      {
        zero: { shape: [3, 2], data: new Float32Array(6) },
        bias: { shape: [3], data: [1, 2, 3] },
        noise: { shape: [20, 20], data },
      },
      { limit: 7 },
    )
    expect(ranks.map(({ name, rank, implies }) => [name, rank, implies])).toEqual([
      ['zero', 0, 'zero'],
      ['noise', 7, 'truncated'],
    ])
    const [full] = await gradientRanks({ noise: { shape: [20, 20], data } })
    expect(full).toMatchObject({ rank: 20, implies: 'full', gap: Infinity })
  })

  it('are those of a Map by name, as files are read to', async () => {
    const w = { shape: [2, 2], data: [1, 2, 3, 4] }
    expect(await gradientRanks(new Map([['w', w]]))).toEqual(await gradientRanks({ w }))
  })

  it.each([
    [{ w: { shape: [2, 2], data: [1, 2, 3] } }, {}, 'has 3 numbers; shape [2, 2] needs 4'],
    [{ w: { shape: [1, 2], data: [1, NaN] } }, {}, 'is NaN at position 1'],
    [{ w: null as never }, {}, "'w' must be a tensor"],
    [{ w: { shape: [2, 2] } as never }, {}, 'has no data; it must be a tensor or {shape, data}'],
    [{}, { limit: 0 }, 'limit is 0'],
    [null as never, {}, 'must be a map'],
  ])('that are wrong are refused: %#', async (gradients, options, message) => {
    await expect(gradientRanks(gradients, options)).rejects.toMatchObject({
      name: 'DlgError',
      message: expect.stringContaining(message),
    })
  })
})

it.each([
  { shape: [-2, -3], data: new Float32Array(6) },
  { shape: [2, 0], data: new Float32Array(0) },
  { shape: [1.5, 4], data: new Float32Array(6) },
])('no rank is told of a matrix of shape $shape', async (tensor) => {
  await expect(gradientRanks({ w: tensor })).rejects.toMatchObject({ code: 'invalid-gradients' })
})
