import { deflateRawSync, deflateSync } from 'node:zlib'
import fc from 'fast-check'
import { Inflate, Unzlib } from 'fflate'
import { afterEach, describe, expect, it, vi } from 'vitest'
import * as node from '../../../src/io/bytes/zlib'
import * as browser from '../../../src/io/bytes/zlib.browser'

const MIB = 2 ** 20

const cases = [
  { title: 'inflateRaw for Node', inflate: node.inflateRaw, pack: deflateRawSync },
  { title: 'inflateZlib for Node', inflate: node.inflateZlib, pack: deflateSync },
  { title: 'inflateRaw for browsers', inflate: browser.inflateRaw, pack: deflateRawSync },
  { title: 'inflateZlib for browsers', inflate: browser.inflateZlib, pack: deflateSync },
]

describe.each(cases)('$title', ({ inflate, pack }) => {
  it('gives back what was packed, at any level, up to the limit', () => {
    const bytes = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ minLength: 20_000, maxLength: 40_000 }))
    fc.assert(
      fc.property(bytes, fc.integer({ min: 0, max: 9 }), fc.nat(3), (data, level, spare) => {
        const inflated = inflate(pack(data, { level }), data.length + spare)
        expect(inflated && Buffer.compare(inflated, data)).toBe(0)
      }),
      { numRuns: 40, seed: 1 },
    )
  })

  it('gives nothing above the limit', () => {
    for (const size of [1, 2, 300, 70_000]) {
      const packed = pack(new Uint8Array(size))
      expect(inflate(packed, size)).toHaveLength(size)
      expect(inflate(packed, size - 1)).toBeUndefined()
      expect(inflate(packed, 0)).toBeUndefined()
    }
  })

  it('takes a stream of no bytes, and refuses one that is not there', () => {
    expect(inflate(pack(new Uint8Array(0)), 0)).toHaveLength(0)
    expect(() => inflate(new Uint8Array(0), 100)).toThrow(Error)
  })

  it('refuses a stream that ends early, wherever it ends', () => {
    const packed = pack(Uint8Array.from({ length: 500 }, (_, i) => (i * i) % 251))
    const whole = packed.length - (pack === deflateSync ? 4 : 0)
    for (let length = 1; length < whole; length += 7)
      expect(() => inflate(packed.subarray(0, length), 500)).toThrow(Error)
  })

  it('refuses bytes that are no stream', () => {
    expect(() => inflate(new Uint8Array(40).fill(0xff), 1000)).toThrow(Error)
  })
})

describe('inflating in a browser', () => {
  afterEach(() => vi.restoreAllMocks())

  it.each([
    ['inflateRaw', node.inflateRaw, browser.inflateRaw, deflateRawSync],
    ['inflateZlib', node.inflateZlib, browser.inflateZlib, deflateSync],
  ] as const)(
    '%s gives what Node gives of damaged streams that Node takes, and never more than the limit',
    (_, ofNode, ofBrowsers, pack) => {
      let taken = 0
      const damage = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 2 })
      const data = fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.array(fc.nat(3), { maxLength: 400 }).map((v) => Uint8Array.from(v)),
      )
      fc.assert(
        fc.property(data, damage, fc.nat(500), (bytes, edits, most) => {
          const packed = Uint8Array.from(pack(bytes))
          for (const [at, value] of edits) if (at < packed.length) packed[at] = value
          const [expected, found] = [ofNode, ofBrowsers].map((inflate) => outcome(() => inflate(packed, most)))
          if (found instanceof Uint8Array) expect(found.length).toBeLessThanOrEqual(most)
          if (!(expected instanceof Uint8Array)) return
          taken++
          expect(found instanceof Uint8Array && Buffer.compare(found, expected)).toBe(0)
        }),
        { numRuns: 2000, seed: 2 },
      )
      expect(taken).toBeGreaterThan(100)
    },
  )

  it.each([
    ['inflateRaw', browser.inflateRaw, deflateRawSync, Inflate],
    ['inflateZlib', browser.inflateZlib, deflateSync, Unzlib],
  ] as const)('%s stops within a pass: a bomb is not unpacked', (_, inflate, pack, stream) => {
    const bomb = pack(new Uint8Array(64 * MIB), { level: 9 })
    expect(bomb.length).toBeGreaterThan(60_000)
    let read = 0
    const push = stream.prototype.push
    vi.spyOn(stream.prototype, 'push').mockImplementation(function (this: Inflate, chunk, final) {
      read += chunk.length
      push.call(this, chunk, final)
    })
    expect(inflate(bomb, 1000)).toBeUndefined()
    // 4 KiB make 4 MiB and 128 KiB at most
    expect(read).toBe(4096)
  })
})

/** What a call returns; `error` when it throws. */
function outcome(call: () => Uint8Array | undefined): Uint8Array | undefined | 'error' {
  try {
    return call()
  } catch {
    return 'error'
  }
}
