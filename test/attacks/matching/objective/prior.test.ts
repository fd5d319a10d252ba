import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { box, colorTotalVariation, norm, type Prior, totalVariation } from '../../../../src'
import { relativeError } from '../../../oracle'
import { tensor, valueAndGradients } from './evaluate'

const measure = (prior: Prior, shape: readonly number[], data: readonly number[]) =>
  valueAndGradients((x) => prior.measure(x), tensor(shape, ...data))

/** √ε², what the smoothing leaves of a difference of zero. */
const FLOOR = 1e-3

describe('totalVariation', () => {
  it('is the mean absolute difference of neighbours, down and across', async () => {
    // down 3, 1; across 2, 0
    const { value } = await measure(totalVariation(1), [1, 2, 2, 1], [0, 2, 3, 3])
    expect(value).toBeCloseTo((3 + 1) / 2 + (2 + 0) / 2, 2)
  })

  it('is next to nothing for a constant image, and so is its slope', async () => {
    const { value, gradients } = await measure(totalVariation(1), [2, 3, 3, 2], Array(36).fill(0.7))
    expect(value).toBeCloseTo(2 * FLOOR, 15)
    expect(gradients[0].every((v) => v === 0)).toBe(true)
  })

  it('does not look across samples or channels', async () => {
    const { value } = await measure(totalVariation(1), [2, 2, 2, 2], [0, 9, 0, 9, 0, 9, 0, 9, 5, 1, 5, 1, 5, 1, 5, 1])
    expect(value).toBeCloseTo(2 * FLOOR, 15)
  })

  it('is the same for shifted, mirrored and negated images', async () => {
    const images = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 12, maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(images, async (image) => {
        const { value } = await measure(totalVariation(1), [1, 4, 3, 1], image)
        const variants = [image.map((v) => v + 0.5), [...image].reverse(), image.map((v) => -v)]
        for (const variant of variants)
          expect((await measure(totalVariation(1), [1, 4, 3, 1], variant)).value).toBeCloseTo(value, 9)
      }),
    )
  })

  it('takes the other direction alone when an image is one pixel high', async () => {
    expect((await measure(totalVariation(1), [1, 1, 3, 1], [0, 1, 3])).value).toBeCloseTo(1.5, 5)
    expect((await measure(totalVariation(1), [1, 1, 1, 1], [4])).value).toBe(0)
  })

  it('refuses what is not a batch of images', async () => {
    const attempt = measure(totalVariation(1), [1, 3], [0, 1, 3])
    await expect(attempt).rejects.toMatchObject({
      code: 'invalid-option',
      message: /totalVariation needs images .* \[1,3\]/,
    })
  })
})

describe('colorTotalVariation', () => {
  const gray = (...pixels: number[]) => pixels.flatMap((v) => [v, v, v])

  it('is √3 times the total variation of a gray image, plus what the smoothing leaves of its colours', async () => {
    const { value } = await measure(colorTotalVariation(1), [1, 2, 2, 3], gray(0, 2, 3, 3))
    // a gray v has brightness v·√3 and no colour; two axes of two colours at the floor, four times each
    expect(value).toBeCloseTo(Math.sqrt(3) * ((3 + 1) / 2 + (2 + 0) / 2) + 4 * 2 * FLOOR, 2)
  })

  it('counts an edge of colour `chroma` times an edge of brightness of the same length', async () => {
    const edge = async (r: number, g: number, b: number) =>
      (await measure(colorTotalVariation(1, 5), [1, 1, 2, 3], [0.5, 0.5, 0.5, 0.5 + r, 0.5 + g, 0.5 + b])).value
    const length = Math.sqrt(2)
    const brightness = await edge(length / Math.sqrt(3), length / Math.sqrt(3), length / Math.sqrt(3))
    const colour = await edge(1, 0, -1)
    // the colour edge is the mean over two colours, one of which has it
    expect(brightness).toBeCloseTo(length, 1)
    expect(colour).toBeCloseTo((5 * length) / 2, 1)
  })

  it('refuses what is not a batch of colour images', async () => {
    await expect(measure(colorTotalVariation(1), [1, 2, 2, 1], [0, 1, 2, 3])).rejects.toMatchObject({
      code: 'invalid-option',
    })
  })
})

describe('norm', () => {
  it('is the mean square', async () => {
    const { value, gradients } = await measure(norm(1), [2, 2], [1, -2, 3, 0])
    expect(value).toBe(14 / 4)
    expect(gradients[0]).toEqual([0.5, -1, 1.5, 0])
  })
})

describe('box', () => {
  it('is the mean squared distance to the range', async () => {
    const { value, gradients } = await measure(box(1, [-1, 1]), [2, 2], [0.5, -3, 2, 1])
    expect(value).toBe((4 + 1) / 4)
    expect(gradients[0].map((v) => v + 0)).toEqual([0, -1, 0.5, 0])
  })

  it('is zero exactly inside', async () => {
    const values = fc.array(fc.double({ min: -2, max: 3, noNaN: true }), { minLength: 4, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(values, async (data) => {
        const { value } = await measure(box(1, [0, 1]), [1, 4], data)
        const expected = data.reduce((sum, v) => sum + Math.max(0, v - 1, -v) ** 2, 0) / 4
        expect(relativeError([value], [expected])).toBeLessThan(1e-12)
      }),
    )
  })
})
