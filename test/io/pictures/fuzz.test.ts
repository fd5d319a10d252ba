import { encode as encodeJpeg } from 'jpeg-js'
import { describe, expect, it, vi } from 'vitest'
import { decodeImage, encodePng, parseSafetensors, writeSafetensors } from '../../../src/io'
import { survive } from '../mutations'
import { inflated } from '../tensors/counting'
import { randomImage, uniform } from './random-image'

vi.mock('node:zlib', async (original) => (await import('../tensors/counting')).countingZlib(await original()))

describe('damaged files give a result or a DlgError', () => {
  it('safetensors', () => {
    const next = uniform(1)
    const values = (n: number) => Array.from({ length: n }, next)
    const valid = writeSafetensors(
      new Map([
        ['weight.0', { shape: [3, 4], data: values(12) }],
        ['10', { shape: [], data: values(1) }],
        ['bias', { shape: [5], data: values(5) }],
        ['none', { shape: [0, 3], data: [] }],
      ]),
      { seed: '1234', layout: 'NCHW' },
    )
    const count = survive(valid, 8000, 2, (bytes) => {
      // What is accepted is consistent: it accounts for each byte of the file.
      const { tensors } = parseSafetensors(bytes)
      const header = Number(Buffer.from(bytes).readBigUInt64LE(0))
      let stored = 0
      for (const { dtype, shape, data } of tensors.values()) {
        expect(data.length).toBe(shape.reduce((a, b) => a * b, 1))
        stored += (data.length * Number(/\d+/.exec(dtype)?.[0] ?? 8)) / 8
      }
      expect(8 + header + stored).toBe(bytes.length)
    })
    expect(count.accepted).toBeGreaterThan(500)
    expect(count.refused).toBeGreaterThan(4000)
  })

  const picture = randomImage(9, 6, 3)
  const sound = (bytes: Uint8Array) => {
    const { width, height, data } = decodeImage(bytes)
    // No chunk is unpacked to more than the picture has: a filter's byte a row, and one sample.
    expect(inflated.produced).toBeLessThanOrEqual(height * (1 + width * 8))
    expect(data.length).toBe(width * height * 3)
    expect(data.every((value) => value >= 0 && value <= 1)).toBe(true)
  }

  it('PNG', () => {
    const count = survive(encodePng(picture), 3000, 4, sound)
    expect(count.refused).toBeGreaterThan(2500)
  })

  it('JPEG', () => {
    const rgba = Uint8Array.from({ length: 9 * 6 * 4 }, (_, i) => (i * 37) % 256)
    const valid = encodeJpeg({ width: 9, height: 6, data: rgba }, 80).data
    const count = survive(valid, 3000, 5, sound)
    expect(count.refused).toBeGreaterThan(1000)
    expect(count.accepted).toBeGreaterThan(300)
  })
})
