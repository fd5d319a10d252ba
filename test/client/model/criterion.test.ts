import { readFileSync } from 'node:fs'
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import {
  binaryCrossEntropy,
  type Criterion,
  crossEntropy,
  DlgError,
  huber,
  type LossFunction,
  meanAbsoluteError,
  meanSquaredError,
  tokenCrossEntropy,
} from '../../../src'
import { lossOf } from '../../../src/client/model/loss'
import * as g from '../../../src/graph'
import { reference } from '../../../src/runtime/reference'
import { evaluate, type Values } from '../../../src/runtime/runtime'
import { checkGradients, relativeError, uniform } from '../../oracle'

type Stored = readonly [shape: number[], data: number[]]

interface TorchCase {
  readonly output: Stored
  readonly target: Stored
  readonly mean: { readonly loss: number; readonly gradient: number[] }
  readonly sum: { readonly loss: number; readonly gradient: number[] }
  readonly mask?: number[][]
}

const torch: Record<string, TorchCase> = JSON.parse(
  readFileSync(new URL('../../fixtures/criteria.json', import.meta.url)).toString(),
).cases

const reductions = ['mean', 'sum'] as const
type Make = (reduction: (typeof reductions)[number], mask?: number[][]) => Criterion | LossFunction

const criteria: Record<string, Make> = {
  'cross-entropy, hard': () => crossEntropy(),
  'cross-entropy, soft': () => crossEntropy('logits'),
  'cross-entropy, smoothed': () => crossEntropy({ labelSmoothing: 0.1 }),
  'cross-entropy of probabilities': () => crossEntropy('probabilities'),
  'binary cross-entropy': (within) => binaryCrossEntropy({ within }),
  'binary cross-entropy, soft': (within) => binaryCrossEntropy({ within, output: 'logits' }),
  'binary cross-entropy, far out': (within) => binaryCrossEntropy({ within }),
  'binary cross-entropy of probabilities': (within) => binaryCrossEntropy({ within, output: 'probabilities' }),
  'mean squared error': (within) => meanSquaredError({ within }),
  'mean absolute error': (within) => meanAbsoluteError({ within }),
  huber: (within) => huber({ within }),
  'huber, delta 0.4': (within) => huber({ within, delta: 0.4 }),
  tokens: () => tokenCrossEntropy(),
  'tokens, ignored': () => tokenCrossEntropy(),
  'tokens, ignored and smoothed': () => tokenCrossEntropy({ labelSmoothing: 0.2 }),
  'tokens, mask': (_, mask) => tokenCrossEntropy({ mask }),
}

/** Token ids as rows; ignored ones have none. */
function rowsOf([shape, data]: Stored, classes: number): Stored {
  return [[...shape, classes], data.flatMap((id) => Array.from({ length: classes }, (_, c) => Number(c === id)))]
}

const targetOf = ({ output: [shape], target }: TorchCase): Stored =>
  target[0].length < shape.length ? rowsOf(target, shape[shape.length - 1]) : target

/** Loss and ∂loss/∂output in float64. */
async function run(
  criterion: Criterion | LossFunction,
  reduction: 'mean' | 'sum',
  [shape, data]: Stored,
  target: Stored,
  last: (output: g.Node) => g.Node = (x) => x,
): Promise<Values[]> {
  const graph = g.createGraph()
  const captured = new Map<string, Values>()
  const [y, t] = [g.input(graph, 'output', shape), g.input(graph, 'target', target[0])]
  const loss = lossOf(criterion, last(y), t, reduction, captured)
  expect(loss.shape).toEqual([])
  const program = { inputs: [y, t], outputs: [loss, ...g.grad(loss, [y])] }
  return evaluate(reference(), program, captured, [Float64Array.from(data), Float64Array.from(target[1])])
}

describe('loss and first-order gradient are those of PyTorch', () => {
  it('every case is here', () => {
    expect(Object.keys(criteria)).toEqual(Object.keys(torch))
  })

  describe.each(Object.keys(criteria))('%s', (name) => {
    it.each(reductions)('%s', async (reduction) => {
      const { mask, output, [reduction]: expected } = torch[name]
      const [loss, gradient] = await run(criteria[name](reduction, mask), reduction, output, targetOf(torch[name]))
      expect(relativeError(loss, [expected.loss], 1e-300)).toBeLessThan(1e-12)
      expect(relativeError(gradient, expected.gradient, 1e-300)).toBeLessThan(1e-12)
    })
  })
})

describe('first and second order equal finite differences in float64', () => {
  it.each(Object.keys(criteria).filter((name) => !name.includes('far out')))('%s', async (name) => {
    const { output, mask } = torch[name]
    // far from the edges of [0, 1], where a logarithm is too steep for finite differences
    const y = name.includes('probabilities') ? uniform(12, 0.3, 0.7) : Float64Array.from(output[1])
    const target = targetOf(torch[name])
    const t = Float64Array.from(target[1])
    const captured = new Map<string, Values>()
    const check = await checkGradients(
      (a, b) => g.square(lossOf(criteria[name]('mean', mask), a, b, 'mean', captured)),
      [output[0], target[0]],
      [y, t],
    )
    expect(check.instability).toBeLessThan(1e-5)
    expect(check.first).toBeLessThan(1e-7)
    expect(check.second).toBeLessThan(1e-6)
  })
})

describe('the end of the model', () => {
  const name = 'binary cross-entropy'
  it('a sigmoid is seen through, and stays finite where probabilities are 0 and 1', async () => {
    const far = torch['binary cross-entropy, far out']
    const target = targetOf(far)
    for (const [c, y, t] of [
      [torch[name], torch[name].output, targetOf(torch[name])],
      [far, far.output, target],
    ] as const) {
      const [loss, gradient] = await run(binaryCrossEntropy(), 'mean', y, t, g.sigmoid)
      expect(relativeError(loss, [c.mean.loss])).toBeLessThan(1e-12)
      expect(relativeError(gradient, c.mean.gradient)).toBeLessThan(1e-12)
    }
  })

  it('probabilities of exactly 0 and 1 have a finite loss', async () => {
    const [loss, gradient] = await run(
      binaryCrossEntropy({ output: 'probabilities' }),
      'mean',
      [
        [1, 4],
        [0, 1, 0, 1],
      ],
      [
        [1, 4],
        [0, 1, 1, 0],
      ],
    )
    // two are right, and two cost −log of the smallest normal float32
    expect(loss[0]).toBeCloseTo((2 * 126 * Math.LN2) / 4, 10)
    expect([...gradient].every(Number.isFinite)).toBe(true)
  })
})

describe("a function of the caller's own, in tfjs operations", () => {
  const c = torch['mean squared error']
  const expected = c.mean

  it.each<[string, LossFunction]>([
    ['a loss per sample', (y, t) => tf.mean(tf.squaredDifference(y, t), 1)],
    ['a scalar', (y, t) => tf.losses.meanSquaredError(t, y) as tf.Scalar],
  ])('%s', async (_, loss) => {
    const tensors = tf.memory().numTensors
    const [value, gradient] = await run(loss, 'mean', c.output, c.target)
    expect(relativeError(value, [expected.loss])).toBeLessThan(1e-12)
    expect(relativeError(gradient, expected.gradient)).toBeLessThan(1e-12)
    expect(tf.memory().numTensors).toBe(tensors)
  })

  it('a loss per sample is reduced, a scalar is taken as it is', async () => {
    const perSample: LossFunction = (y, t) => tf.mean(tf.squaredDifference(y, t), 1)
    const scalar: LossFunction = (y, t) => tf.mean(tf.squaredDifference(y, t))
    const [summed] = await run(perSample, 'sum', c.output, c.target)
    const [asItIs] = await run(scalar, 'sum', c.output, c.target)
    expect(summed[0]).toBeCloseTo(3 * expected.loss, 12)
    expect(asItIs[0]).toBeCloseTo(expected.loss, 12)
  })

  it('with numbers of its own, to second order', async () => {
    const weights = tf.tensor(Float32Array.from(uniform(100, 0.5, 2)), [100])
    const captured = new Map<string, Values>()
    const loss: LossFunction = (y, t) => tf.sum(tf.mul(tf.pow(tf.sub(y, t), 4), tf.reshape(weights, [1, 100])), 1)
    const data = [uniform(200, -1, 1), uniform(200, -1, 1, 2)]
    const graph = g.createGraph()
    const [y, t] = [g.input(graph, 'y', [2, 100]), g.input(graph, 't', [2, 100])]
    const value = lossOf(loss, y, t, 'mean', captured)
    const [first] = g.grad(value, [y])
    const [second] = g.grad(g.inner(first, first), [y])
    const [d1, d2] = await evaluate(reference(), { inputs: [y, t], outputs: [first, second] }, captured, data)
    weights.dispose()
    const w = uniform(100, 0.5, 2).map(Math.fround)
    const d = data[0].map((v, i) => v - data[1][i])
    // L = Σ w d⁴ / 2, so ∂L = 2 w d³ and ∂Σ(∂L)² = 24 w² d⁵
    expect(
      relativeError(
        d1,
        d.map((v, i) => 2 * w[i % 100] * v ** 3),
      ),
    ).toBeLessThan(1e-12)
    expect(
      relativeError(
        d2,
        d.map((v, i) => 24 * w[i % 100] ** 2 * v ** 5),
      ),
    ).toBeLessThan(1e-12)
  })

  const refusedFunctions: [string, string, LossFunction][] = [
    ['invalid-option', 'must give a scalar or [batch]: [3]', (y) => y],
    ['invalid-option', 'it must give a tensor, at once', () => 3 as never],
    ['untraceable', 'cannot trace the operation TopK', (y) => tf.topk(y).values],
    ['untraceable', 'a read of values', (y, t) => (y.dataSync()[0] > 0 ? t : y)],
  ]
  it.each(refusedFunctions)('%s: %s', async (code, words, loss) => {
    const error = await run(loss, 'mean', c.output, c.target).catch((thrown) => thrown)
    expect(error).toBeInstanceOf(DlgError)
    expect(error).toMatchObject({ code, message: expect.stringContaining(words) })
  })
})

describe('wrong parameters are refused', () => {
  const target: Stored = [[2, 3, 4], new Array(24).fill(0.25)]
  const wrong: [string, () => unknown][] = [
    ['labelSmoothing is 1; it must be a number in [0, 1)', () => crossEntropy({ labelSmoothing: 1 })],
    ['labelSmoothing is NaN', () => tokenCrossEntropy({ labelSmoothing: Number.NaN })],
    ['delta is 0; it must be a number above 0', () => huber({ delta: 0 })],
    ['delta is Infinity', () => huber({ delta: Number.POSITIVE_INFINITY })],
    ['ignoreIndex is 0.5', () => tokenCrossEntropy({ ignoreIndex: 0.5 })],
    ['mask is object', () => tokenCrossEntropy({ mask: [1, 2] as never })],
    ['mask has -1 in it', () => tokenCrossEntropy({ mask: [[1, -1]] })],
    ['mask leaves no position', () => tokenCrossEntropy({ mask: [[0, 0]] })],
    [
      'mask is [1][3]; the output has 2 samples of 3',
      () => run(tokenCrossEntropy({ mask: [[1, 1, 1]] }), 'mean', target, target),
    ],
  ]
  it.each(wrong)('%s', async (words, make) => {
    const error = await (async () => make())().catch((thrown) => thrown)
    expect(error).toMatchObject({ name: 'DlgError', code: 'invalid-option', message: expect.stringContaining(words) })
  })
})
