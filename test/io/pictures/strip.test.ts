import { describe, expect, it } from 'vitest'
import { gallery, type Image, strip } from '../../../src/io'
import { hasInk } from '../../../src/io/pictures/font'
import { thrown } from '../thrown'
import { image, pixel, randomImage } from './random-image'

const WHITE = [1, 1, 1]

/** The picture as text: `#` where it is black. */
const drawn = (picture: Image, top: number, rows: number) =>
  Array.from({ length: rows }, (_, y) =>
    Array.from({ length: picture.width }, (_, x) => (pixel(picture, x, top + y)[0] === 0 ? '#' : '.')).join(''),
  )

describe('strip', () => {
  it('puts enlarged images side by side on white', () => {
    const images = [randomImage(3, 2, 1), randomImage(3, 2, 2)]
    const picture = strip(images, { scale: 2, gap: 1 })
    expect([picture.width, picture.height]).toEqual([1 + 6 + 1 + 6 + 1, 1 + 4 + 1])
    for (let y = 0; y < picture.height; y++) {
      for (let x = 0; x < picture.width; x++) {
        const index = x < 7 ? 0 : 1
        const [u, v] = [Math.floor((x - (index === 0 ? 1 : 8)) / 2), Math.floor((y - 1) / 2)]
        const inside = u >= 0 && u < 3 && y >= 1 && v < 2
        expect(pixel(picture, x, y)).toEqual(inside ? pixel(images[index], u, v) : WHITE)
      }
    }
  })

  it('draws captions below, centred, line by line', () => {
    const picture = strip([image(11, 1, () => 0.5)], { scale: 1, gap: 1, captions: ['1L\nt'] })
    expect([picture.width, picture.height]).toEqual([13, 1 + 1 + 1 + 18])
    expect(drawn(picture, 3, 18)).toEqual([
      '...#...#.....',
      '..##...#.....',
      '...#...#.....',
      '...#...#.....',
      '...#...#.....',
      '...#...#.....',
      '..###..#####.',
      '.............',
      '.............',
      '....#####....',
      '....#.#.#....',
      '......#......',
      '......#......',
      '......#......',
      '......#......',
      '......#......',
      '.............',
      '.............',
    ])
  })

  it('doubles the letters beside enlarged images and widens a column to hold its caption', () => {
    const picture = strip([image(1, 1, () => 0)], { captions: ['10 DB'] })
    expect([picture.width, picture.height]).toEqual([4 + 29 * 2 + 4, 4 + 6 + 4 + 18])
    const rows = drawn(picture, 14, 14)
    // Each dot is 2x2.
    for (let y = 0; y < 14; y += 2) expect(rows[y]).toBe(rows[y + 1])
    expect(drawn(picture, 4, 1)[0].indexOf('#')).toBe(4 + (58 - 6) / 2)
  })

  it('has a glyph of its own for each character it names', () => {
    const glyph = (character: string) =>
      Array.from({ length: 35 }, (_, i) => (hasInk(character, i % 5, Math.floor(i / 5)) ? '#' : '.')).join('')
    const characters = [..." ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:%-+/()=<>!?#'*_∞"]
    expect(new Set(characters.map(glyph)).size).toBe(characters.length)
    expect(glyph('a')).toBe(glyph('A'))
    expect(glyph('@')).toBe(glyph('?'))
    expect(glyph(' ')).not.toContain('#')
    expect(glyph('T')).toBe(`######.#.#${'..#..'.repeat(5)}`)
  })
})

describe('gallery', () => {
  it('puts rows below each other, centres smaller images and leaves missing ones white', () => {
    const [a, b, small] = [image(4, 4, () => 0.25), image(4, 4, () => 0.5), image(2, 2, () => 0.75)]
    const picture = gallery([[a, b], [small]], { scale: 1, gap: 1 })
    expect([picture.width, picture.height]).toEqual([1 + 4 + 1 + 4 + 1, 1 + 4 + 1 + 2 + 1])
    const row = (y: number) => Array.from({ length: picture.width }, (_, x) => pixel(picture, x, y)[0])
    expect(row(1)).toEqual([1, 0.25, 0.25, 0.25, 0.25, 1, 0.5, 0.5, 0.5, 0.5, 1])
    expect(row(5)).toEqual(new Array(11).fill(1))
    expect(row(6)).toEqual([1, 1, 0.75, 0.75, 1, 1, 1, 1, 1, 1, 1])
  })

  const one = image(2, 2, () => 0)
  it.each<[string, () => unknown, RegExp]>([
    ['no images', () => strip([]), /there must be at least one image/],
    ['no rows', () => gallery([]), /there must be at least one image/],
    ['a malformed image', () => gallery([[one], [{ ...one, width: 3 }]]), /image 0 of row 1: data is 12 values/],
    ['a scale of 0', () => strip([one], { scale: 0 }), /scale 0 must be a positive whole number/],
    ['a negative gap', () => strip([one], { gap: -1 }), /gap -1 must be a whole number from 0/],
    [
      'more captions than columns',
      () => strip([one], { captions: ['a', 'b'] }),
      /2 captions; there must be at most one for each of 1/,
    ],
    ['a result above 50 megapixels', () => strip([one], { scale: 4000 }), /8008x8008 must be at most 50 megapixels/],
  ])('refuses %s', (_, call, message) => {
    const error = thrown(call)
    expect(error.code).toBe('invalid-data')
    expect(error.message).toMatch(message)
  })
})
