import { describe, expect, it } from 'vitest'
import { exifOrientation, orient } from '../../../src/io/pictures/exif'
import { image } from './random-image'

/** An APP1 segment with one directory entry. */
function segment(orientation: number, { littleEndian = false, tag = 0x0112, directory = 8 } = {}): Uint8Array {
  const bytes = Buffer.alloc(6 + 8 + 2 + 12 + 4)
  bytes.write('Exif\0\0', 'latin1')
  bytes.write(littleEndian ? 'II' : 'MM', 6)
  const view = new DataView(bytes.buffer, bytes.byteOffset + 6)
  view.setUint16(2, 42, littleEndian)
  view.setUint32(4, directory, littleEndian)
  view.setUint16(8, 1, littleEndian)
  view.setUint16(10, tag, littleEndian)
  view.setUint16(12, 3, littleEndian)
  view.setUint32(14, 1, littleEndian)
  view.setUint16(18, orientation, littleEndian)
  return bytes
}

describe('exifOrientation', () => {
  it('reads both byte orders', () => {
    expect(exifOrientation(segment(6))).toBe(6)
    expect(exifOrientation(segment(3, { littleEndian: true }))).toBe(3)
  })

  it('is undefined for what it cannot be', () => {
    expect(exifOrientation(segment(0))).toBeUndefined()
    expect(exifOrientation(segment(9))).toBeUndefined()
    expect(exifOrientation(segment(6, { tag: 0x0110 }))).toBeUndefined()
    expect(exifOrientation(segment(6, { directory: 0xffffffff }))).toBeUndefined()
    expect(exifOrientation(segment(6).subarray(0, 20))).toBeUndefined()
    expect(exifOrientation(segment(6).subarray(0, 9))).toBeUndefined()
    expect(exifOrientation(Buffer.from('http://ns.adobe.com/xap/1.0/\0'))).toBeUndefined()
  })
})

describe('orient', () => {
  // Stored as  A B C    upright as below; the letter F of the EXIF FAQ turned the same eight ways.
  //            D E F
  const stored = image(3, 2, (x, y) => (y * 3 + x) / 8)
  it.each([
    [1, ['ABC', 'DEF']],
    [2, ['CBA', 'FED']],
    [3, ['FED', 'CBA']],
    [4, ['DEF', 'ABC']],
    [5, ['AD', 'BE', 'CF']],
    [6, ['DA', 'EB', 'FC']],
    [7, ['FC', 'EB', 'DA']],
    [8, ['CF', 'BE', 'AD']],
  ])('%i', (orientation, rows) => {
    const { width, height, data } = orient(stored, orientation)
    const letters = [...data].filter((_, i) => i % 3 === 0).map((value) => 'ABCDEF'[value * 8])
    const read = Array.from({ length: height }, (_, y) => letters.slice(y * width, (y + 1) * width).join(''))
    expect(read).toEqual(rows)
  })
})
