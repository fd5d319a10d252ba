import { expect } from 'vitest'
import { DlgError } from '../../src/errors/dlg-error'
import { uniform } from './pictures/random-image'

/** One seeded damage to a file: flipped or set bytes, a cut, a piece removed, doubled or moved, a number edited. */
export function mutate(valid: Uint8Array, next: () => number): Uint8Array {
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

/** What a call may allocate beside the file's multiple: pools, streams and messages. */
const OVERHEAD_BYTES = 16 * 1024

/**
 * How often a reader accepted and refused damaged files; any other error, or a slow file, fails.
 *
 * So does, where `growth` is given, a call after which array buffers hold more than that many times the file's size on top
 * of what they held: garbage counts, so this bounds what the call allocated.
 */
export function survive(
  valid: Uint8Array,
  times: number,
  seed: number,
  read: (bytes: Uint8Array) => void,
  growth?: number,
) {
  const next = uniform(seed)
  const count = { accepted: 0, refused: 0 }
  for (let i = 0; i < times; i++) {
    const bytes = mutate(valid, next)
    const began = performance.now()
    const held = growth === undefined ? 0 : process.memoryUsage().arrayBuffers
    try {
      read(bytes)
      count.accepted++
    } catch (error) {
      if (!(error instanceof DlgError)) throw new Error(`mutation ${i} of seed ${seed}`, { cause: error })
      expect(error.code).toBe('invalid-file')
      count.refused++
    }
    if (growth !== undefined) {
      const allocated = process.memoryUsage().arrayBuffers - held
      const allowed = growth * bytes.length + OVERHEAD_BYTES
      expect(allocated, `bytes allocated for mutation ${i} of seed ${seed}`).toBeLessThan(allowed)
    }
    expect(performance.now() - began, `milliseconds for mutation ${i} of seed ${seed}`).toBeLessThan(10_000)
  }
  return count
}
