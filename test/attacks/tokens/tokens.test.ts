import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { lossGradients, sequenceLength, tiedTokenSet, tokenSet, tokensByNorm } from '../../../src/analytic'
import { nextTokenGradients, randomBert, randomGpt, textGradients } from '../../../src/text'
import { relativeError, uniform } from '../../oracle'

const sorted = (tokens: readonly number[]): number[] => [...new Set(tokens)].sort((a, b) => a - b)

describe('tokens', () => {
  it('of a sentence are the rows of an untied table that have a gradient, its length those of the positions', async () => {
    await tf.setBackend('cpu')
    const model = randomBert({ vocabularySize: 200, hidden: 16, layers: 1, heads: 2, positions: 20 })
    const sentence = [2, 150, 7, 7, 93, 3]
    const shared = await textGradients(model, { tokens: sentence, label: 1 }, { runtime: 'reference' })
    const table = (name: string) => ({
      data: shared[`embeddings.${name}.weight`].dataSync() as Float32Array,
      width: 16,
    })
    expect(tokenSet(table('word_embeddings'))).toEqual(sorted(sentence))
    // told by norms too, though no row is a stranger's
    expect(tokensByNorm(table('word_embeddings'))).toMatchObject({ tokens: sorted(sentence), expectedStrangers: 0 })
    expect(sequenceLength(table('position_embeddings'))).toBe(6)
    tf.dispose(shared)
    model.dispose()
  })

  it('of a language model whose table is tied are outliers in log norm', async () => {
    await tf.setBackend('cpu')
    const model = randomGpt({ vocabularySize: 3000, hidden: 32, heads: 2, positions: 20 })
    const sentences = [
      [5, 2999, 17, 17, 600, 1200],
      [40, 41, 2, 1999],
    ]
    const shared = await nextTokenGradients(model, sentences, { runtime: 'tfjs' })
    const found = tokensByNorm({ data: shared['wte.weight'].dataSync() as Float32Array, width: 32 })
    expect(found.tokens).toEqual(sorted(sentences.flat()))
    tf.dispose(shared)
    model.dispose()
  })

  it('are taken for strangers as often as stated', () => {
    // log norms N(0, 1) by sums of twelve uniforms: a threshold for n strangers lets about n through
    const noise = uniform(12 * 20000, -0.5, 0.5)
    const norms = Float64Array.from({ length: 20000 }, (_, i) =>
      Math.exp(noise.subarray(12 * i, 12 * (i + 1)).reduce((a, b) => a + b)),
    )
    const { tokens, threshold } = tokensByNorm({ data: norms, width: 1 }, 200)
    expect(tokens.length).toBeGreaterThan(150)
    expect(tokens.length).toBeLessThan(250)
    // Φ⁻¹(0.99)
    expect(Math.log(threshold)).toBeCloseTo(2.326, 1)
  })

  it('are none in a table without a gradient', () => {
    expect(tokensByNorm({ data: new Float64Array(8), width: 2 }).tokens).toEqual([])
  })
})

it.each([
  [{ data: new Float64Array(7), width: 2 }, 0.01, 'no rows of 2'],
  [{ data: new Float64Array(8), width: 2 }, 0, 'expectedStrangers is 0'],
])('a wrong table or confidence is refused: %#', (table, expected, message) => {
  expect(() => tokensByNorm(table, expected)).toThrow(message)
})

it.each([
  [new Float64Array(3), 'is positive for no token'],
  [Float64Array.of(-1, 0, 0), 'is positive for no token'],
  [Float64Array.of(1, 1), 'an output bias of 2 tokens'],
])('a tied table is not read without its bias: %#', (bias, message) => {
  const table = { data: uniform(6, -1, 1), width: 2 }
  expect(() => tiedTokenSet(table, bias, 3)).toThrow(expect.objectContaining({ code: 'invalid-gradients' }))
  expect(() => tiedTokenSet(table, bias, 3)).toThrow(message)
})

it('gradients of the loss come out of those of the layer, sample by sample', () => {
  const features = [1, 2, 3].map((seed) => uniform(10, -1, 1, seed))
  const felt = [4, 5, 6].map((seed) => uniform(7, -1, 1, seed))
  const weightGradient = new Float64Array(70)
  felt.forEach((delta, s) => {
    for (let c = 0; c < 7; c++) for (let j = 0; j < 10; j++) weightGradient[c * 10 + j] += delta[c] * features[s][j]
  })
  const found = lossGradients(weightGradient, features)
  felt.forEach((delta, s) => {
    expect(relativeError(found[s], delta)).toBeLessThan(1e-12)
  })
  expect(lossGradients(weightGradient, features, [2])).toEqual([found[2]])
})

it('gradients of the loss of samples with the same features are one and the same: their mean', () => {
  const [one, other] = [1, 2].map((seed) => uniform(10, -1, 1, seed))
  const felt = [4, 5, 6].map((seed) => uniform(7, -1, 1, seed))
  const features = [one, one, other]
  const weightGradient = new Float64Array(70)
  felt.forEach((delta, s) => {
    for (let c = 0; c < 7; c++) for (let j = 0; j < 10; j++) weightGradient[c * 10 + j] += delta[c] * features[s][j]
  })
  const mean = felt[0].map((v, c) => (v + felt[1][c]) / 2)
  const found = lossGradients(weightGradient, features)
  for (const [s, wanted] of [mean, mean, felt[2]].entries()) expect(relativeError(found[s], wanted)).toBeLessThan(1e-12)
})
