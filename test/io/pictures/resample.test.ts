import { describe, expect, it } from 'vitest'
import { resize, squareCrop, toSquare } from '../../../src/io'
import { thrown } from '../thrown'
import { image, pixel, randomImage } from './random-image'

/** The mean over a rectangle of a piecewise constant picture: Σ area of the overlap x value / area. */
function areaAverage(source: ReturnType<typeof image>, width: number, height: number) {
  const overlap = (a: number, b: number, cell: number) => Math.max(0, Math.min(b, cell + 1) - Math.max(a, cell))
  return image(width, height, (x, y, c) => {
    const [x0, x1] = [(x * source.width) / width, ((x + 1) * source.width) / width]
    const [y0, y1] = [(y * source.height) / height, ((y + 1) * source.height) / height]
    let sum = 0
    for (let v = 0; v < source.height; v++) {
      for (let u = 0; u < source.width; u++) {
        sum += overlap(x0, x1, u) * overlap(y0, y1, v) * source.data[(v * source.width + u) * 3 + c]
      }
    }
    return sum / ((x1 - x0) * (y1 - y0))
  })
}

const closeTo = (values: Iterable<number>, digits = 6) => [...values].map((value) => expect.closeTo(value, digits))
const gray = (width: number, values: number[]) => image(width, values.length / width, (x, y) => values[y * width + x])
const red = ({ data }: { data: Float32Array }) => [...data].filter((_, i) => i % 3 === 0)

describe('resize', () => {
  it.each([
    [12, 8, 3, 4],
    [12, 8, 12, 8],
    [13, 9, 5, 4],
    [7, 7, 1, 1],
    [5, 11, 4, 10],
    [3, 500, 2, 3],
  ])('%ix%i to %ix%i is the area average', (w, h, width, height) => {
    const source = randomImage(w, h, w * h)
    const small = resize(source, width, height)
    expect([small.width, small.height]).toEqual([width, height])
    expect([...small.data]).toEqual(closeTo(areaAverage(source, width, height).data))
  })

  it('is Pillow’s BOX at whole ratios', () => {
    const source = gray(
      6,
      Array.from({ length: 24 }, (_, i) => ((i * 7) % 24) / 24),
    )
    const expected = [0.2708333432674408, 0.6041666269302368, 0.4375, 0.5208333730697632, 0.3541666567325592, 0.6875]
    expect(red(resize(source, 3, 2))).toEqual(closeTo(expected))
  })

  it('is Pillow’s BILINEAR where it enlarges', () => {
    const expected = [0, 0.24000000953674316, 0.6000000238418579, 0.42000001668930054, 0.30000001192092896]
    expect(red(resize(gray(3, [0, 0.6, 0.3]), 5, 1))).toEqual(closeTo(expected))
  })

  it('shrinks one axis while it enlarges the other', () => {
    const mixed = resize(gray(4, [0, 0.2, 0.4, 0.6, 0.8, 1, 0.4, 0.2]), 2, 4)
    // Rows of means [0.1, 0.5] and [0.9, 0.3], linear with shares 0, 1/4, 3/4, 1.
    expect(red(mixed)).toEqual(closeTo([0.1, 0.5, 0.3, 0.45, 0.7, 0.35, 0.9, 0.3]))
  })

  it('keeps a constant picture constant and leaves its input alone', () => {
    const source = image(7, 5, () => 0.3)
    const before = source.data.slice()
    expect([...resize(source, 3, 11).data]).toEqual(closeTo(new Array(99).fill(0.3)))
    expect(source.data).toEqual(before)
  })

  it.each([
    [0, 5],
    [5, -1],
    [2.5, 5],
    [Number.NaN, 5],
    [50_001, 1000],
  ])('refuses a target of %d x %d', (width, height) => {
    const error = thrown(() =>
      resize(
        image(2, 2, () => 0),
        width,
        height,
      ),
    )
    expect(error.code).toBe('invalid-data')
    expect(error.message).toContain(`target ${width}x${height} must be positive whole numbers, at most 50 megapixels`)
  })

  it('refuses an image whose data do not fit', () => {
    for (const call of [resize, squareCrop, toSquare]) {
      const error = thrown(() => call({ width: 2, height: 2, data: new Float32Array(11) }, 1, 1))
      expect([error.code, error.message]).toEqual(['invalid-data', expect.stringContaining('data is 11 values')])
    }
  })
})

describe('squareCrop', () => {
  const position = (x: number, y: number, c: number) => [x / 100, y / 100, 0][c]
  it('takes the centre of a wide and of a tall image', () => {
    const wide = squareCrop(image(9, 4, position))
    expect([wide.width, wide.height]).toEqual([4, 4])
    expect([pixel(wide, 0, 0), pixel(wide, 3, 3)]).toEqual([closeTo([0.02, 0, 0]), closeTo([0.05, 0.03, 0])])
    const tall = squareCrop(image(3, 7, position))
    expect([tall.width, tall.height]).toEqual([3, 3])
    expect([pixel(tall, 0, 0), pixel(tall, 2, 2)]).toEqual([closeTo([0, 0.02, 0]), closeTo([0.02, 0.04, 0])])
  })

  it('toSquare crops, then resizes', () => {
    const source = randomImage(12, 8, 5)
    const cut = image(8, 8, (x, y, c) => source.data[(y * 12 + x + 2) * 3 + c])
    const small = toSquare(source, 4)
    expect([small.width, small.height]).toEqual([4, 4])
    expect([...small.data]).toEqual(closeTo(areaAverage(cut, 4, 4).data))
  })
})
