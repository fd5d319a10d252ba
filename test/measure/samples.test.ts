import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { baselines, measureSamples, mse, pairSamples, psnr, ssim } from '../../src/metrics'
import { image, randomImage, uniform } from '../io/pictures/random-image'
import { thrown } from '../io/thrown'

const numbers = (size: number, seed: number): Float32Array => {
  const next = uniform(seed)
  return Float32Array.from({ length: size }, next)
}

describe('pairSamples', () => {
  it('undoes any order of a batch', () => {
    const order = fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6], { minLength: 7 })
    fc.assert(
      fc.property(order, (shuffled) => {
        const originals = shuffled.map((_, i) => numbers(5, i + 1))
        const found = shuffled.map((i) => originals[i].map((v) => v + 0.01))
        const pairs = pairSamples(originals, Float32Array.from(found.flatMap((f) => [...f])))
        expect(pairs.map(({ slot }) => shuffled[slot])).toEqual([0, 1, 2, 3, 4, 5, 6])
        for (const { mse } of pairs) expect(mse).toBeCloseTo(1e-4, 8)
        expect(pairSamples(originals, found)).toEqual(pairs)
      }),
      { numRuns: 30 },
    )
  })

  it('takes plain lists and float64, and leaves what it is given as it was', () => {
    const [pair] = pairSamples([[1, 2, 3]], Float64Array.of(1, 2, 5), { range: [0, 4] })
    expect(pair).toMatchObject({ slot: 0, mse: 4 / 3 })
    expect([...pair.reconstruction]).toEqual([1, 2, 5])
    // 5 lies outside the range, and cannot be seen
    expect(pair.psnr).toBeCloseTo(-10 * Math.log10((1 / 4) ** 2 / 3), 6)
  })

  it('gives a sample that diverged to whoever is left', () => {
    const originals = [numbers(4, 1), numbers(4, 2), numbers(4, 3)]
    const broken = new Float32Array(4).fill(Number.NaN)
    const pairs = pairSamples(originals, [originals[2], broken, originals[0]])
    expect(pairs.map(({ slot }) => slot)).toEqual([2, 1, 0])
    expect(pairs.map((p) => p.mse)).toEqual([0, Number.NaN, 0])
  })
})

describe('baselines', () => {
  it('are the middle of the range, and the mean of each channel', () => {
    const original = [0, 10, 2, 20, 4, 30, 6, 40]
    const [gray, mean] = baselines(original, { range: [0, 40], shape: [2, 2, 2] })
    expect(gray).toMatchObject({ name: 'gray', mse: (400 + 100 + 324 + 0 + 256 + 100 + 196 + 400) / 8 })
    // channel 0: 0, 2, 4, 6 around 3; channel 1: 10 … 40 around 25
    expect(mean).toMatchObject({ name: 'mean', mse: (9 + 1 + 1 + 9 + 225 + 25 + 25 + 225) / 8 })
    expect(gray.psnr).toBeCloseTo(-10 * Math.log10(gray.mse / 1600), 5)
    expect(mean.psnr).toBeCloseTo(-10 * Math.log10(mean.mse / 1600), 5)
  })

  it('without a shape have one mean, and one number is no channel of its own', () => {
    expect(baselines([0, 1])[1]).toMatchObject({ mse: 0.25 })
    expect(baselines([0, 1], { shape: [2] })[1]).toMatchObject({ mse: 0.25 })
    expect(baselines([0, 1], { shape: [1, 1, 2] })[1]).toMatchObject({ mse: 0.25 })
  })
})

describe('measureSamples', () => {
  const [a, b] = [randomImage(16, 12, 1), image(16, 12, (x, y, c) => 0.5 + 0.4 * Math.sin((x + c) / 3 + y / 5))]
  const close = b.data.map((v, i) => v + 0.02 * Math.cos(i))
  const shape = [12, 16, 3]

  it('is the metrics of each pair, and their means', () => {
    const measured = measureSamples([a.data, b.data], [close, randomImage(16, 12, 9).data], { shape })
    const [first, second] = measured.samples
    expect([first.slot, second.slot]).toEqual([1, 0])
    expect(second.mse).toBe(mse(close, b.data))
    expect(second.psnr).toBeCloseTo(psnr(close, b.data), 9)
    expect(second.ssim).toBeCloseTo(ssim({ ...b, data: close }, b), 9)
    expect(second.baselines).toEqual(baselines(b.data, { shape }))
    expect([first.alike, first.closer, second.alike, second.closer]).toEqual([false, false, true, true])
    for (const key of ['mse', 'psnr', 'ssim'] as const)
      expect(measured[key]).toBeCloseTo((first[key]! + second[key]!) / 2, 12)
  })

  it('does not depend on the unit of the data', () => {
    const scaled = (data: Float32Array) => data.map((v) => 2 * v - 1)
    const plain = measureSamples([b.data], [close], { shape }).samples[0]
    const wide = measureSamples([scaled(b.data)], [scaled(close)], { shape, range: [-1, 1] }).samples[0]
    expect(wide.psnr).toBeCloseTo(plain.psnr, 4)
    expect(wide.ssim).toBeCloseTo(plain.ssim!, 4)
    expect(wide.mse).toBeCloseTo(4 * plain.mse, 7)
  })

  it('counts what lies outside the range in alike and closer, and not in what can be seen', () => {
    const edges = Array.from({ length: 12 }, (_, i) => i % 2)
    const far = edges.map((v) => (v === 1 ? 50 : -50))
    expect(measureSamples([edges], [far]).samples[0]).toMatchObject({ psnr: Infinity, alike: false, closer: false })
    const [near] = measureSamples([edges], [edges.map((v) => (v === 1 ? 1.01 : 0))]).samples
    expect(near).toMatchObject({ psnr: Infinity, alike: true, closer: true })
  })

  it('takes an original that rounding puts outside the range', () => {
    expect(measureSamples([[1 + 1e-7, 0]], [[1, 0]]).samples[0].alike).toBe(true)
  })

  it('has an SSIM of gray pictures too, and none of small ones or of other data', () => {
    const gray = numbers(144, 5)
    const three = Float32Array.from({ length: 432 }, (_, i) => gray[Math.floor(i / 3)])
    const noisy = (v: Float32Array) => v.map((x) => 0.9 * x)
    const [one] = measureSamples([gray], [noisy(gray)], { shape: [12, 12, 1] }).samples
    const [rgb] = measureSamples([three], [noisy(three)], { shape: [12, 12, 3] }).samples
    expect(one.ssim).toBeCloseTo(rgb.ssim!, 12)
    for (const other of [[9, 16, 1], [144], [12, 12], [2, 12, 6, 1]])
      expect(measureSamples([gray], [noisy(gray)], { shape: other })).not.toHaveProperty('ssim')
  })

  it('calls noise neither alike nor closer, even the best of many', () => {
    const originals = Array.from({ length: 16 }, (_, i) => numbers(192, i + 1))
    const noise = Array.from({ length: 16 }, (_, i) => numbers(192, 100 + i))
    const { samples } = measureSamples(originals, noise, { shape: [8, 8, 3] })
    expect(samples.filter(({ closer }) => closer)).toEqual([])
  })
})

it.each<[string, () => unknown, string, RegExp]>([
  ['no originals', () => pairSamples([], [1]), 'invalid-data', /originals is \[\]; it must be a list/],
  ['an empty original', () => pairSamples([[]], []), 'invalid-data', /original 0 has 0 numbers/],
  ['unequal originals', () => pairSamples([[1], [1, 2]], [1, 2]), 'invalid-data', /original 1 has 2 numbers/],
  ['words', () => pairSamples([['a'] as never], [1]), 'invalid-data', /original 0 has 'a' at position 0/],
  ['too few reconstructions', () => pairSamples([[1], [0]], [1]), 'invalid-data', /1 number was reconstructed for 2/],
  [
    'unequal ones',
    () =>
      pairSamples(
        [
          [1, 0],
          [0, 1],
        ],
        [[1], [2, 3, 4]],
      ),
    'invalid-data',
    /one reconstruction of as many/,
  ],
  ['a range upside down', () => pairSamples([[1]], [1], { range: [1, 0] }), 'invalid-option', /range is \[1, 0\]/],
  [
    'an infinite range',
    () => pairSamples([[1]], [1], { range: [0, Infinity] }),
    'invalid-option',
    /two finite numbers/,
  ],
  [
    'an original outside the range',
    () => measureSamples([[3, 4, 5]], [[1, 1, 1]]),
    'invalid-data',
    /original has 3 at position 0, outside the range \[0, 1\]; give the range of the data/,
  ],
  [
    'one of several',
    () => pairSamples([[0], [-1.5]], [0, 0], { range: [-1, 1] }),
    'invalid-data',
    /original 1 has -1.5 at position 0, outside the range \[-1, 1\]/,
  ],
  ['a guess at one', () => baselines([0.5, 1.5]), 'invalid-data', /original has 1.5 at position 1, outside/],
  ['another shape', () => measureSamples([[1, 0]], [1, 0], { shape: [3] }), 'invalid-data', /shape \[3\] needs 3/],
  ['a shape of halves', () => baselines([1, 0], { shape: [0.5, 4] }), 'invalid-option', /whole numbers of at least 1/],
])('refuses %s', (_, call, code, message) => {
  const error = thrown(call)
  expect(error.code).toBe(code)
  expect(error.message).toMatch(message)
})
