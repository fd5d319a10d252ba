import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { attack, targetOf } from '../../../src/attacks'
import { shownPrecision, storageNorm } from '../../../src/client/shared/rounding'
import { deepLeakage, gradientsOf, type PlainTensor, type TargetOptions } from '../../../src/index'
import { convNet, denseNet, numbers, plain, sample } from '../../attacks/matching/tiny'

/** The nearest number of a type with so many bits of significand. */
function rounded(value: number, bits: number, smallest: number): number {
  if (value === 0) return 0
  const exponent = Math.max(Math.floor(Math.log2(Math.abs(value))), Math.log2(smallest))
  const step = 2 ** (exponent + 1 - bits)
  return Math.round(value / step) * step
}

const TYPES = { float16: [11, 2 ** -14], bfloat16: [8, 2 ** -126] } as const

describe.each(['float16', 'bfloat16'] as const)('gradients stored as %s', (dtype) => {
  const [bits, smallest] = TYPES[dtype]
  const stored = (values: ArrayLike<number>) => Float32Array.from(values, (v) => rounded(v, bits, smallest))

  it('lose what is expected, over numbers of every size', () => {
    const values = Float64Array.from(numbers(20_000, 3, -1, 1), (v, i) => v * 10 ** ((i % 7) - 3))
    const lost = stored(values).reduce((sum, v, i) => sum + (v - values[i]) ** 2, 0)
    const expected = storageNorm(values, { dtype })
    expect(lost / expected).toBeGreaterThan(0.9)
    expect(lost / expected).toBeLessThan(1.1)
  })

  it('show in their numbers, but not in a few, in signs, or beside one that is finer', () => {
    const values = stored(numbers(200, 3, -1, 1))
    expect(shownPrecision([values, new Float32Array(9)])).toBe(dtype)
    expect(shownPrecision([values.slice(0, 20)])).toBeUndefined()
    expect(shownPrecision([values.map(Math.sign)])).toBeUndefined()
    expect(shownPrecision([values, Float32Array.of(1 / 3)])).toBeUndefined()
    expect(shownPrecision([])).toBeUndefined()
    // multiples of one number: half of pixels, and whole numbers of 8 bits
    const pixels = Float32Array.from(numbers(3000, 4, 0, 256), Math.floor)
    expect(shownPrecision([pixels.map((v) => v / 2)])).toBeUndefined()
    expect(shownPrecision([pixels.map((v) => (v - 128) / 1024)])).toBeUndefined()
  })

  const share = async (said: boolean): Promise<PlainTensor[]> => {
    await tf.setBackend('cpu')
    const model = convNet()
    const x = sample([1, 6, 6, 1])
    const exact = plain(await gradientsOf(model, x, [2], { runtime: 'reference' }))
    tf.dispose(x)
    model.dispose()
    // a list: layers of two models have different names
    return Object.values(exact).map(({ shape, data }) => ({ shape, data: stored(data), ...(said && { dtype }) }))
  }

  it.each([
    ['the tensors say so', true, undefined],
    ['the caller says so', false, dtype],
    ['the numbers show it', false, undefined],
  ] as const)('are matched as far as the type can tell, where %s', async (_, said, precision) => {
    const model = convNet()
    const options = { labels: [2], restarts: 1, runtime: 'reference' as const }
    const leak = await deepLeakage(model, await share(said), { ...options, precision })
    expect(leak.status).toBe('converged')
    const x = sample([1, 6, 6, 1])
    expect(tf.tidy(() => tf.losses.meanSquaredError(x, leak.data).dataSync()[0])).toBeLessThan(2e-2)
    tf.dispose(x)
    leak.dispose()
    model.dispose()
  })
})

describe('what does not match', () => {
  beforeAll(async () => {
    await tf.setBackend('cpu')
  })

  it('stays failed however coarse the type is', async () => {
    const [model, other] = [convNet(), convNet()]
    const x = sample([1, 6, 6, 1], 5)
    // the gradient of another label at the same data, which the known label cannot have
    const shared = Object.values(plain(await gradientsOf(other, x, [1], { runtime: 'reference' })))
    const options = { labels: [2], restarts: 1, iterations: 60, runtime: 'reference' as const }
    for (const precision of ['float16', 'bfloat16', 'int8'] as const) {
      const leak = await deepLeakage(model, shared, { ...options, precision })
      expect(leak.status).not.toBe('converged')
      leak.dispose()
    }
    tf.dispose(x)
  })
})

it('quantised numbers lose a twelfth of the squared scale each', () => {
  expect(storageNorm(numbers(1200, 1), { dtype: 'int8', quantization: { scale: 0.1, min: 0 } })).toBeCloseTo(1, 10)
  expect(storageNorm(numbers(10, 1), {})).toBe(0)
})

describe('an update of one step', () => {
  const RATE = 0.1
  const half = (v: number): number => rounded(v, ...TYPES.float16)
  const eighths = (values: ArrayLike<number>) => Math.max(...Array.from(values, Math.abs)) / 127

  it.each<
    [string, 'delta' | 'after', TargetOptions['precision'], (values: Float64Array) => Omit<PlainTensor, 'shape'>]
  >([
    ['a delta that says float16', 'delta', undefined, (v) => ({ data: Float32Array.from(v, half), dtype: 'float16' })],
    ['a delta that went through float16', 'delta', undefined, (v) => ({ data: Float32Array.from(v, half) })],
    ['a delta that the caller says is in float16', 'delta', 'float16', (v) => ({ data: Float32Array.from(v, half) })],
    [
      'weights after it that say float16',
      'after',
      undefined,
      (v) => ({ data: Float32Array.from(v, half), dtype: 'float16' }),
    ],
    [
      'a delta that the caller says is in int8',
      'delta',
      'int8',
      (v) => ({ data: Float32Array.from(v, (one) => Math.round(one / eighths(v)) * eighths(v)) }),
    ],
    [
      'a delta in whole numbers with a scale',
      'delta',
      undefined,
      (v) => ({
        data: Float64Array.from(v, (one) => Math.round(one / eighths(v)) * eighths(v)),
        dtype: 'int8',
        quantization: { scale: eighths(v), min: 0 },
      }),
    ],
  ])('has the rounding of its type: %s', async (_, part, precision, stored) => {
    await tf.setBackend('cpu')
    const model = denseNet()
    const x = sample([1, 8])
    const gradients = await gradientsOf(model, x, [2], { runtime: 'reference' })
    const exact = model.trainableWeights.map((w) => {
      const [gradient, before] = [gradients[w.name].dataSync(), w.read().dataSync()]
      const delta = Float64Array.from(gradient, (v) => -RATE * v)
      return { delta, shape: w.shape as number[], sent: part === 'delta' ? delta : delta.map((v, i) => v + before[i]) }
    })
    const shared = exact.map(({ shape, sent }) => ({ shape, ...stored(sent) }))
    const squares = (values: Iterable<number>) => Array.from(values).reduce((sum, v) => sum + v * v, 0)
    const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0)
    const lost = sum(exact.map(({ sent }, i) => squares(sent.map((v, k) => v - shared[i].data[k]))))
    const target = await targetOf(model, part === 'delta' ? { delta: shared } : { after: shared }, {
      ...{ update: { learningRate: RATE }, precision },
    })
    const ratio = target.rounding / (lost / sum(exact.map(({ delta }) => squares(delta))))
    // the mean of 156 squared errors
    expect(ratio).toBeGreaterThan(0.7)
    expect(ratio).toBeLessThan(1.4)
    const { status, found, dispose } = await attack('dense-inversion', target)
    // weights in float16 lose a percent of a small layer's move, and then the neurons may disagree
    if (part === 'delta') {
      expect(status).not.toBe('failed')
      expect(tf.tidy(() => tf.losses.meanSquaredError(x, found.data!).dataSync()[0])).toBeLessThan(1e-3)
    }
    dispose()
    tf.dispose([x, gradients])
    model.dispose()
  })
})
