import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { attack, attacks, type Target, type TigerOptions, targetOf } from '../../../src/attacks'
import { positionsAbove, tokensAbove } from '../../../src/attacks/tiger/prior'
import { rouge } from '../../../src/metrics'
import { random } from '../../../src/numbers/random'
import { nextTokenGradients, randomGpt, transformerOf } from '../../../src/text'
import { uniform } from '../../oracle'
import { leavesNoTensors } from '../../tensors'
import { contractTests } from '../contract'

leavesNoTensors()

const SIZES = { vocabularySize: 300, hidden: 64, positions: 12 }
const tokens = (count: number, seed: number): number[] =>
  Array.from(uniform(count, 0, SIZES.vocabularySize, seed), Math.floor)

/** What a decoder's client shares with noise of a part of each tensor's root mean square. */
async function noisyTarget(model: ReturnType<typeof randomGpt>, sentences: number[][], level: number): Promise<Target> {
  const { normal } = random(7)
  const clean = await nextTokenGradients(model, sentences)
  const shared = Object.fromEntries(
    Object.entries(clean).map(([name, tensor]) => {
      const values = tensor.dataSync<'float32'>().slice()
      const unit = Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length)
      return [name, { shape: tensor.shape, data: values.map((v) => v + level * unit * normal()) }]
    }),
  )
  tf.dispose(clean)
  return targetOf(model.overTokens(4), shared, { batchSize: sentences.length })
}

describe('tiger', () => {
  it('reads most words of a batch behind noise of a tenth', async () => {
    const model = randomGpt(SIZES)
    const sentences = [tokens(8, 3), tokens(6, 4)]
    const target = await noisyTarget(model, sentences, 0.1)
    const options = { transformer: transformerOf(model) }
    const { status, found, evidence } = await attack('tiger', target, options)
    const sequences = found.sequences ?? []
    for (const sentence of sentences)
      expect(Math.max(...sequences.map((sequence) => rouge(sequence, sentence).rouge1))).toBeGreaterThanOrEqual(0.7)
    // noise of a tenth is no proof unless it is
    if (status === 'proven') expect(sequences.map(String).sort()).toEqual(sentences.map(String).sort())
    else expect(evidence.residual).toBeGreaterThan(0.1)
    model.dispose()
  })

  it('ends within its budget, with what it has', async () => {
    const model = randomGpt(SIZES)
    const target = await noisyTarget(model, [tokens(6, 5)], 0.1)
    const options = { transformer: transformerOf(model) }
    const cut = await attack('tiger', target, options, { budget: { evaluations: 3 } })
    expect(cut).toMatchObject({ status: 'cut', work: { evaluations: 3 } })
    expect(cut.found.sequences).toHaveLength(1)
    model.dispose()
  })

  it('refuses what a transformer of the caller gives that are no projections', async () => {
    const model = randomGpt({ ...SIZES, vocabularySize: 60 })
    const target = await noisyTarget(model, [[3, 18, 44]], 0.02)
    const whole = transformerOf(model)
    const rows = (value: number, count = SIZES.hidden) => new Float32Array(count).fill(value)
    const wrong: unknown[] = [
      ...[
        undefined,
        {},
        [undefined],
        [{}],
        [{ values: [1] }],
        [{ values: rows(1, 3) }],
        [{ values: rows(Number.NaN) }],
      ],
      [{ values: rows(1), through: {} }],
    ]
    for (const given of wrong) {
      const transformer = { ...whole, projections: async () => given as never }
      for (const run of [attacks.tiger.refuses(target, { transformer }), attack('tiger', target, { transformer })])
        await expect(run).rejects.toMatchObject({
          code: 'invalid-model',
          message: expect.stringMatching(/^projections\(\) of the transformer '.*' gave .* for block 0; it must give/),
        })
    }
    model.dispose()
  })
})

describe('priors', () => {
  it('are rows that stand out of noise', () => {
    const { normal } = random(2)
    // noise of length 0.05 √32 = 0.28
    const rows = (lengths: number[]) =>
      Float32Array.from(
        lengths.flatMap((l) => [l, ...new Array(31).fill(0)]),
        (v) => v + 0.05 * normal(),
      )
    expect(positionsAbove(rows([5, 4, 3, 1, 0, 0, 0, 0]), 32)).toBe(4)
    expect(positionsAbove(rows([5, 4, 3, 3]), 32)).toBe(4)
    expect(tokensAbove(rows([0, 0, 3, 0, 0, 5, 0, 0]), 32)).toEqual([2, 5])
    expect(tokensAbove(rows([3, 3, 3, 3]), 32)).toBeUndefined()
  })
})

describe('the contract', () => {
  const model = randomGpt({ ...SIZES, vocabularySize: 60 })
  const situation = async () => noisyTarget(model, [[3, 18, 44, 7, 21]], 0.02)
  contractTests<TigerOptions>(attacks.tiger, [
    { words: 'without a transformer', target: situation, options: {}, right: ['refused'] },
    {
      words: 'one sentence behind noise',
      target: situation,
      options: { transformer: transformerOf(model), steps: 5 },
      right: ['proven'],
      check: ({ found }) => expect(found.sequences).toEqual([[3, 18, 44, 7, 21]]),
    },
  ])
})
