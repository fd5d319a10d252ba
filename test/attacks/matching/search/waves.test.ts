import { describe, expect, it } from 'vitest'
import { type ImageShape, overWaves } from '../../../../src/attacks/matching/search/waves'
import { random } from '../../../../src/numbers/random'
import { adam, type Optimizer, type OptimizerState } from '../../../../src/optim'

/** x − g, so that a step shows what the gradient went through. */
const descent: Optimizer = {
  name: 'descent',
  init: (point) => ({ point: point.slice(), iteration: 0, evaluations: 0 }),
  step: ({ point, iteration, evaluations }, { gradient }): OptimizerState => ({
    ...{ iteration: iteration + 1, evaluations: evaluations + 1 },
    point: point.map((v, i) => v - gradient[i]),
  }),
}

const COLORS = [
  [1 / Math.sqrt(3), 1 / Math.sqrt(3), 1 / Math.sqrt(3)],
  [1 / Math.sqrt(2), 0, -1 / Math.sqrt(2)],
  [1 / Math.sqrt(6), -2 / Math.sqrt(6), 1 / Math.sqrt(6)],
]

/** The columns of B, wave by wave as the definition has them, at steps of mean square 1. */
function columns([height, width, channels]: ImageShape): number[][] {
  const cosine = (k: number, j: number, n: number) =>
    Math.sqrt((k === 0 ? 1 : 2) / n) * Math.cos((Math.PI * (j + 0.5) * k) / n)
  const found: number[][] = []
  for (let a = 0; a < height; a++)
    for (let b = 0; b < width; b++)
      for (let c = 0; c < channels; c++) {
        const frequency = Math.hypot(a / height, b / width) * Math.sqrt(height * width)
        const weight = (channels === 3 && c > 0 ? 0.5 : 1) / (1 + frequency)
        const wave: number[] = []
        for (let i = 0; i < height; i++)
          for (let j = 0; j < width; j++)
            for (let k = 0; k < channels; k++) {
              const color = channels === 3 ? COLORS[c][k] : c === k ? 1 : 0
              wave.push(weight * cosine(a, i, height) * cosine(b, j, width) * color)
            }
        found.push(wave)
      }
  const squares = found.flat().reduce((sum, v) => sum + v * v, 0)
  return found.map((wave) => wave.map((v) => v * Math.sqrt(found.length / squares)))
}

const numbers = (length: number, seed: number): Float64Array => {
  const from = random(seed, 0)
  return Float64Array.from({ length }, () => from.normal())
}

const step = async (optimizer: Optimizer, point: Float64Array, gradient: Float64Array) =>
  optimizer.step(optimizer.init(point), { value: 1, gradient })

describe('an optimizer over waves', () => {
  it.each<{ shape: ImageShape; images: number }>([
    { shape: [4, 4, 3], images: 1 },
    { shape: [2, 5, 1], images: 2 },
    { shape: [3, 2, 2], images: 1 },
  ])('moves $images image(s) of $shape by BBᵀ times the gradient, and the rest by the gradient', async (given) => {
    const { shape, images } = given
    const size = shape[0] * shape[1] * shape[2]
    const data = images * size
    const [point, gradient] = [numbers(data + 2, 1), numbers(data + 2, 2)]
    const { point: moved, iteration, evaluations } = await step(overWaves(descent, shape, data), point, gradient)
    const b = columns(shape)
    const expected = point.map((v, i) => {
      if (i >= data) return v - gradient[i]
      const first = i - (i % size)
      const products = b.map((wave) => wave.reduce((sum, w, k) => sum + w * gradient[first + k], 0))
      return v - b.reduce((sum, wave, k) => sum + wave[i - first] * products[k], 0)
    })
    for (const [i, v] of expected.entries()) expect(moved[i]).toBeCloseTo(v, 10)
    expect([iteration, evaluations]).toEqual([1, 1])
  })

  it('begins and begins again at the point it is given, and leaves its arguments alone', async () => {
    const optimizer = overWaves(adam({ learningRate: 0.1 }), [4, 4, 3], 48)
    const [start, gradient, other] = [numbers(48, 1), numbers(48, 2), numbers(48, 3)]
    const copies = [start, gradient, other].map((v) => v.slice())
    const state = optimizer.init(start)
    for (const [i, v] of start.entries()) expect(state.point[i]).toBeCloseTo(v, 12)
    const next = await optimizer.step(state, { value: 1, gradient })
    const again = optimizer.restart!(next, other, 0.5)
    for (const [i, v] of other.entries()) expect(again.point[i]).toBeCloseTo(v, 12)
    expect([start, gradient, other]).toEqual(copies)
    // half the rate: Adam's first step is its rate for every wave, whichever gradient
    const [far, near] = [next, await optimizer.step(again, { value: 1, gradient })]
    for (const i of [0, 17, 47]) expect(near.point[i] - other[i]).toBeCloseTo((far.point[i] - start[i]) / 2, 6)
  })

  it('takes signed steps that are in pixels as large as those over pixels', async () => {
    const options = { learningRate: 0.1, gradientSign: 'sign', decay: 'none' } as const
    const [start, gradient] = [numbers(48, 1), numbers(48, 2)]
    const { point } = await step(overWaves(adam(options), [4, 4, 3], 48), start, gradient)
    const squares = point.reduce((sum, v, i) => sum + (v - start[i]) ** 2, 0)
    expect(Math.sqrt(squares / 48)).toBeCloseTo(0.1, 6)
  })
})
