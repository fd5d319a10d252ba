import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import * as g from '../../../src/graph'
import { WORDS } from '../../../src/models/bert-shapes'
import { reference } from '../../../src/runtime/reference'
import {
  bagAccuracy,
  balanced,
  deepLeakageFromText,
  type Head,
  maskTokens,
  nearestTokens,
  randomBert,
  type TextIterationEvent,
  type TextModel,
  tag,
  textGradients,
  tokenAccuracy,
  tokensBySpan,
} from '../../../src/text'
import { leavesNoTensors } from '../../tensors'

const SIZES = { vocabularySize: 120, hidden: 24, heads: 2, layers: 1, intermediate: 32, positions: 12 }
/** [CLS] … [SEP], with a token twice. */
const SENTENCE = [2, 17, 41, 9, 17, 50, 33, 3]
const MASK = 4

leavesNoTensors()

const tiny = (head: Head = 'mean', std = 0.1): TextModel =>
  randomBert({ ...SIZES, layers: head === 'first' ? 2 : 1, head, std, classes: 3 })
const masked = maskTokens(SENTENCE, MASK, 1, 0.3)

async function leak(model: TextModel, embedding: boolean, options: Parameters<typeof deepLeakageFromText>[2] = {}) {
  const sample = model.head === 'mlm' ? masked : { tokens: SENTENCE, label: 1 }
  const { [WORDS]: words, ...rest } = await textGradients(model, sample)
  const shared = embedding ? { ...rest, [WORDS]: words } : rest
  try {
    return await deepLeakageFromText(model, shared as tf.NamedTensorMap, options)
  } finally {
    tf.dispose([words, rest])
    model.dispose()
  }
}

describe('a sentence comes back token for token', () => {
  it.each([
    ['mean', false, 'normal'],
    ['mean', true, 'normal'],
    ['mean', false, 'span'],
    ['first', false, 'span'],
    ['first', true, 'span'],
    ['mlm', false, 'span'],
    ['mlm', true, 'span'],
  ] as const)('%s head, embedding gradient shared: %s, from a %s start', async (head, embedding, start) => {
    const { tokens, exact, status, label } = await leak(tiny(head), embedding, { start })
    expect({ tokens, exact, status, label }).toEqual({
      tokens: SENTENCE,
      exact: true,
      status: 'converged',
      label: head === 'mlm' ? undefined : 1,
    })
  })

  it.each(['l2', 'cosine', 'tag', 'balanced'] as const)('by the distance %s', async (distance) => {
    const { tokens, exact } = await leak(tiny(), false, { distance })
    expect({ tokens, exact }).toEqual({ tokens: SENTENCE, exact: true })
  })

  it('with a label that is known or searched', async () => {
    for (const label of [1, 'joint'] as const) {
      const found = await leak(tiny(), false, { label })
      expect(found).toMatchObject({ tokens: SENTENCE, label: 1 })
    }
  })

  it('and shows how', async () => {
    const events: { event: TextIterationEvent; accuracy: number }[] = []
    const { tokens } = await leak(tiny(), false, {
      onIteration(event) {
        const found = event.tokens().map(({ token }) => token)
        events.push({ event, accuracy: tokenAccuracy(found, SENTENCE) })
      },
    })
    expect(tokens).toEqual(SENTENCE)
    expect(events[0]).toMatchObject({ event: { iteration: 0 } })
    expect(events[0].accuracy).toBeLessThan(0.5)
    // an iteration that takes long is told of several times
    const iterations = [...new Set(events.map(({ event }) => event.iteration))]
    expect(iterations).toEqual(iterations.map((_, i) => i))
  })

  it('the same for the same seed', async () => {
    const [a, b] = [await leak(tiny(), false, { seed: 5 }), await leak(tiny(), false, { seed: 5 })]
    expect(a.history).toEqual(b.history)
  })
})

it('is not exact when the search ends too early', async () => {
  const { exact, status } = await leak(tiny(), false, { iterations: 1 })
  expect({ exact, status }).toEqual({ exact: false, status: 'max-iterations' })
})

describe('the token set', () => {
  it('is exact where the table serves the embedding alone', async () => {
    const { tokenSet } = await leak(tiny('first'), true, { start: 'span' })
    expect(tokenSet).toEqual([...new Set(SENTENCE)].sort((a, b) => a - b))
  })

  it('holds the sentence where the decoder shares it', async () => {
    const { tokenSet } = await leak(tiny('mlm'), true, { start: 'span' })
    expect(tokenSet).toEqual(expect.arrayContaining([...masked.tokens, ...SENTENCE]))
    expect(tokenSet!.length).toBe(4 * SENTENCE.length + masked.targets.length)
  })

  it('is not known when the gradient of the table was not shared', async () => {
    expect((await leak(tiny(), false, { start: 'span' })).tokenSet).toBeUndefined()
  })
})

it('the span of the first block gives every position by itself', async () => {
  const model = tiny('first', 0.02)
  const shared = await textGradients(model, { tokens: SENTENCE, label: 0 })
  const found = await tokensBySpan(model, shared, SENTENCE.length)
  expect(found.map(({ token }) => token)).toEqual(SENTENCE)
  for (const { similarity, runnerUp } of found) expect(similarity).toBeGreaterThan(runnerUp)
  tf.dispose(shared)
  model.dispose()
})

describe('wrong input', () => {
  it.each([
    [{ tokens: [2, 120, 3], label: 0 }, 'token 120 is not in the vocabulary of 120'],
    [{ tokens: [2, 5, 3], label: 3 }, 'label 3 is not a class index'],
    [{ tokens: new Array(13).fill(5), label: 0 }, '13 tokens; the encoder takes 1 to 12'],
    [masked, "the head 'mean' needs a label"],
  ])('of a client is refused: %j', async (sample, message) => {
    const model = tiny()
    await expect(textGradients(model, sample)).rejects.toThrow(message)
    model.dispose()
  })

  it.each([
    [{ tokens: SENTENCE, label: 0 }, 'a masked LM needs targets'],
    [{ tokens: SENTENCE, targets: [] }, 'no token is hidden'],
    [{ tokens: SENTENCE, targets: [{ position: 9, token: 5 }] }, 'no token 5 at position 9'],
  ])('of a masked client is refused: %j', async (sample, message) => {
    const model = tiny('mlm')
    await expect(textGradients(model, sample)).rejects.toThrow(message)
    model.dispose()
  })

  it('of an attack is refused', async () => {
    const model = tiny()
    const { 'classifier.bias': _, ...rest } = await textGradients(model, { tokens: SENTENCE, label: 1 })
    await expect(deepLeakageFromText(model, rest)).rejects.toThrow("no gradient of 'classifier.bias'")
    await expect(deepLeakageFromText(model, {})).rejects.toThrow(
      "no gradient of 'embeddings.position_embeddings.weight'",
    )
    await expect(deepLeakageFromText(model, rest, { start: 'zero' as 'span' })).rejects.toThrow("start is 'zero'")
    await expect(deepLeakageFromText(model, rest, { label: 1, distance: 'l3' as 'l2' })).rejects.toThrow("'l3'")
    tf.dispose([rest, _])
    model.dispose()
  })

  it('a sentence without a token to mask', () => {
    expect(() => maskTokens([2, 3], MASK, 1)).toThrow('no token to mask')
  })
})

describe('accuracy', () => {
  it('counts tokens in their place, or anywhere', () => {
    expect(tokenAccuracy([1, 2, 3, 3], [1, 3, 2, 3])).toBe(0.5)
    expect(bagAccuracy([1, 2, 3, 3], [1, 3, 2, 3])).toBe(1)
    expect(bagAccuracy([3, 3, 3, 3], [1, 3, 2, 3])).toBe(0.5)
  })

  it('reads the nearest row by its direction', () => {
    const table = { data: Float32Array.of(1, 0, 0, 5, -3, 0), width: 2 }
    const found = nearestTokens({ data: Float32Array.of(0.1, 9, -1, 0.1), width: 2 }, table)
    expect(found.map(({ token }) => token)).toEqual([1, 2])
    const [restricted] = nearestTokens({ data: Float32Array.of(0.1, 9), width: 2 }, table, [0, 2])
    expect(restricted.token).toBe(0)
    expect(restricted.similarity).toBeGreaterThan(restricted.runnerUp)
  })
})

it.each([
  ['balanced', balanced(), 13 / 5 + 4 / 4],
  // w is 1 for the first tensor and 1/2 for the second
  ['tag', tag(0.1), 13 + 4 + 0.1 * (5 + 0.5 * 2)],
])('the distance %s is what its formula says', async (_, distance, expected) => {
  const graph = g.createGraph()
  const x = g.input(graph, 'x', [2])
  const shared = [g.constant(graph, [3, 4], [2]), g.constant(graph, [4], [1])]
  const found = [x, g.constant(graph, [2], [1])]
  const executable = await reference().compile({ inputs: [x], outputs: [distance.measure(found, shared)] })
  const [value] = await (await executable.bind(new Map())).run([Float64Array.of(1, 1)])
  expect(value[0]).toBeCloseTo(expected, 1)
  expect(distance.unit!([Float32Array.of(3, 4), Float32Array.of(4)])).toBeCloseTo(
    distance.name === 'tag' ? 25 + 16 + 0.1 * (7 + 0.5 * 4) : 9,
    5,
  )
})
