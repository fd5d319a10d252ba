import { describe, expect, it } from 'vitest'
import type { Image } from '../../src/io'
import { meanSquaredError, mse, psnr, ssim } from '../../src/metrics'
import { image, randomImage, uniform } from '../io/pictures/random-image'
import { thrown } from '../io/thrown'

describe('mse', () => {
  it('has its first name still', () => expect(meanSquaredError).toBe(mse))

  it('is the mean of squares, not clamped', () => {
    expect(mse([1, 2, 3], new Float64Array([1, 0, 6]))).toBeCloseTo(13 / 3, 14)
    expect(mse(new Float32Array([5]), [5])).toBe(0)
    expect(mse([Number.NaN], [0])).toBeNaN()
  })
})

describe('psnr', () => {
  it('is 20 dB for an error of a tenth, and infinite for none', () => {
    expect(psnr([0.5, 0.1, 0.9], [0.6, 0.2, 0.8])).toBeCloseTo(20, 12)
    expect(psnr([0, 0, 0, 0], [1, 0, 0, 0])).toBeCloseTo(10 * Math.log10(4), 12)
    expect(psnr([0], [1])).toBeCloseTo(0, 14)
    expect(psnr([0.3, 0.7], [0.3, 0.7])).toBe(Number.POSITIVE_INFINITY)
  })

  it('clamps to [0, 1] and passes NaN on', () => {
    expect(psnr([-3, 7], [0, 1])).toBe(Number.POSITIVE_INFINITY)
    expect(psnr([2, 0.5], [0.9, 0.5])).toBeCloseTo(-10 * Math.log10(0.01 / 2), 12)
    expect(psnr([Number.NaN], [0])).toBeNaN()
  })
})

it.each([
  ['mse', mse],
  ['psnr', psnr],
])('%s refuses lists of different or no length', (name, metric) => {
  const different = thrown(() => metric([1, 2], [1]))
  expect([different.code, different.message]).toEqual([
    'invalid-data',
    `${name}: lengths 2 and 1 must be equal and above 0`,
  ])
  const empty = thrown(() => metric([], []))
  expect([empty.code, empty.message]).toEqual(['invalid-data', `${name}: lengths 0 and 0 must be equal and above 0`])
})

/** Wang et al. (2004), equations 13 to 17, as written: weighted moments about the mean in each 11x11 window. */
function directSsim(a: Image, b: Image): number {
  const luma = ({ data }: Image) =>
    Array.from({ length: data.length / 3 }, (_, i) => {
      const [red, green, blue] = [0, 1, 2].map((c) => Math.round(Math.min(Math.max(data[i * 3 + c], 0), 1) * 255))
      return Math.floor(0.29894 * red + 0.58704 * green + 0.11402 * blue + 0.5)
    })
  const [x, y] = [luma(a), luma(b)]
  const weights = Array.from({ length: 121 }, (_, k) =>
    Math.exp(-(((k % 11) - 5) ** 2 + (Math.floor(k / 11) - 5) ** 2) / (2 * 1.5 ** 2)),
  )
  const total = weights.reduce((sum, w) => sum + w, 0)
  const [c1, c2] = [(0.01 * 255) ** 2, (0.03 * 255) ** 2]
  let sum = 0
  let windows = 0
  for (let top = 0; top + 11 <= a.height; top++) {
    for (let left = 0; left + 11 <= a.width; left++) {
      const mean = (f: (i: number) => number) =>
        weights.reduce((m, w, k) => m + (w / total) * f((top + Math.floor(k / 11)) * a.width + left + (k % 11)), 0)
      const [mx, my] = [mean((i) => x[i]), mean((i) => y[i])]
      const [vx, vy] = [mean((i) => (x[i] - mx) ** 2), mean((i) => (y[i] - my) ** 2)]
      const covariance = mean((i) => (x[i] - mx) * (y[i] - my))
      sum += ((2 * mx * my + c1) * (2 * covariance + c2)) / ((mx * mx + my * my + c1) * (vx + vy + c2))
      windows++
    }
  }
  return sum / windows
}

describe('ssim', () => {
  const smooth = image(32, 24, (x, y, c) => 0.5 + 0.5 * Math.sin((x * (c + 1) + y * 2) / 7))
  const noisy = (strength: number) => {
    const next = uniform(11)
    return image(32, 24, (x, y, c) => smooth.data[(y * 32 + x) * 3 + c] + strength * (next() - 0.5))
  }

  it.each([
    ['a little noise', smooth, noisy(0.1)],
    ['noise beyond [0, 1]', smooth, noisy(3)],
    ['unrelated pictures', randomImage(32, 24, 1), randomImage(32, 24, 2)],
    ['one window', randomImage(11, 11, 1), randomImage(11, 11, 2)],
    ['a negative', smooth, image(32, 24, (x, y, c) => 1 - smooth.data[(y * 32 + x) * 3 + c])],
    ['a picture that others would downsample', randomImage(400, 390, 1), randomImage(400, 390, 3)],
  ])('agrees with the paper’s formula for %s', (_, a, b) => {
    expect(ssim(a, b)).toBeCloseTo(directSsim(a, b), 9)
  })

  it('is 1 for equal pictures, symmetric, and falls with noise', () => {
    expect(ssim(smooth, smooth)).toBeCloseTo(1, 12)
    expect(ssim(smooth, noisy(0.5))).toBeCloseTo(ssim(noisy(0.5), smooth), 12)
    const values = [0.05, 0.2, 0.8].map((strength) => ssim(smooth, noisy(strength)))
    expect(values).toEqual([...values].sort((a, b) => b - a))
    expect(values[2]).toBeLessThan(0.9)
  })

  it('of two constants is the luminance term alone', () => {
    const constant = (level: number) => image(16, 16, () => level / 255)
    const expected = (2 * 100 * 150 + 2.55 ** 2) / (100 ** 2 + 150 ** 2 + 2.55 ** 2)
    expect(ssim(constant(100), constant(150))).toBeCloseTo(expected, 9)
  })

  it('passes NaN on', () => {
    const broken = { ...smooth, data: smooth.data.slice().fill(Number.NaN, 0, 1) }
    expect(ssim(smooth, broken)).toBeNaN()
    expect(ssim(broken, smooth)).toBeNaN()
  })

  it.each<[string, Image, Image, RegExp]>([
    ['two sizes', image(12, 13, () => 0), image(13, 12, () => 0), /12x13 and 13x12 must be images of one size/],
    ['a side below 11', image(10, 32, () => 0), image(10, 32, () => 0), /10x32 must be at least 11x11/],
    ['a malformed first image', { ...smooth, width: 1 }, smooth, /ssim: first image: data is 2304 values/],
    ['a malformed second image', smooth, { ...smooth, width: 1 }, /ssim: second image: data is 2304 values/],
  ])('refuses %s', (_, a, b, message) => {
    const error = thrown(() => ssim(a, b))
    expect(error.code).toBe('invalid-data')
    expect(error.message).toMatch(message)
  })
})
