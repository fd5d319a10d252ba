import { encode as encodeJpeg } from 'jpeg-js'
import { describe, expect, it } from 'vitest'
import { DlgError } from '../../src/errors'
import { decodeImage, encodePng, parseSafetensors, writeSafetensors } from '../../src/io'
import { randomImage, uniform } from './random-image'

/** One seeded damage to a file: flipped or set bytes, a cut, a piece removed, doubled or moved, a number edited. */
function mutate(valid: Uint8Array, next: () => number): Uint8Array {
  const at = (length: number) => Math.floor(next() * length)
  const bytes = Buffer.from(valid)
  const from = at(bytes.length)
  const piece = bytes.subarray(from, from + 1 + at(16))
  switch (at(6)) {
    case 0:
      for (let n = 1 + at(4); n > 0; n--) bytes[at(bytes.length)] ^= 1 << at(8)
      return bytes
    case 1:
      bytes[from] = [0, 0x22, 0x2c, 0x7b, 0x7d, 0x5b, 0x5d, 0x2d, 0x7f, 0xff][at(10)]
      return bytes
    case 2:
      return bytes.subarray(0, from)
    case 3:
      return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + piece.length)])
    case 4: {
      const to = at(bytes.length)
      return Buffer.concat([bytes.subarray(0, to), piece, bytes.subarray(to)])
    }
    default: {
      const numbers = ['0', '-1', '1e9', '1e400', '0.5', '4294967296', '9007199254740993', '12']
      const text = bytes.toString('latin1')
      const start = text.slice(from).search(/\d/) + from
      const edited = text.slice(0, start) + text.slice(start).replace(/\d+/, numbers[at(numbers.length)])
      return Buffer.from(edited, 'latin1')
    }
  }
}

/** How often a reader accepted and refused damaged files; any other error, or a slow file, fails. */
function survive(valid: Uint8Array, times: number, seed: number, read: (bytes: Uint8Array) => void) {
  const next = uniform(seed)
  const count = { accepted: 0, refused: 0 }
  for (let i = 0; i < times; i++) {
    const bytes = mutate(valid, next)
    const began = performance.now()
    try {
      read(bytes)
      count.accepted++
    } catch (error) {
      if (!(error instanceof DlgError)) throw new Error(`mutation ${i} of seed ${seed}`, { cause: error })
      expect(error.code).toBe('invalid-file')
      count.refused++
    }
    expect(performance.now() - began, `milliseconds for mutation ${i} of seed ${seed}`).toBeLessThan(10_000)
  }
  return count
}

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
        stored += data.length * { F64: 8, I64: 8, F32: 4, I32: 4, F16: 2, BF16: 2, U8: 1 }[dtype]
      }
      expect(8 + header + stored).toBe(bytes.length)
    })
    expect(count.accepted).toBeGreaterThan(500)
    expect(count.refused).toBeGreaterThan(4000)
  })

  const picture = randomImage(9, 6, 3)
  const sound = (bytes: Uint8Array) => {
    const { width, height, data } = decodeImage(bytes)
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
