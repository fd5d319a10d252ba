import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { gradientsOf } from '../../../src'
import { exactSequences } from '../../../src/analytic'
import { WORDS } from '../../../src/models/bert-shapes'
import { nextTokenGradients, randomBert, randomGpt, type TextModel, transformerOf } from '../../../src/text'
import { uniform } from '../../oracle'
import { leavesNoTensors } from '../../tensors'

leavesNoTensors()

const tokens = (count: number, vocabularySize: number, seed: number): number[] =>
  Array.from(uniform(count, 0, vocabularySize, seed), Math.floor)
const sorted = (sequences: readonly (readonly number[])[]): string[] => sequences.map((s) => s.join(' ')).sort()

async function decoderLeak(
  sentences: number[][],
  sizes: Parameters<typeof randomGpt>[0],
  runtime: 'auto' | 'reference' = 'auto',
) {
  const model = randomGpt(sizes)
  const shared = await nextTokenGradients(model, sentences, { runtime })
  try {
    return await exactSequences(transformerOf(model), shared, { batchSize: sentences.length })
  } finally {
    tf.dispose(shared)
    model.dispose()
  }
}

const classGradients = async (model: TextModel, sentences: number[][], labels: number[]) => {
  const ids = tf.tensor2d(sentences)
  const shared = await gradientsOf(model.overTokens(sentences[0].length), ids, labels)
  ids.dispose()
  return shared
}

const SMALL = { vocabularySize: 2000, hidden: 96, heads: 3, positions: 20 }

describe('a decoder', () => {
  it.each([
    ['one sentence', [tokens(12, 2000, 1)]],
    ['sentences of different lengths', [tokens(8, 2000, 1), tokens(14, 2000, 2), tokens(11, 2000, 3)]],
    [
      'sentences that begin alike',
      [
        [5, 6, 7, 8, 9, 10, 11, 12],
        [5, 6, 7, 90, 91, 92, 93, 94, 95],
        [5, 60, 61, 62],
      ],
    ],
    [
      'tokens that recur, the last one too',
      [
        [7, 8, 7, 8, 7, 8, 7, 7],
        [8, 7, 8, 7, 7, 7, 8, 8, 7],
      ],
    ],
  ])('gives back %s', async (_, sentences) => {
    const { status, sequences, proof, rank, hidden } = await decoderLeak(sentences, SMALL, 'reference')
    expect(sorted(sequences)).toEqual(sorted(sentences))
    expect(status).toBe('exact')
    expect(proof!.residual).toBeLessThan(1e-5)
    expect(rank).toBeLessThan(hidden)
  })

  it('of width 256 and 20,000 tokens: a batch of 4', async () => {
    const sentences = [9, 16, 8, 14].map((n, i) => tokens(n, 20000, i + 1))
    const found = await decoderLeak(sentences, { vocabularySize: 20000, hidden: 256, heads: 4, positions: 32 })
    expect(sorted(found.sequences)).toEqual(sorted(sentences))
    expect(found).toMatchObject({ status: 'exact', rank: 43 })
  })

  it('is not searched when the batch has as many tokens as the decoder is wide', async () => {
    const sentences = [1, 2, 3].map((seed) => tokens(14, 300, seed))
    const found = await decoderLeak(sentences, { vocabularySize: 300, hidden: 24, heads: 2, positions: 20 })
    expect(found).toMatchObject({ status: 'saturated', sequences: [], rank: 23, hidden: 24 })
    expect(found.proof).toBeUndefined()
  })

  it('is not exact when the batch is said to be larger than it is', async () => {
    const model = randomGpt(SMALL)
    const shared = await nextTokenGradients(model, [tokens(8, 2000, 1)])
    const found = await exactSequences(transformerOf(model), shared, { batchSize: 2 })
    expect(found.status).toBe('unproven')
    expect(found.sequences).toEqual([tokens(8, 2000, 1)])
    tf.dispose(shared)
    model.dispose()
  })
})

describe('an encoder', () => {
  const sentence = (seed: number, length = 12): number[] => [1, ...tokens(length - 2, 2000, seed), 2]

  it.each([
    ['one sentence', 'mean', [sentence(1)]],
    ['two', 'mean', [sentence(1), sentence(2)]],
    [
      'four, two of them with common words',
      'mean',
      [sentence(1), sentence(2), sentence(3), sentence(3).with(4, 77).with(6, 78)],
    ],
    ['two behind a head on the first token', 'first', [sentence(5), sentence(6)]],
  ] as const)('gives back %s', async (_, head, given) => {
    const sentences = given.map((s) => [...s])
    const labels = sentences.map((_, i) => (2 * i + 1) % 3)
    const model = randomBert({
      ...SMALL,
      layers: head === 'first' ? 3 : 2,
      intermediate: 192,
      head,
      classes: 3,
      std: 0.05,
    })
    for (const embedding of [true, false]) {
      const { [WORDS]: words, ...rest } = await classGradients(model, sentences, labels)
      const shared = embedding ? { ...rest, [WORDS]: words } : rest
      const found = await exactSequences(transformerOf(model), shared as tf.NamedTensorMap, {
        batchSize: sentences.length,
      })
      expect(sorted(found.sequences)).toEqual(sorted(sentences))
      expect(found.status).toBe('exact')
      const labelOf = (s: readonly number[]) => labels[sentences.findIndex((t) => String(t) === String(s))]
      expect(found.labels).toEqual(found.sequences.map(labelOf))
      tf.dispose([words, rest])
    }
    model.dispose()
  })

  it('is not searched when the batch has as many tokens as the encoder is wide', async () => {
    const model = randomBert({ vocabularySize: 300, hidden: 16, heads: 2, layers: 2, positions: 20 })
    const shared = await classGradients(model, [tokens(12, 300, 1), tokens(12, 300, 2)], [0, 1])
    const found = await exactSequences(transformerOf(model), shared, { batchSize: 2 })
    expect(found).toMatchObject({ status: 'saturated', sequences: [], rank: 15 })
    tf.dispose(shared)
    model.dispose()
  })
})

describe('wrong input is refused', () => {
  it('of the search', async () => {
    const model = randomGpt({ vocabularySize: 20, hidden: 8, heads: 2 })
    const transformer = transformerOf(model)
    await expect(exactSequences(transformer, {}, { batchSize: 0 })).rejects.toThrow('batchSize is 0')
    await expect(exactSequences(transformer, {}, { spanTolerance: 1 })).rejects.toThrow('spanTolerance is 1')
    const bad = (data: Float32Array) => ({ 'h.0.attn.c_attn.weight': { shape: [8, 24], data } })
    await expect(exactSequences(transformer, bad(new Float32Array(9)))).rejects.toThrow(
      'has 9 numbers; shape [8, 24] needs 192',
    )
    await expect(exactSequences(transformer, bad(new Float32Array(192).fill(NaN)))).rejects.toThrow(
      'is NaN at position 0',
    )
    await expect(exactSequences(transformer, {})).rejects.toThrow("no gradient of 'h.0.attn.c_attn.weight'")
    model.dispose()
  })

  it('of models', () => {
    const shallow = randomGpt({ vocabularySize: 20, hidden: 8, heads: 2, layers: 1 })
    const masked = randomBert({ vocabularySize: 20, hidden: 8, heads: 2, layers: 2, head: 'mlm' })
    const single = randomBert({ vocabularySize: 20, hidden: 8, heads: 2, layers: 1 })
    expect(() => transformerOf(shallow)).toThrow('the decoder has one block')
    expect(() => transformerOf(masked)).toThrow("for 'mlm' use deepLeakageFromText")
    expect(() => transformerOf(single)).toThrow('the encoder has one block')
    for (const model of [shallow, masked, single]) model.dispose()
  })
})
