import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exactSequences } from '../../../src/analytic'
import { type Attention, attentionAmong } from '../../../src/attacks/dager/attention'
import { attendedSequences, THERE } from '../../../src/attacks/dager/encoder-attended'
import { type ContextSolver, contextSolver } from '../../../src/attacks/dager/encoder-contexts'
import { sentenceThrough } from '../../../src/attacks/dager/encoder-members'
import { firstInput } from '../../../src/attacks/dager/first-inputs'
import type { BlockNumbers } from '../../../src/attacks/dager/transformer'
import { namedGradients } from '../../../src/client/shared/read-gradients'
import { WORDS } from '../../../src/models/bert-shapes'
import { random } from '../../../src/numbers/random'
import { atOnce } from '../../../src/numbers/steps'
import { lengthOf } from '../../../src/numbers/vectors'
import { classGradients, randomBert, transformerOf } from '../../../src/text'

// words that stand at several positions: the first span then has every word of the batch at each of these
const BATCH = [
  [1, 5, 60, 71, 6, 5, 82, 7, 2],
  [1, 61, 5, 72, 83, 8, 5, 7, 2],
  [1, 5, 62, 6, 73, 84, 7, 2],
  [1, 63, 6, 5, 74, 9, 85, 7, 2],
  [1, 64, 75, 5, 86, 6, 97, 7, 2],
  [1, 8, 65, 76, 9, 5, 87, 2],
]
const LABELS = [0, 1, 2, 0, 1, 1]

const model = randomBert({
  ...{ vocabularySize: 300, hidden: 96, heads: 4, layers: 2, intermediate: 192, positions: 12 },
  ...{ classes: 3, head: 'mean', std: 0.1 },
})
const transformer = transformerOf(model)
let shared: tf.NamedTensorMap
let block: BlockNumbers
let solver: ContextSolver
/** Each token of the batch at its position, once. */
const placed = [...new Set(BATCH.flatMap((s) => s.map((token, p) => `${p} ${token}`)))].map((key) => {
  const [position, token] = key.split(' ').map(Number)
  return { token, position }
})
const indexOf = (token: number, position: number): number =>
  placed.findIndex((own) => own.token === token && own.position === position)
const places = Array.from({ length: 9 }, (_, p) => [...placed.keys()].filter((i) => placed[i].position === p))
const tokens = BATCH.flat().length
let inputs: Float64Array[]
let inputOf: (token: number, position: number) => Float64Array
let attention: Attention

beforeAll(async () => {
  await tf.setBackend('cpu')
  const { [WORDS]: words, ...rest } = await classGradients(model, BATCH, LABELS)
  tf.dispose(words)
  shared = rest as tf.NamedTensorMap
  block = (await transformer.blockNumbers!(namedGradients(shared)))!
  const first = await transformer.firstInputs()
  inputOf = (token, position) => firstInput(first, token, position)
  inputs = placed.map(({ token, position }) => inputOf(token, position))
  attention = atOnce(attentionAmong(block, inputs))
  solver = atOnce(contextSolver(block, 96, tokens))!
})

afterAll(() => {
  tf.dispose(shared)
  model.dispose()
})

/** Shares of the tokens of some sentences. */
const sharesOf = (...sentences: readonly number[][]): Float64Array => {
  const shares = new Float64Array(placed.length)
  for (const sentence of sentences) for (const [p, token] of sentence.entries()) shares[indexOf(token, p)] += 1
  return shares
}

describe('contextSolver', () => {
  it('finds what attention took for tokens of the batch, from what they would take of all sentences together', () => {
    for (const [token, position, s] of [
      [60, 2, 0],
      [83, 4, 1],
      [97, 6, 4],
    ]) {
      const candidate = indexOf(token, position)
      const right = attention.context(candidate, sharesOf(BATCH[s]))
      const { context, far } = atOnce(solver.solve(inputs[candidate], attention.context(candidate, sharesOf(...BATCH))))
      expect(far).toBeLessThan(1e-4)
      expect(lengthOf(context.map((v, j) => v - right[j])) / lengthOf(right)).toBeLessThan(1e-2)
    }
  })

  it('finds nothing for a word that stands at another position, though it lies in the first span', () => {
    for (const [token, position, beside] of [
      [60, 3, 71],
      [83, 5, 5],
      [71, 2, 60],
    ]) {
      const start = attention.context(indexOf(beside, position), sharesOf(...BATCH))
      expect(atOnce(solver.solve(inputOf(token, position), start)).far).toBeGreaterThan(THERE)
    }
  })

  it('does not begin where the wide layer has too few numbers for so many tokens', () => {
    const narrow = {
      ...block,
      wide: { weight: block.wide.weight.subarray(0, 96 * 60), bias: block.wide.bias.subarray(0, 60) },
      gradients: {
        ...block.gradients,
        wide: block.gradients.wide.subarray(0, 96 * 60),
        narrow: new Float32Array(96 * 60),
      },
    }
    expect(atOnce(contextSolver(narrow, 96, tokens))).toBeUndefined()
  })
})

describe('sentenceThrough', () => {
  it('reads a sentence off what attention took for one of its words, the shorter ones with their end', () => {
    for (const [token, position, s] of [
      [60, 2, 0],
      [62, 2, 2],
      [87, 6, 5],
    ]) {
      const candidate = indexOf(token, position)
      const own = atOnce(solver.solve(inputs[candidate], attention.context(candidate, sharesOf(...BATCH))))
      const heard = {
        places,
        inputs,
        attention,
        solver,
        contexts: new Map([[candidate, own]]),
        ...{ end: 8, bound: THERE },
      }
      const sentence = atOnce(sentenceThrough(candidate, position, heard)).map((i) => placed[i].token)
      expect(sentence).toEqual(BATCH[s])
    }
  })
})

describe('a batch whose words recur at several positions', () => {
  it('comes back, exactly, without the gradient of the words', async () => {
    const { status, sequences } = await exactSequences(transformer, shared)
    expect(status).toBe('exact')
    expect(sequences.map(String).sort()).toEqual(BATCH.map(String).sort())
  })

  it.each([1e-5])('comes back behind noise of %f', async (level) => {
    const { normal } = random(4)
    const behind = new Map<string, tf.Tensor>()
    for (const [name, tensor] of Object.entries(shared)) {
      const values = await tensor.data<'float32'>()
      const unit = Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length)
      behind.set(
        name,
        tf.tensor(
          values.map((v) => v + level * unit * normal()),
          tensor.shape,
        ),
      )
    }
    const { status, sequences } = await exactSequences(transformer, behind)
    tf.dispose([...behind.values()])
    expect(status).toBe('exact')
    expect(sequences.map(String).sort()).toEqual(BATCH.map(String).sort())
  })

  it('is read sentence by sentence, each of them once, and loses what was never there', async () => {
    const strangers = [60, 61, 72].map((token, i) => ({ token, position: 3 + i }))
    const list = [...placed, ...strangers]
    const all = places.map((own, p) => [...own, ...(p >= 3 && p < 6 ? [placed.length + p - 3] : [])])
    const found: number[][] = []
    const right = new Set(BATCH.map(String))
    const there = await attendedSequences(
      all,
      { block, inputs: list.map(({ token, position }) => inputOf(token, position)), tokens, different: placed.length },
      (i) => list[i].token,
      found,
      async (sequence) => {
        const isRight = right.has(String(sequence.map((i) => list[i].token)))
        if (isRight) found.push([...sequence])
        return isRight
      },
      async () => false,
    )
    expect(there).toEqual(places)
    expect(
      found
        .map((sequence) => sequence.map((i) => list[i].token))
        .map(String)
        .sort(),
    ).toEqual([...right].sort())
  })

  it('is given out as a guess, and not called exact, where the search is cut short', async () => {
    const controller = new AbortController()
    const { status, guesses, sequences } = await exactSequences(transformer, shared, {
      signal: controller.signal,
      batchSize: BATCH.length,
      onProgress: ({ sequences }) => {
        if (sequences > 1) controller.abort()
      },
    })
    expect(status).toBe('aborted')
    expect(sequences.length).toBeGreaterThan(0)
    expect(sequences.length + guesses.length).toBeLessThanOrEqual(BATCH.length)
  })
})
