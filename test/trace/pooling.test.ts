import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import * as g from '../../src/graph'
import { reference } from '../../src/runtime/reference'
import { evaluate } from '../../src/runtime/runtime'
import { record } from '../../src/trace'

beforeAll(async () => {
  await tf.setBackend('cpu')
})

interface Pool {
  readonly height: number
  readonly width: number
  readonly window: readonly [number, number]
  readonly stride: readonly [number, number]
  readonly padding: 'same' | 'valid'
  readonly relu: boolean
}

/** What flows back to each number of an image [1, h, w, 1], when i + 1 flows into window i. */
async function backwards(values: Float64Array, { height, width, window, stride, padding, relu }: Pool) {
  const graph = g.createGraph()
  const x = g.input(graph, 'x', [1, height, width, 1])
  const y = record(graph, new Map(), (recorder) => {
    const image = recorder.tensorOf(x) as tf.Tensor4D
    const pooled = tf.maxPool(relu ? tf.relu(image) : image, [...window], [...stride], padding)
    return recorder.nodeOf(pooled)
  })
  const count = g.sizeOf(y.shape)
  const seed = g.reshape(g.offset(g.iota(graph, count), 1), y.shape)
  const [value, gradient] = await evaluate(
    reference(),
    { inputs: [x], outputs: [y, g.grad(y, [x], seed)[0]] },
    new Map(),
    [values],
  )
  return { shape: y.shape, value: [...value], gradient: [...gradient] }
}

/** The definition: each window gives what flows into it to its first maximum in row-major order. */
function byDefinition(values: Float64Array, { height, width, window, stride, padding, relu }: Pool) {
  const x = relu ? values.map((v) => Math.max(v, 0)) : values
  const extent = [height, width]
  const places = extent.map((n, i) =>
    padding === 'same' ? Math.ceil(n / stride[i]) : Math.floor((n - window[i]) / stride[i]) + 1,
  )
  const before = extent.map((n, i) =>
    padding === 'same' ? Math.floor(Math.max((places[i] - 1) * stride[i] + window[i] - n, 0) / 2) : 0,
  )
  const value: number[] = []
  const gradient = new Array<number>(x.length).fill(0)
  for (let r = 0; r < places[0]; r++)
    for (let c = 0; c < places[1]; c++) {
      let best = -1
      for (let i = 0; i < window[0]; i++)
        for (let j = 0; j < window[1]; j++) {
          const [row, column] = [r * stride[0] - before[0] + i, c * stride[1] - before[1] + j]
          if (row < 0 || row >= height || column < 0 || column >= width) continue
          const at = row * width + column
          if (best < 0 || x[at] > x[best]) best = at
        }
      value.push(x[best])
      if (!relu || x[best] > 0) gradient[best] += value.length
    }
  return { value, gradient }
}

const side = fc.integer({ min: 2, max: 7 })
const pair = (max: number) => fc.tuple(fc.integer({ min: 1, max }), fc.integer({ min: 1, max }))
const pools: fc.Arbitrary<Pool> = fc
  .record({
    ...{ height: side, width: side, window: pair(4), stride: pair(3) },
    ...{ padding: fc.constantFrom('same' as const, 'valid' as const), relu: fc.boolean() },
  })
  .filter((p) => p.padding === 'same' || (p.window[0] <= p.height && p.window[1] <= p.width))

describe('max-pooling', () => {
  it('has the value and the gradient of its definition, first of equal maxima, at any window, stride and padding', async () => {
    // few different numbers, so that ties abound; whole ones, so that sums are exact; and some beyond every finite float32
    const pixel = fc.constantFrom(-1e35, -2, -1, 0, 0, 1, 1, 2, 1e35)
    const problems = pools.chain((pool) =>
      fc.tuple(
        fc.constant(pool),
        fc.array(pixel, { minLength: pool.height * pool.width, maxLength: pool.height * pool.width }),
      ),
    )
    await fc.assert(
      fc.asyncProperty(problems, async ([pool, pixels]) => {
        const values = Float64Array.from(pixels)
        const { value, gradient } = await backwards(values, pool)
        const expected = byDefinition(values, pool)
        expect(value).toEqual(expected.value)
        expect(gradient).toEqual(expected.gradient)
      }),
      { numRuns: 300 },
    )
  })

  it('lets an infinite cotangent pass to its maximum alone', async () => {
    const graph = g.createGraph()
    const x = g.input(graph, 'x', [1, 2, 4, 1])
    const y = record(graph, new Map(), (recorder) =>
      recorder.nodeOf(tf.sqrt(tf.maxPool(recorder.tensorOf(x) as tf.Tensor4D, 2, 2, 'valid'))),
    )
    // the root is infinitely steep at 0, which is the maximum of the first window
    const [gradient] = await evaluate(
      reference(),
      { inputs: [x], outputs: g.grad(g.reshape(g.sum(y), []), [x]) },
      new Map(),
      [Float64Array.of(-1, 0, 1, 4, -2, -3, 2, 3)],
    )
    expect([...gradient]).toEqual([0, Number.POSITIVE_INFINITY, 0, 0.25, 0, 0, 0, 0])
  })
})

describe('padding with a number', () => {
  it.each([0.3, -1e9, Number.NEGATIVE_INFINITY])('of %d leaves what it surrounds as it is', async (value) => {
    const graph = g.createGraph()
    const x = g.input(graph, 'x', [2, 1])
    const y = record(
      graph,
      new Map(),
      (recorder) =>
      recorder.nodeOf(tf.pad(recorder.tensorOf(x), [[1, 2], [0, 1]], value)), // biome-ignore format: pairs
    )
    const [padded] = await evaluate(reference(), { inputs: [x], outputs: [y] }, new Map(), [Float64Array.of(0.1, 0.7)])
    const v = value
    expect([...padded]).toEqual([v, v, 0.1, v, 0.7, v, v, v, v, v])
  })
})
