import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { exactSequences } from '../../../src/analytic'
import { nextTokenGradients, type RandomLlamaOptions, randomLlama, transformerOf } from '../../../src/text'
import { relativeError, uniform } from '../../oracle'
import { leavesNoTensors } from '../../tensors'

leavesNoTensors()

const sorted = (sequences: readonly (readonly number[])[]): string[] => sequences.map(String).sort()
const tokens = (count: number, seed: number): number[] => [...uniform(count, 0, 200, seed)].map(Math.floor)
const SIZES = { vocabularySize: 200, hidden: 40, heads: 4, intermediate: 64, positions: 64 }

async function leak(sentences: readonly (readonly number[])[], options: Partial<RandomLlamaOptions> = {}) {
  const model = randomLlama({ ...SIZES, ...options })
  const shared = await nextTokenGradients(model, sentences)
  try {
    return await exactSequences(transformerOf(model), shared)
  } finally {
    tf.dispose(shared)
    model.dispose()
  }
}

describe('a LLaMA', () => {
  it.each<[string, number[][], Partial<RandomLlamaOptions>]>([
    ['one sentence', [tokens(9, 1)], {}],
    ['sentences of different lengths', [tokens(6, 1), tokens(9, 2), tokens(8, 3)], {}],
    [
      'sentences that begin alike',
      [
        [1, 5, 6, 7, 8],
        [1, 5, 6, 9, 10, 11],
        [1, 40, 41],
      ],
      {},
    ],
    [
      'tokens that recur',
      [
        [1, 7, 8, 7, 8, 7],
        [1, 1, 7, 7, 8],
      ],
      {},
    ],
    ['a token that is repeated first', [[7, 7, 7, 9, 4]], {}],
    ['a batch whose word table is the output matrix', [tokens(6, 1), tokens(7, 2)], { tied: true }],
    [
      'a batch of a model with heads of another width',
      [tokens(5, 1), tokens(6, 2)],
      { keyHeads: 2, headSize: 6, layers: 3 },
    ],
  ])('gives back %s', async (_, sentences, options) => {
    const found = await leak(sentences, options)
    expect(sorted(found.sequences)).toEqual(sorted(sentences))
    expect(found.status).toBe('exact')
    expect(found.proof!.residual).toBeLessThan(1e-5)
  })

  it('is not sure of a sentence that reads one token alone, several times: others have its gradient', async () => {
    const model = randomLlama({ ...SIZES, tied: true })
    const [whole, parts] = [
      [
        [7, 7, 9],
        [1, 5, 6, 8],
      ],
      [
        [7, 7],
        [7, 9],
        [1, 5, 6, 8],
      ],
    ]
    const [a, b] = [await nextTokenGradients(model, whole), await nextTokenGradients(model, parts)]
    for (const [name, tensor] of Object.entries(a))
      expect(relativeError(tensor.dataSync(), b[name].dataSync())).toBeLessThan(1e-5)
    const found = await exactSequences(transformerOf(model), a)
    expect(found.status).toBe('unproven')
    tf.dispose([a, b])
    model.dispose()
  })

  it('shows its tokens at no position of their own: the rank counts distinct tokens', async () => {
    const found = await leak([[1, 5, 6, 5, 6, 5, 9]])
    expect(found).toMatchObject({ status: 'exact', rank: 3 })
    expect(found.candidates).toHaveLength(1)
  })
})
