import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateSync } from 'node:zlib'
import { encode as encodeJpeg } from 'jpeg-js'
import { afterAll, describe, expect, it } from 'vitest'
import { decodeImage, encodePng, type Image, readImage } from '../../../src/io'
import { thrown } from '../thrown'
import { pillow } from './pillow-files'
import { buildPng, chunk } from './png-builder'
import { image, levels, pixel, randomImage } from './random-image'

const fromBase64 = (text: string) => Buffer.from(text, 'base64')
const pixels = ({ width, height, data }: Image) =>
  Array.from({ length: width * height }, (_, i) => [...data.subarray(i * 3, i * 3 + 3)])
const closeTo = (expected: number[]) => expected.map((value) => expect.closeTo(value, 6))

describe('decodeImage of PNG', () => {
  it('gives back what encodePng wrote: levels, clamping, NaN as black', () => {
    const original = randomImage(13, 7, 1)
    const read = decodeImage(encodePng(original))
    expect([read.width, read.height]).toEqual([13, 7])
    expect(levels(read.data)).toEqual(levels(original.data))
    const wild = { width: 2, height: 1, data: new Float32Array([-1, 2, Number.NaN, Number.POSITIVE_INFINITY, 0.5, 1]) }
    expect(levels(decodeImage(encodePng(wild)).data)).toEqual([0, 255, 0, 255, 128, 255])
  })

  it('reads Pillow’s filtered RGB', () => {
    const { width, height, data } = decodeImage(fromBase64(pillow.rgb))
    expect([width, height]).toEqual([7, 5])
    expect(levels(data)).toEqual(
      levels(
        image(7, 5, (x, y, c) => [Math.floor((x * 255) / 6), Math.floor((y * 255) / 4), ((x + y) * 37) % 256][c] / 255)
          .data,
      ),
    )
  })

  it('reads Pillow’s 2-bit palette with transparent entries on white', () => {
    const half = 128 / 255
    const [red, green, blue, dark] = [[1, 0, 0], [1, 1, 1], [1 - half, 1 - half, 1], [10, 20, 30].map((v) => v / 255)]
    const expected = [red, green, blue, dark, red, dark, blue, green, red, green]
    expect(pixels(decodeImage(fromBase64(pillow.palette)))).toEqual(expected.map(closeTo))
  })

  it('reads Pillow’s 16-bit gray, gray with alpha, and bilevel', () => {
    const gray = (...values: number[]) => values.map((value) => closeTo([value, value, value]))
    expect(pixels(decodeImage(fromBase64(pillow.gray16)))).toEqual(gray(0, 32768 / 65535, 1))
    const blended = ((100 / 255) * 128 + 127) / 255
    expect(pixels(decodeImage(fromBase64(pillow.grayAlpha)))).toEqual(gray(0, blended, 1))
    const ink = Array.from({ length: 22 }, (_, i) => ((i % 11) ** 2 + Math.floor(i / 11)) % 3)
    expect(pixels(decodeImage(fromBase64(pillow.bilevel)))).toEqual(gray(...ink.map((v) => (v === 0 ? 1 : 0))))
  })

  it.each([1, 2, 4, 8, 16])('reads %i-bit gray whose row ends inside a byte', (depth) => {
    const max = 2 ** depth - 1
    const values = [0, max, max >> 1, 1, max]
    const bits = values.map((value) => value.toString(2).padStart(depth, '0')).join('')
    const row = bits
      .padEnd(Math.ceil(bits.length / 8) * 8, '0')
      .match(/.{8}/g)!
      .map((byte) => Number.parseInt(byte, 2))
    const file = buildPng({ width: 5, height: 2, depth, colourType: 0, raw: [0, ...row, 0, ...row] })
    const read = decodeImage(file)
    expect(pixels(read)).toEqual([...values, ...values].map((v) => closeTo([v / max, v / max, v / max])))
  })

  it('reads RGBA on white, and the transparent colour of gray and RGB files', () => {
    const rgba = buildPng({ width: 2, height: 1, colourType: 6, raw: [0, 255, 0, 0, 51, 9, 9, 9, 0] })
    expect(pixels(decodeImage(rgba))).toEqual([closeTo([1, 0.8, 0.8]), [1, 1, 1]])
    const rgb = buildPng({
      width: 3,
      height: 1,
      raw: [0, 1, 2, 3, 1, 2, 4, 9, 2, 3],
      extra: [chunk('tRNS', Uint8Array.of(0, 1, 0, 2, 0, 3))],
    })
    expect(levels(decodeImage(rgb).data)).toEqual([255, 255, 255, 1, 2, 4, 9, 2, 3])
    const gray = buildPng({
      width: 2,
      height: 1,
      colourType: 0,
      raw: [0, 7, 8],
      extra: [chunk('tRNS', Uint8Array.of(0, 7))],
    })
    expect(levels(decodeImage(gray).data)).toEqual([255, 255, 255, 8, 8, 8])
  })

  it('undoes each filter', () => {
    // One gray row of 10, 20, 30 above the row 15, 15, 40, written by each filter in turn.
    const filtered = [
      [0, 15, 15, 40],
      [1, 15, 0, 25],
      [2, 5, 251, 10],
      [3, 10, 254, 18],
      // Paeth predicts 10; then from (15, 20, 10) 20 (25 - 20 = 5 is nearest); then from (15, 30, 20) 30.
      [4, 5, 251, 10],
    ]
    for (const row of filtered) {
      const file = buildPng({ width: 3, height: 2, colourType: 0, raw: [0, 10, 20, 30, ...row] })
      expect(levels(decodeImage(file).data.filter((_, i) => i % 3 === 0))).toEqual([10, 20, 30, 15, 15, 40])
    }
  })

  it('reads an interlaced file', () => {
    const [width, height] = [5, 3]
    const value = (x: number, y: number) => 10 * y + x
    // The passes that this size has: first column and row, steps.
    const passes = [
      [0, 0, 8, 8],
      [4, 0, 8, 8],
      [2, 0, 4, 4],
      [0, 2, 2, 4],
      [1, 0, 2, 2],
      [0, 1, 1, 2],
    ]
    const raw: number[] = []
    for (const [x0, y0, dx, dy] of passes) {
      for (let y = y0; y < height; y += dy) {
        raw.push(0)
        for (let x = x0; x < width; x += dx) raw.push(value(x, y))
      }
    }
    const read = decodeImage(buildPng({ width, height, colourType: 0, interlace: 1, raw }))
    expect(levels(read.data)).toEqual(levels(image(width, height, (x, y) => value(x, y) / 255).data))
  })

  it('ignores broken text and colour profiles', () => {
    const extra = [chunk('iCCP', Uint8Array.of(0x61, 0, 0, 1, 2, 3)), chunk('tEXt', Uint8Array.of(1))]
    const file = buildPng({ width: 1, height: 1, raw: [0, 1, 2, 3], extra })
    expect(levels(decodeImage(file).data)).toEqual([1, 2, 3])
  })

  const valid = buildPng({ width: 2, height: 2, raw: [0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6] })
  const bomb = deflateSync(new Uint8Array(50_000_000))
  it.each<[string, Uint8Array, RegExp]>([
    ['no bytes', new Uint8Array(0), /neither PNG nor JPEG/],
    ['another format', Buffer.from('GIF89a..........'), /neither PNG nor JPEG.*16 bytes/],
    ['a signature alone', valid.subarray(0, 8), /truncated PNG/],
    ['a cut in the header', valid.subarray(0, 20), /truncated PNG/],
    ['a cut in the data', valid.subarray(0, 50), /truncated PNG/],
    ['a missing end', valid.subarray(0, valid.length - 12), /truncated PNG/],
    ['a chunk length beyond the file', Buffer.from(valid).fill(0xff, 33, 37), /truncated PNG/],
    ['no width', buildPng({ width: 0, height: 3, raw: [0] }), /the image is 0x3; it must have pixels/],
    ['no height', buildPng({ width: 3, height: 0, raw: [0] }), /the image is 3x0; it must have pixels/],
    [
      '50 megapixels and more',
      buildPng({ width: 50_001, height: 1000, raw: [0] }),
      /50001x1000; it must be at most 50 megapixels/,
    ],
    [
      'the largest size',
      buildPng({ width: 2 ** 32 - 1, height: 2 ** 32 - 1, raw: [0] }),
      /4294967295x4294967295; it must be at most/,
    ],
    ['a bit depth of 3', buildPng({ width: 1, height: 1, depth: 3, raw: [0] }), /no 3-bit samples of colour type 2/],
    ['4-bit RGB', buildPng({ width: 1, height: 1, depth: 4, raw: [0] }), /no 4-bit samples of colour type 2/],
    ['colour type 5', buildPng({ width: 1, height: 1, colourType: 5, raw: [0] }), /colour type 5/],
    [
      'an unknown interlacing',
      buildPng({ width: 1, height: 1, interlace: 2, raw: [0, 1, 2, 3] }),
      /Interlace method 2/,
    ],
    [
      'interlaced bits',
      buildPng({ width: 1, height: 1, depth: 1, colourType: 0, interlace: 1, raw: [0, 1] }),
      /interlaced 1-bit PNG is not read/,
    ],
    ['an unknown filter', buildPng({ width: 1, height: 1, raw: [9, 1, 2, 3] }), /corrupt PNG: Unsupported filter: 9/],
    [
      'too few image data',
      buildPng({ width: 2, height: 1, raw: [0, 1, 2, 3] }),
      /its image data are 4 bytes and must be 7/,
    ],
    ['too many image data', buildPng({ width: 1, height: 1, raw: [0, 1, 2, 3, 4] }), /corrupt PNG; its image data/],
    [
      'a deflate bomb',
      Buffer.concat([valid.subarray(0, 33), chunk('IDAT', bomb), valid.subarray(-12)]),
      /corrupt PNG; its image data/,
    ],
    [
      'image data that are not zlib',
      Buffer.concat([valid.subarray(0, 33), chunk('IDAT', Uint8Array.of(1, 2, 3)), valid.subarray(-12)]),
      /its image data: incorrect header check/,
    ],
    ['no image data', Buffer.concat([valid.subarray(0, 33), valid.subarray(-12)]), /corrupt PNG, its image data/],
    ['a wrong checksum', Buffer.from(valid).fill(0, 29, 33), /corrupt PNG: CRC mismatch for chunk IHDR/],
    ['two headers', Buffer.concat([valid.subarray(0, 33), valid.subarray(8)]), /must start with one IHDR/],
    ['no header', Buffer.concat([valid.subarray(0, 8), valid.subarray(33)]), /must start with one IHDR/],
    ['no palette', buildPng({ width: 1, height: 1, colourType: 3, raw: [0, 0] }), /palette index 0 must be below 0/],
    [
      'an index beyond the palette',
      buildPng({ width: 1, height: 1, colourType: 3, raw: [0, 2], extra: [chunk('PLTE', new Uint8Array(6))] }),
      /palette index 2 must be below 2/,
    ],
  ])('refuses %s', (_, bytes, message) => {
    const error = thrown(() => decodeImage(bytes, 'photo'))
    expect(error.code).toBe('invalid-file')
    expect(error.message).toMatch(message)
    expect(error.message).toMatch(/^photo: /)
  })

  it('refuses an argument that is not bytes, and an image whose data do not fit', () => {
    const error = thrown(() => decodeImage('photo.png' as unknown as Uint8Array))
    expect([error.code, error.message]).toEqual(['invalid-data', 'image: bytes is string; it must be a Uint8Array'])
    const short = thrown(() => encodePng({ width: 2, height: 2, data: new Float32Array(3) }))
    expect([short.code, short.message]).toEqual([
      'invalid-data',
      expect.stringContaining('3 values; it must be a Float32Array of 2x2x3 = 12'),
    ])
    const empty = thrown(() => encodePng({ width: 0, height: 1.5, data: new Float32Array(0) }))
    expect([empty.code, empty.message]).toEqual(['invalid-data', expect.stringContaining('size 0x1.5 must be')])
  })
})

/** The colours of Pillow's quadrants, 16x8 pixels each. */
const QUADRANTS = [
  [200, 30, 30],
  [30, 200, 30],
  [30, 30, 200],
  [220, 220, 220],
]
const near = (expected: number[]) => expected.map((value) => expect.toSatisfy((v: number) => Math.abs(v - value) <= 2))
const levelsAt = (img: Image, ...places: [number, number][]) => places.map(([x, y]) => levels(pixel(img, x, y)))

describe('decodeImage of JPEG', () => {
  it('reads what jpeg-js encoded', () => {
    const data = Uint8Array.from({ length: 24 * 16 * 4 }, (_, i) => [40, 90, 160, 255][i % 4])
    const read = decodeImage(encodeJpeg({ width: 24, height: 16, data }, 95).data)
    expect([read.width, read.height]).toEqual([24, 16])
    expect(levelsAt(read, [0, 0], [23, 15])).toEqual([near([40, 90, 160]), near([40, 90, 160])])
  })

  it('reads Pillow’s progressive file as Pillow does', () => {
    const read = decodeImage(fromBase64(pillow.progressive))
    expect([read.width, read.height]).toEqual([32, 16])
    expect(levelsAt(read, [4, 4], [24, 4], [4, 12], [24, 12])).toEqual(QUADRANTS.map(near))
  })

  it('reads gray and CMYK', () => {
    const gray = decodeImage(fromBase64(pillow.gray))
    expect([gray.width, gray.height]).toEqual([24, 16])
    expect(levelsAt(gray, [3, 3], [20, 9])).toEqual([near([30, 30, 30]), near([200, 200, 200])])
    expect(levelsAt(decodeImage(fromBase64(pillow.cmyk)), [4, 4])).toEqual([near([255, 0, 0])])
  })

  it('turns an image upright as its EXIF orientation says', () => {
    const read = decodeImage(fromBase64(pillow.rotated))
    expect([read.width, read.height]).toEqual([16, 32])
    // A quarter turn clockwise: the stored lower left comes to the upper left.
    expect(levelsAt(read, [4, 4], [12, 4], [4, 24], [12, 24])).toEqual([2, 0, 3, 1].map((i) => near(QUADRANTS[i])))
  })

  const valid = fromBase64(pillow.progressive)
  const frame = valid.indexOf(Buffer.from([0xff, 0xc2]))
  const edited = (at: number, ...bytes: number[]) => {
    const copy = Buffer.from(valid)
    copy.set(bytes, at)
    return copy
  }
  const frameBytes = valid.subarray(frame, frame + 19)
  it.each<[string, Uint8Array, RegExp]>([
    ['three bytes', valid.subarray(0, 3), /truncated JPEG, has no end-of-image marker/],
    ['a cut in a segment', valid.subarray(0, 60), /truncated JPEG, ends inside a segment/],
    ['a cut in the image data', valid.subarray(0, valid.length - 2), /truncated JPEG, has no end-of-image/],
    [
      'image data that end early',
      Buffer.concat([fromBase64(pillow.gray).subarray(0, -12), Buffer.from([0xff, 0xd9])]),
      /corrupt or unsupported JPEG: /,
    ],
    ['no frame', Buffer.from([0xff, 0xd8, 0xff, 0xd9]), /corrupt JPEG, has no frame header/],
    ['two frames', Buffer.concat([valid.subarray(0, frame), frameBytes, valid.subarray(frame)]), /more than one frame/],
    ['no height', edited(frame + 5, 0, 0), /the image is 32x0; it must have pixels/],
    ['no width', edited(frame + 7, 0, 0), /the image is 0x16; it must have pixels/],
    ['65535 pixels a side', edited(frame + 5, 0xff, 0xff, 0xff, 0xff), /65535x65535; it must be at most 50 megapixels/],
    [
      'more pixels than its bytes can hold',
      edited(frame + 5, 0x1b, 0x58, 0x1b, 0x58),
      /claims 7000x7000 pixels, too many for a file of \d+ bytes/,
    ],
    ['12-bit samples', edited(frame + 4, 12), /12-bit samples; it must have 8/],
    ['a lossless frame', edited(frame + 1, 0xc3), /lossless, hierarchical or arithmetic; it must be baseline/],
    ['an arithmetic frame', edited(frame + 1, 0xc9), /lossless, hierarchical or arithmetic; it must be baseline/],
    ['a segment length below 2', edited(frame + 2, 0, 1), /truncated JPEG, ends inside a segment/],
    ['no sampling factors', edited(frame + 11, 0), /corrupt or unsupported JPEG: Invalid sampling factor/],
  ])('refuses %s', (_, bytes, message) => {
    const error = thrown(() => decodeImage(bytes, 'photo'))
    expect(error.code).toBe('invalid-file')
    expect(error.message).toMatch(message)
    expect(error.message).toMatch(/^photo: /)
  })
})

describe('readImage', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dlg-image-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  it('reads a file, whatever its name ends in', () => {
    const path = join(folder, 'picture.dat')
    writeFileSync(path, encodePng(randomImage(3, 2, 9)))
    expect(levels(readImage(path).data)).toEqual(levels(randomImage(3, 2, 9).data))
  })

  it.each<[string, (path: string) => void, RegExp]>([
    ['a missing file', () => {}, /: no such file$/],
    ['a path through a file', () => {}, /: cannot be read: ENOTDIR/],
    ['a directory', () => {}, /: is a directory$/],
    ['a pipe', (path) => execFileSync('mkfifo', [path]), /: is not a file$/],
    ['a link to itself', (path) => symlinkSync(path, path), /: cannot be read: ELOOP/],
    ['a file of text', (path) => writeFileSync(path, 'hello'), /: neither PNG nor JPEG/],
  ])('refuses %s, naming the path', (what, make, message) => {
    const file = join(folder, 'picture.dat')
    const path =
      what === 'a directory' ? folder : what === 'a path through a file' ? join(file, 'x') : join(folder, what)
    make(path)
    const error = thrown(() => readImage(path))
    expect(error.code).toBe('invalid-file')
    expect(error.message).toMatch(message)
    expect(error.message.startsWith(path)).toBe(true)
  })
})
