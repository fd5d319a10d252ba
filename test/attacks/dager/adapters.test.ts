import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { exactSequences } from '../../../src/analytic'
import { attack, targetOf } from '../../../src/attacks'
import {
  classGradients,
  type GptModel,
  nextTokenGradients,
  type RandomLoraOptions,
  randomBert,
  randomGpt,
  randomLora,
  type TextModel,
  transformerOf,
} from '../../../src/text'
import { uniform } from '../../oracle'
import { leavesNoTensors } from '../../tensors'

leavesNoTensors()

const VOCABULARY = 300
const SIZES = { vocabularySize: VOCABULARY, hidden: 64, positions: 16 }
const encoder = () => randomBert({ ...SIZES, intermediate: 128, classes: 3 })
const decoder = () => randomGpt(SIZES)

/** Rounds to the eight significant bits of bfloat16; overflow and subnormal numbers do not occur here. */
const bfloat16 = (v: number): number => {
  const step = 2 ** (Math.floor(Math.log2(Math.abs(v) || 1)) - 7)
  return Math.round(v / step) * step
}

const tokens = (count: number, seed: number): number[] => Array.from(uniform(count, 0, VOCABULARY, seed), Math.floor)
const sorted = (sequences: readonly (readonly number[])[]): string[] => sequences.map((s) => s.join(' ')).sort()

const gradients = (model: TextModel | GptModel, sentences: number[][]) =>
  'head' in model
    ? classGradients(
        model,
        sentences,
        sentences.map((_, i) => (i + 2) % 3),
      )
    : nextTokenGradients(model, sentences)

/** What comes back of sentences that a client with such adapters trains on. */
async function leak(
  base: TextModel | GptModel,
  options: RandomLoraOptions,
  lengths: number[],
  keep: (name: string) => string | undefined = (name) => name,
  stored: (value: number) => number = (value) => value,
) {
  const model = randomLora(base, options)
  const sentences = lengths.map((count, i) => tokens(count, 5 + i))
  const shared = await gradients(model, sentences)
  const some = Object.entries(shared).flatMap(([name, tensor]) => {
    const given = { shape: tensor.shape, data: tensor.dataSync<'float32'>().map(stored) }
    return keep(name) ? [[keep(name), given] as const] : []
  })
  try {
    const result = await exactSequences(transformerOf(model), Object.fromEntries(some))
    return { ...result, right: sorted(result.sequences).join() === sorted(sentences).join() }
  } finally {
    tf.dispose(shared)
    model.dispose()
    base.dispose()
  }
}

describe('adapters', () => {
  it('of rank 8 on query and value: 12 tokens, exactly, under the names of a running client', async () => {
    const named = (name: string) =>
      name.replace(/(lora_[AB])/, '$1.default').replace('model.encoder', 'model.bert.encoder')
    const result = await leak(encoder(), { rank: 8, trained: 0.02 }, [12], named)
    expect(result).toMatchObject({ status: 'exact', right: true, labels: [2], rank: 12 })
  })

  it('of rank 16 whose gradients are rounded to bfloat16: exactly, though no gap of the singular values is clear', async () => {
    const result = await leak(encoder(), { rank: 16, trained: 0.02 }, [8], undefined, bfloat16)
    expect(result).toMatchObject({ status: 'exact', right: true, labels: [2] })
    expect(result.gap).toBeGreaterThan(10)
  })

  it.each([
    ['of rank 8 whose gradients are rounded to bfloat16, which hides directions', 8, [12], bfloat16],
    ['of rank 4, whose span shows 8 tokens, with 12', 4, [12], undefined],
    ['of rank 8, whose span shows 16 tokens, with 24 of four sentences, in bfloat16', 8, [6, 6, 6, 6], bfloat16],
  ] as const)('%s: exactly, picked one by one', async (_, rank, lengths, stored) => {
    const result = await leak(encoder(), { rank, trained: 0.02 }, [...lengths], undefined, stored)
    expect(result).toMatchObject({ status: 'exact', right: true })
  })

  it.each([
    ['an encoder, two sentences', encoder, { rank: 16 }, [6, 5]],
    ['a decoder, two sentences', decoder, { rank: 16 }, [6, 5]],
  ] as const)('at the start, where B is zero: %s', async (_, base, options, lengths) => {
    expect(await leak(base(), options, [...lengths])).toMatchObject({ status: 'exact', right: true })
  })

  it('of a decoder in a later round: the last token comes back without a gradient of the output', async () => {
    expect(await leak(decoder(), { rank: 16, trained: 0.02 }, [12])).toMatchObject({ status: 'exact', right: true })
  })

  it('whose A is frozen, without the classifier, and on the first block alone', async () => {
    const frozen = (name: string) => (/lora_A|classifier/.test(name) ? undefined : name)
    const result = await leak(encoder(), { rank: 16, trained: 0.02, layers: [0] }, [9], frozen)
    expect(result).toMatchObject({ status: 'exact', right: true, labels: [2] })
  })

  it.each([
    [{ rank: 1, trained: 0.02 }, /ranks of 1 \+ 1 = 2: their span shows at most 2 tokens, and more were looked for/],
    [
      { rank: 8 },
      /B is zero, so adapters of rank 8, 8 show A x alone, each by itself: they tell at most 7 tokens apart/,
    ],
  ])('with fewer directions than there are tokens: refused with the arithmetic %#', async (options, words) => {
    const result = await leak(encoder(), options, [12])
    expect(result.status).toBe('saturated')
    expect(result.reason).toMatch(words)
  })

  it('of later blocks alone say nothing of the first inputs', async () => {
    const result = await leak(encoder(), { layers: [1] }, [5])
    expect(result).toMatchObject({ status: 'unproven', sequences: [] })
    expect(result.reason).toMatch(/no adapter of its query, key or value/)
  })

  it('are a target like any other', async () => {
    const [base, sentence] = [encoder(), tokens(7, 5)]
    const model = randomLora(base, { rank: 16 })
    const shared = await gradients(model, [sentence])
    const target = await targetOf(model.overTokens(7), shared, {})
    const outcome = await attack('dager', target, { transformer: transformerOf(model) })
    expect(outcome).toMatchObject({ status: 'proven', found: { sequences: [sentence], labels: [2] } })
    tf.dispose(shared)
    model.dispose()
    base.dispose()
  })
})

describe('only some layers shared', () => {
  it.each([
    ['an encoder', encoder, /^encoder\.layer\.[01]\./, [9]],
    ['a decoder', decoder, /^h\.[01]\.attn/, [9, 6]],
  ] as const)(
    '%s without tables and head: the sentences are proven by what there is',
    async (_, base, kept, lengths) => {
      const model = base()
      const sentences = lengths.map((count, i) => tokens(count, 15 + i))
      const shared = await gradients(model, sentences)
      const some = Object.fromEntries(Object.entries(shared).filter(([name]) => kept.test(name)))
      const result = await exactSequences(transformerOf(model), some)
      expect({ status: result.status, found: sorted(result.sequences) }).toEqual({
        status: 'exact',
        found: sorted(sentences),
      })
      tf.dispose(shared)
      model.dispose()
    },
  )
})
