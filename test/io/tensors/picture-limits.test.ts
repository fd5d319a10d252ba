import { describe, expect, it } from 'vitest'
import { decodeImage, encodePng } from '../../../src/io'
import { pillow } from '../pictures/pillow-files'
import { buildPng } from '../pictures/png-builder'
import { randomImage } from '../pictures/random-image'
import { thrown } from '../thrown'

const progressive = () => Buffer.from(pillow.progressive, 'base64')
const marker = (code: number) => Buffer.from([0xff, code])

describe('a picture that costs more than it has', () => {
  /** One level everywhere: bits that deflate to nothing. */
  const blank = (width: number, height: number, depth = 1) =>
    buildPng({
      width,
      height,
      depth,
      colourType: 0,
      raw: new Uint8Array(height * (1 + Math.ceil((width * depth) / 8))),
    })

  it('is decoded up to 16 megapixels, as a blank page is honest', () => {
    const { width, height, data } = decodeImage(blank(2500, 1600))
    expect([width, height, data.length, data.every((v) => v === 0)]).toEqual([2500, 1600, 12_000_000, true])
  })

  it.each([
    ['a wide PNG', blank(40_000_000, 1)],
    ['a square PNG', blank(6500, 6500)],
    ['a gray PNG', blank(4001, 4000, 8)],
  ])('is refused above, before it is inflated: %s', (_, bytes) => {
    const error = thrown(() => decodeImage(bytes, 'page'))
    expect(error.code).toBe('invalid-file')
    expect(error.message).toMatch(
      /^page: the image claims \d+x\d+ pixels, too many for a file of \d+ bytes: above 16 megapixels a byte may stand for 64 pixels at most; if you trust the file, pass maximumPixels: \d+$/,
    )
  })

  it('goes by maximumPixels where the caller says so', () => {
    const page = blank(5000, 3300)
    expect(decodeImage(page, 'page', { maximumPixels: 16_500_000 }).width).toBe(5000)
    expect(thrown(() => decodeImage(page, 'page', { maximumPixels: 16_499_999 })).message).toMatch(
      /is 5000x3300; it must be at most 16.499999 megapixels; shrink it first/,
    )
    expect(thrown(() => decodeImage(progressive(), 'p', { maximumPixels: 511 })).message).toMatch(
      /is 32x16; it must be at most 0.000511 megapixels/,
    )
  })

  it.each([0, -1, 0.5, Number.NaN, 50_000_001, '9'])('refuses maximumPixels: %s', (maximumPixels) => {
    const limits = { maximumPixels: maximumPixels as number }
    const error = thrown(() => decodeImage(encodePng(randomImage(2, 2, 1)), 'p', limits))
    expect([error.code, error.message]).toEqual(['invalid-option', expect.stringContaining('from 1 to 50000000')])
  })

  /** With copies of the last scan, which refines what is there. */
  function withScans(count: number): Buffer {
    const file = progressive()
    let found = 0
    for (let at = file.indexOf(marker(0xda)); at >= 0; at = file.indexOf(marker(0xda), at + 2)) found++
    const scan = file.subarray(file.lastIndexOf(marker(0xda)), file.length - 2)
    return Buffer.concat([file.subarray(0, -2), ...new Array(count - found).fill(scan), file.subarray(-2)])
  }

  it('has scans: a hundred of a JPEG are decoded, and not one more', () => {
    expect(decodeImage(withScans(100)).width).toBe(32)
    const error = thrown(() => decodeImage(withScans(101), 'photo'))
    expect([error.code, error.message]).toEqual([
      'invalid-file',
      'photo: this JPEG has more than 100 scans, the most that are decoded; save it again as baseline',
    ])
  })

  it.each([0, 5, 255])('has components: not %s in a JPEG', (components) => {
    const file = progressive()
    file[file.indexOf(marker(0xc2)) + 9] = components
    expect(thrown(() => decodeImage(file)).message).toMatch(`has ${components} components, must have 1 to 4`)
  })
})

describe('other pictures are named, with the way out', () => {
  const latin = (text: string) => Buffer.from(text, 'latin1')
  const box = (brand: string) => latin(`\0\0\0\x18ftyp${brand}\0\0\0\0mif1`)
  it.each([
    ['WebP', 'webp', latin('RIFF\x24\0\0\0WEBPVP8L')],
    ['AVIF', 'avif', box('avif')],
    ['AVIF', 'avif', box('avis')],
    ['HEIC', 'heic', box('heic')],
    ['HEIC', 'heic', box('mif1')],
    ['TIFF', 'tiff', latin('II*\0\x08\0\0\0')],
    ['TIFF', 'tiff', latin('MM\0*\0\0\0\x08')],
    ['TIFF', 'tiff', latin('II+\0\x08\0\0\0')],
    ['GIF', 'gif', latin('GIF87a')],
    ['BMP', 'bmp', latin('BM\x46\0\0\0\0\0\0\0\x36')],
    ['JXL', 'jxl', latin('\0\0\0\x0cJXL \r\n\x87\n')],
  ])('%s (%s)', (format, extension, bytes) => {
    const error = thrown(() => decodeImage(bytes, 'photo'))
    expect([error.code, error.message]).toEqual([
      'invalid-file',
      `photo: is ${format}, neither PNG nor JPEG (${bytes.length} bytes in all); convert it to one of these, for example: magick IN.${extension} OUT.png`,
    ])
  })

  it.each(['RIFF\x24\0\0\0WAVEfmt ', '\0\0\0\x18ftypisom', 'BMW-series'])('but not what is none: %j', (text) => {
    expect(thrown(() => decodeImage(latin(text))).message).toMatch(/neither PNG nor JPEG by its first bytes/)
  })
})
