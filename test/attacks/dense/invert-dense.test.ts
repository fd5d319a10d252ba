import * as tf from '@tensorflow/tfjs-core'
import { layers, sequential } from '@tensorflow/tfjs-layers'
import { describe, expect, it } from 'vitest'
import { gradientsOf } from '../../../src'
import { type DenseGradient, invertDense, isolatedInputs, lossGradients, proofOf } from '../../../src/analytic'
import { relativeError, uniform } from '../../oracle'
import { leavesNoTensors } from '../../tensors'
import { denseNet, numbers, sample, withUniformWeights } from '../matching/tiny'
import { type Batch, batch } from '../spear/batches'

leavesNoTensors()

/** ∂W = Σ_s x_s δ_sᵀ and ∂b = Σ_s δ_s, from samples and what their neurons feel. */
function gradientOf(inputs: readonly Float64Array[], felt: readonly (readonly number[])[]): DenseGradient {
  const neurons = felt[0].length
  const bias = Float64Array.from({ length: neurons }, (_, i) => felt.reduce((sum, row) => sum + row[i], 0))
  const weight = new Float64Array(inputs[0].length * neurons)
  inputs.forEach((x, s) => {
    for (let j = 0; j < x.length; j++) for (let i = 0; i < neurons; i++) weight[j * neurons + i] += x[j] * felt[s][i]
  })
  return { weight, bias }
}

describe('one sample', () => {
  it('comes out of the shared gradient of a network, and is proven', async () => {
    const model = denseNet()
    const x = sample([1, 8])
    const shared = await gradientsOf(model, x, [2], { runtime: 'tfjs' })
    const [weight, bias] = Object.values(shared).map((t) => t.dataSync() as Float32Array)
    const { input, deviation, status } = invertDense({ weight, bias })
    expect(status).toBe('agreed')
    expect(deviation).toBeLessThan(1e-6)
    expect(relativeError(input!, x.dataSync())).toBeLessThan(1e-6)
    const data = tf.tensor(Float32Array.from(input!), [1, 8])
    const proof = await proofOf(model, { data, labels: [2] }, shared, { runtime: 'tfjs' })
    expect(proof.proven).toBe(true)
    expect(proof.residual).toBeLessThan(1e-5)
    // another label, other data: no proof
    const wrong = await proofOf(model, { data, labels: [1] }, shared, { runtime: 'tfjs' })
    expect(wrong.proven).toBe(false)
    expect(wrong.residual).toBeGreaterThan(0.1)
    tf.dispose([x, data, shared])
    model.dispose()
  })

  it.each([1, 1e-30, 1e30])('to the last bits in float64, at the scale %s of the gradient', (scale) => {
    const x = uniform(20, -1, 1)
    const felt = [[...uniform(7, -1, 1, 2)].map((v) => v * scale)]
    const { input, deviation } = invertDense(gradientOf([x], felt))
    expect(relativeError(input!, x)).toBeLessThan(1e-14)
    expect(deviation).toBeLessThan(1e-14)
  })

  it('that is all zeros is found too', () => {
    const { input, status } = invertDense(gradientOf([new Float64Array(3)], [[1, -2]]))
    expect([...input!, status]).toEqual([0, 0, 0, 'agreed'])
  })

  it('is not claimed when the gradient is of two', () => {
    const inputs = [uniform(20, -1, 1), uniform(20, -1, 1, 2)]
    const felt = [3, 4].map((seed) => [...uniform(7, -1, 1, seed)])
    const { deviation, status, input } = invertDense(gradientOf(inputs, felt))
    expect(status).toBe('mixture')
    // the least-squares solution: Σ_s x_s ⟨δ_s, ∂b⟩ / ‖∂b‖²
    const bias = felt[0].map((v, i) => v + felt[1][i])
    const squares = bias.reduce((sum, v) => sum + v * v, 0)
    const shares = felt.map((row) => row.reduce((sum, v, i) => sum + v * bias[i], 0) / squares)
    const expected = inputs[0].map((v, j) => shares[0] * v + shares[1] * inputs[1][j])
    expect(relativeError(input!, expected)).toBeLessThan(1e-12)
    expect(deviation).toBeGreaterThan(0.1)
  })

  it.each([
    ['the only neuron', [[0.3], [-0.1]]],
    [
      'the only live one',
      [
        [0, 0.3, 0],
        [0, -0.1, 0],
      ],
    ],
    [
      'the only one above rounding',
      [
        [1e-9, 0.3, 0],
        [2e-9, -0.1, 1e-9],
      ],
    ],
  ])('is unconfirmed where %s gives it: it would be of a mixture too', (_, felt) => {
    const inputs = [Float64Array.of(1, 2), Float64Array.of(5, -3)]
    const { input, status, deviation } = invertDense(gradientOf(inputs, felt))
    expect(status).toBe('unconfirmed')
    expect(deviation).toBeLessThan(1e-5)
    // neither sample: (0.3 x₁ − 0.1 x₂) / 0.2
    expect(relativeError(input!, [-1, 4.5])).toBeLessThan(1e-6)
  })

  it('comes out of the smallest numbers there are', () => {
    const { input, status } = invertDense({
      weight: Float64Array.of(1e-320, 2e-320),
      bias: Float64Array.of(1e-320, 2e-320),
    })
    expect([...input!, status]).toEqual([1, 'agreed'])
  })

  it('leaves nothing where no neuron fired', () => {
    const silent = invertDense({ weight: new Float64Array(6), bias: new Float64Array(2) })
    expect(silent).toEqual({ input: undefined, deviation: Infinity, status: 'silent' })
    // quotients beyond float64
    expect(invertDense({ weight: Float64Array.of(1, 2), bias: Float64Array.of(1e-310) })).toEqual(silent)
  })
})

describe('a batch behind a ReLU', () => {
  const inputs = [1, 2, 3].map((seed) => uniform(30, 0, 1, seed))

  it('gives the samples that neurons fired for alone', () => {
    // neurons 0, 4: sample 0; 1, 3, 6: sample 1; 2, 5: both, differently; 7: none; 8: sample 2 alone, unconfirmed
    const felt = [
      [1, 0, 2, 0, -3, 1, 0, 0, 0],
      [0, 1, 1, 2, 0, 5, -1, 0, 0],
      [0, 0, 0, 0, 0, 0, 0, 0, 2],
    ]
    const found = isolatedInputs(gradientOf(inputs, felt))
    expect(found.candidates.map(({ neurons }) => [...neurons].sort())).toEqual([
      [1, 3, 6],
      [0, 4],
    ])
    expect(relativeError(found.candidates[0].input, inputs[1])).toBeLessThan(1e-14)
    expect(relativeError(found.candidates[1].input, inputs[0])).toBeLessThan(1e-14)
    expect([...found.unsupported].sort()).toEqual([2, 5, 8])
    expect(found.silent).toEqual([7])
  })

  it('gives no candidates where mixtures agree too: two classes', () => {
    const felt = [
      [1, 2, 0],
      [2, 4, 1],
    ]
    // neurons 0 and 1 hold the same mean of both samples
    expect(isolatedInputs(gradientOf(inputs.slice(0, 2), felt)).candidates).toHaveLength(1)
    const { candidates, unsupported } = isolatedInputs(gradientOf(inputs.slice(0, 2), felt), { outputs: 2 })
    expect(candidates).toEqual([])
    expect([...unsupported].sort()).toEqual([0, 1, 2])
  })

  it('hides nothing of two classes where several layers follow', () => {
    const felt = [
      [1, 2, 0],
      [2, 4, 1],
    ]
    const gradient = gradientOf(inputs.slice(0, 2), felt)
    expect(isolatedInputs(gradient, { outputs: 2, hidden: 2 }).candidates).toHaveLength(1)
    expect(isolatedInputs(gradient, { outputs: 2, hidden: 1 }).candidates).toHaveLength(0)
  })

  describe("with the layer's own weights", () => {
    const certified = ({ layer, gradient, rows }: Batch, classes: number) => {
      const { candidates } = isolatedInputs(gradient, { outputs: classes, layer })
      return candidates.map(({ input, certified }) => ({
        certified,
        distance: Math.min(...rows.map((row) => relativeError(input, row))),
      }))
    }

    it.each([1, 2, 3, 4])('certifies every sample of two classes, and no mixture (seed %i)', (seed) => {
      const found = certified(batch(seed, { samples: 4, inputs: 100, units: 200, classes: 2 }), 2)
      expect(found.map((candidate) => candidate.certified)).toEqual([true, true, true, true])
      for (const { distance } of found) expect(distance).toBeLessThan(1e-4)
    })

    it('never gives a row that is not a sample', () => {
      const sizes = [
        { samples: 3, inputs: 20, units: 60, classes: 6, positive: true },
        { samples: 3, inputs: 20, units: 60, classes: 2 },
        { samples: 6, inputs: 40, units: 80, classes: 2, second: 40 },
        { samples: 6, inputs: 40, units: 80, classes: 2, positive: true },
        { samples: 4, inputs: 40, units: 80, classes: 5, activation: 'sigmoid' as const },
      ]
      for (let seed = 1; seed <= 12; seed++)
        for (const size of sizes)
          for (const { distance } of certified(batch(seed, size), size.classes)) expect(distance).toBeLessThan(1e-4)
    })

    it('certifies no mixture of samples in proportion, which turn on the same neurons where there are no biases', () => {
      const x = uniform(12, -1, 1, 4)
      const weight = Float64Array.from(uniform(12 * 40, -1, 1, 5))
      const on = (j: number) => x.reduce((z, v, i) => z + v * weight[40 * i + j], 0) > 0
      const felt = Array.from({ length: 40 }, (_, j) => (on(j) ? Math.sin(j + 1) : 0))
      const layer = { weight, bias: new Float64Array(40) }
      const { candidates } = isolatedInputs(gradientOf([x, x.map((v) => 3 * v)], [felt, felt]), { layer })
      expect(candidates.map(({ certified }) => certified)).toEqual([false])
    })

    it('says nothing where the batch is as large as the layer', () => {
      const { gradient, layer } = batch(1, { samples: 9, inputs: 8, units: 40, classes: 2 })
      expect(isolatedInputs(gradient, { outputs: 2, layer }).candidates).toEqual([])
    })
  })

  it('does not take nearly proportional mixtures for alike: samples of one label in a saturated soft-max', async () => {
    const model = sequential()
    model.add(layers.dense({ inputShape: [10], units: 60, activation: 'relu' }))
    model.add(layers.dense({ units: 6 }))
    withUniformWeights(model)
    const pool = tf.tensor(numbers(200 * 10, 9, 0, 1), [200, 10])
    const scores = model.predict(pool) as tf.Tensor2D
    const rows = await scores.array()
    const top = (row: number[]) => row.indexOf(Math.max(...row))
    const margin = (row: number[]) => {
      const [first, second] = [...row].sort((a, b) => b - a)
      return first - second
    }
    // the two samples of one class that the model is surest of, both labelled as another
    const surest = [...rows.keys()]
      .filter((s) => top(rows[s]) === top(rows[0]))
      .sort((a, b) => margin(rows[b]) - margin(rows[a]))
    const label = (top(rows[0]) + 1) % 6
    const x = tf.gather(pool, surest.slice(0, 2))
    const samples = (await x.array()) as number[][]
    const shared = await gradientsOf(model, x, [label, label], { runtime: 'reference' })
    const [weight, bias] = Object.values(shared).map((t) => t.dataSync() as Float32Array)
    const { candidates } = isolatedInputs({ weight, bias }, { outputs: 6 })
    expect(
      candidates.map(({ input }) => Math.min(...samples.map((sample) => relativeError(input, sample)))).sort(),
    ).toEqual([expect.closeTo(0, 6), expect.closeTo(0, 6)])
    // a hundred times that tolerance lets mixtures through
    const loose = isolatedInputs({ weight, bias }, { outputs: 6, tolerance: 1e-4 })
    expect(loose.candidates.length).toBeGreaterThan(2)
    tf.dispose([pool, scores, x, shared])
    model.dispose()
  })

  it('may support a mixture best of all, which only a proof tells', () => {
    // both samples have the same ∂z at neurons 0 to 3, and one to itself at 4 and 5
    const felt = [
      [1, 2, 3, 4, 1, 2],
      [1, 2, 3, 4, 0, 0],
    ]
    const { candidates } = isolatedInputs(gradientOf(inputs.slice(0, 2), felt))
    const mean = inputs[0].map((v, j) => (v + inputs[1][j]) / 2)
    expect(relativeError(candidates[0].input, mean)).toBeLessThan(1e-14)
    expect(relativeError(candidates[1].input, inputs[0])).toBeLessThan(1e-14)
  })

  it('of a trained step: the candidates are samples', async () => {
    const model = sequential()
    model.add(layers.dense({ inputShape: [30], units: 200, activation: 'relu' }))
    model.add(layers.dense({ units: 5 }))
    withUniformWeights(model)
    const x = tf.tensor(numbers(3 * 30, 11, -1, 1), [3, 30])
    const shared = await gradientsOf(model, x, [0, 3, 4], { runtime: 'tfjs' })
    const [weight, bias] = Object.values(shared).map((t) => t.dataSync() as Float32Array)
    const found = isolatedInputs({ weight, bias }, { outputs: 5 })
    const rows = [0, 1, 2].map((s) => x.dataSync().slice(30 * s, 30 * (s + 1)))
    expect(found.candidates.length).toBeGreaterThan(0)
    expect(found.candidates.length).toBeLessThanOrEqual(3)
    for (const { input } of found.candidates)
      expect(Math.min(...rows.map((row) => relativeError(input, row)))).toBeLessThan(1e-4)
    expect(invertDense({ weight, bias }).status).toBe('mixture')
    tf.dispose([x, shared])
    model.dispose()
  })
})

describe('wrong input is refused', () => {
  it.each([
    [{ weight: new Float64Array(5), bias: new Float64Array(2) }, 'got 2 and 5 numbers'],
    [{ weight: Float64Array.of(1, NaN), bias: Float64Array.of(1, 1) }, "the weight's gradient is NaN at position 1"],
    [{ weight: Float64Array.of(1, 1), bias: Float64Array.of(Infinity) }, "the bias's gradient is Infinity"],
  ])('%#', (gradient, message) => {
    for (const invert of [invertDense, isolatedInputs]) {
      expect(() => invert(gradient)).toThrow(expect.objectContaining({ code: 'invalid-gradients' }))
      expect(() => invert(gradient)).toThrow(message)
    }
  })

  it.each([0, 1, Number.NaN, Infinity])('a tolerance of %s', (tolerance) => {
    const gradient = { weight: Float64Array.of(1), bias: Float64Array.of(1) }
    expect(() => invertDense(gradient, tolerance)).toThrow(expect.objectContaining({ code: 'invalid-option' }))
  })

  it.each([
    { tolerance: 0 },
    { tolerance: 1 },
    { outputs: 0 },
    { hidden: 0 },
    { layer: { weight: Float64Array.of(1, 2), bias: Float64Array.of(1) } },
    { layer: { weight: Float64Array.of(Number.NaN), bias: Float64Array.of(1) } },
    { layer: null as never },
  ])('%j', (options) => {
    const gradient = { weight: Float64Array.of(1), bias: Float64Array.of(1) }
    expect(() => isolatedInputs(gradient, options)).toThrow(expect.objectContaining({ code: 'invalid-option' }))
  })

  it.each<[weights: number[], features: number[], code: string, words: RegExp]>([
    [[1, Number.NaN], [1, 2], 'invalid-gradients', /weightGradient has NaN at position 1/],
    [[1, 2], [1, Infinity], 'invalid-data', /the features of sample 0 has Infinity at position 1/],
  ])('gradients %j of features %j', (weights, features, code, words) => {
    const thrown = expect.objectContaining({ code, message: expect.stringMatching(words) })
    expect(() => lossGradients(Float64Array.from(weights), [Float64Array.from(features)])).toThrow(thrown)
  })
})
