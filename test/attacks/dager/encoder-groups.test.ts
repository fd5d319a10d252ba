import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { exactSequences } from '../../../src/analytic'
import { groupings, type Places, transpositions } from '../../../src/attacks/dager/encoder-groups'
import { type Heard, signalsOf } from '../../../src/attacks/dager/signals'
import { random } from '../../../src/numbers/random'
import { atOnce } from '../../../src/numbers/steps'
import { classGradients, randomBert, type TextModel, transformerOf } from '../../../src/text'
import { leavesNoTensors } from '../../tensors'

leavesNoTensors()

const { normal, uniform } = random(3)
const vector = (length: number, size = 1): Float64Array => Float64Array.from({ length }, () => size * normal())
const vectors = (count: number, length: number): Float64Array[] => Array.from({ length: count }, () => vector(length))

/** Σ_t ∂y_t u_tᵀ, in rows of u. */
function product(sent: readonly Float64Array[], inputs: readonly Float64Array[]): Float64Array {
  const width = inputs[0].length
  const out = new Float64Array(sent[0].length * width)
  for (const [t, y] of sent.entries())
    for (const [r, v] of y.entries()) for (const [j, u] of inputs[t].entries()) out[r * width + j] += v * u
  return out
}

describe('signalsOf', () => {
  const [inputs, sent] = [vectors(5, 12), vectors(5, 7)]
  const near = (found: Heard, digits: number): void => {
    for (const [t, signal] of found.signals.entries())
      for (const [r, v] of signal.entries()) expect(v).toBeCloseTo(sent[t][r], digits)
  }

  it('gives back what the loss sent to every input', () => {
    const [found, ...others] = atOnce(signalsOf([{ values: product(sent, inputs) }], inputs))
    expect(others).toEqual([])
    near(found, 6)
  })

  it('has the noise of the gradient in it, and no more', () => {
    const values = product(sent, inputs).map((v) => v + 1e-3 * normal())
    near(atOnce(signalsOf([{ values }], inputs))[0], 2)
  })

  it('reads what an adapter lets through', () => {
    const [rows, width] = [8, 12]
    const through = { data: Float32Array.from({ length: rows * width }, normal), width }
    const read = inputs.map((u) =>
      Float64Array.from({ length: rows }, (_, r) => u.reduce((sum, v, j) => sum + v * through.data[r * width + j], 0)),
    )
    near(atOnce(signalsOf([{ values: product(sent, read), through }], inputs))[0], 5)
  })

  it('leaves a projection without a gradient out, and gives an input that is not there nothing', () => {
    const values = product(sent.slice(0, 4), inputs.slice(0, 4))
    const found = atOnce(signalsOf([{ values: values.map(() => 0) }, { values }], inputs))
    expect(found).toHaveLength(1)
    expect(Math.max(...found[0].signals[4].map(Math.abs))).toBeLessThan(1e-6)
  })
})

describe('groupings', () => {
  /** Three sentences of four: candidate 3 p + k stands at position p, shuffled. */
  const orders = [
    [0, 1, 2],
    [2, 0, 1],
    [1, 2, 0],
    [0, 2, 1],
  ]
  const places = orders.map((_, p) => [3 * p, 3 * p + 1, 3 * p + 2])
  const truth = [0, 1, 2].map((s) => orders.map((order, p) => 3 * p + order.indexOf(s)))
  const centres = vectors(3, 16)
  const around = (size: number): Float64Array[] =>
    orders.flatMap((order) => order.map((s) => centres[s].map((v) => v + size * normal())))
  /** Every candidate is another token. */
  const different = (all: readonly (readonly number[])[]): Places => ({
    places: all,
    tokenOf: (candidate) => candidate,
  })
  const sorted = (sequences: readonly (readonly number[])[]): string[] => sequences.map(String).sort()

  it('puts candidates around the centres of their sentences, and says how clear these are', () => {
    const [clear] = atOnce(groupings(different(places), [around(0.05)], 3))
    expect(sorted(clear.sequences)).toEqual(sorted(truth))
    const [vague] = atOnce(groupings(different(places), [around(0.3)], 3))
    expect(sorted(vague.sequences)).toEqual(sorted(truth))
    expect(clear.spread).toBeLessThan(0.1)
    expect(vague.spread).toBeGreaterThan(2 * clear.spread)
  })

  it('has the projection with the clearest centres first, and none twice', () => {
    const noise = vectors(12, 16)
    const found = atOnce(groupings(different(places), [noise, around(0.05), around(0.06)], 3))
    expect(sorted(found[0].sequences)).toEqual(sorted(truth))
    const names = found.map(({ sequences }) => sorted(sequences).join('|'))
    expect(new Set(names).size).toBe(names.length)
    expect(found.map(({ spread }) => spread)).toEqual(found.map(({ spread }) => spread).sort((a, b) => a - b))
  })

  it('gives a candidate with the sum of two signals to both sentences', () => {
    const signals = around(0.02)
    const [one, two] = [truth[0][2], truth[1][2]]
    const shared = places.map((all, p) => (p === 2 ? all.filter((candidate) => candidate !== two) : all))
    const sum = signals[one].map((v, j) => v + signals[two][j])
    const [found] = atOnce(groupings(different(shared), [signals.with(one, sum)], 3))
    expect(sorted(found.sequences)).toEqual(sorted([truth[0], truth[1].with(2, one), truth[2]]))
  })

  it('ends a sentence where nothing more has its signal', () => {
    const shorter = places.map((all, p) => (p === 3 ? all.filter((candidate) => candidate !== truth[1][3]) : all))
    const [found] = atOnce(groupings(different(shorter), [around(0.02)], 3))
    expect(sorted(found.sequences)).toEqual(sorted([truth[0], truth[1].slice(0, 3), truth[2]]))
  })

  it('doubts first what no sentence has, then exchanges', () => {
    const stranger = 12
    const [found] = atOnce(
      groupings(
        different(places.map((all, p) => (p === 1 ? [...all, stranger] : all))),
        [[...around(0.05), vector(16, 0.1)]],
        3,
      ),
    )
    expect(sorted(found.sequences)).toEqual(sorted(truth))
    const sizes = found.doubts.map((move) => move.length)
    expect(sizes).toEqual([...sizes].sort((a, b) => a - b))
    expect(found.doubts.slice(0, 3)).toEqual(
      expect.arrayContaining(found.sequences.map((_, s) => [{ s, p: 1, candidate: stranger }])),
    )
    // every two sentences at every position
    expect(sizes.filter((n) => n === 2)).toHaveLength(3 * 4)
  })

  it('says where a sentence has no candidate, or shares one that is hardly its own', () => {
    const hidden = places.map((all, p) => (p === 2 ? all.filter((candidate) => candidate !== truth[1][2]) : all))
    const [found] = atOnce(groupings(different(hidden), [around(0.02)], 3))
    const open = found.open.map(({ s, p }) => ({ sentence: truth.findIndex((t) => t[0] === found.sequences[s][0]), p }))
    expect(open).toEqual([{ sentence: 1, p: 2 }])
  })

  it('finds the tokens of a sentence where one that recurs brings strangers to two positions', () => {
    // u(v, p) = E_v + P_p, and token 9 at positions 1 and 3 of the first sentence
    const words = vectors(10, 24)
    const rows = vectors(4, 24)
    const tokens = [
      [0, 9, 1, 9],
      [2, 3, 4, 5],
      [6, 7, 8, 1],
    ]
    const ways = tokens[0].map((_, p) => [...new Set(tokens.flatMap((t) => (p % 2 ? [t[1], t[3]] : [t[p]])))])
    const list = ways.flatMap((all, p) => all.map((token) => ({ token, p })))
    const all: Places = {
      places: ways.map((_, p) => [...list.keys()].filter((i) => list[i].p === p)),
      tokenOf: (candidate) => list[candidate].token,
    }
    const input = ({ token, p }: { token: number; p: number }) => words[token].map((v, j) => v + rows[p][j])
    const sent = tokens.flatMap((t, s) => t.map(() => centres[s].map((v) => v + 0.02 * normal())))
    const own = tokens.flatMap((t) => t.map((token, p) => input({ token, p })))
    const [{ signals }] = atOnce(signalsOf([{ values: product(sent, own) }], list.map(input)))
    const [found] = atOnce(groupings(all, [signals], 3))
    const bags = found.sequences.map((sequence) => sequence.map(all.tokenOf).sort((a, b) => a - b))
    expect(sorted(bags)).toEqual(sorted(tokens.map((t) => t.toSorted((a, b) => a - b))))
    // which of the two stands first is for the gradient to say
    expect(transpositions(all, found.sequences).map(([{ p }, { p: q }]) => [p, q])).toEqual([
      [3, 1],
      [3, 1],
    ])
  })

  it('has none where no position has as many candidates as there are sentences', () => {
    expect(atOnce(groupings(different(places), [around(0.05)], 4))).toEqual([])
  })
})

describe('what no batch of an encoder has is not called exact', () => {
  const SIZES = { vocabularySize: 300, hidden: 64, heads: 2, positions: 12, layers: 2, intermediate: 64, classes: 3 }
  const batch = [1, 2, 3].map(() => [1, ...Array.from({ length: 4 }, () => 5 + Math.floor(290 * uniform())), 2])
  type Gradient = Record<string, { shape: number[]; data: Float32Array }>
  const norm = (data: Float32Array): number => Math.sqrt(data.reduce((sum, v) => sum + v * v, 0))
  const each = (gradient: Gradient, change: (data: Float32Array) => Float32Array): Gradient =>
    Object.fromEntries(Object.entries(gradient).map(([name, { shape, data }]) => [name, { shape, data: change(data) }]))

  async function sharedBy(model: TextModel): Promise<Gradient> {
    const tensors = await classGradients(model, batch, [0, 1, 2])
    const gradient = Object.entries(tensors).map(([name, t]) => [
      name,
      { shape: t.shape, data: t.dataSync<'float32'>().slice() },
    ])
    tf.dispose(tensors)
    return Object.fromEntries(gradient)
  }

  const withNoise = (gradient: Gradient, level: number): Gradient =>
    each(gradient, (data) => {
      const size = (level * norm(data)) / Math.sqrt(data.length)
      return data.map((v) => v + size * normal())
    })

  it.each([0, 1e-3])('noise, another model, a wrong number of sentences; beside noise of %f', async (level) => {
    const [model, other] = [randomBert({ ...SIZES, seed: 1 }), randomBert({ ...SIZES, seed: 2 })]
    const gradient = withNoise(await sharedBy(model), level)
    const drawn = each(gradient, (data) => {
      const numbers = data.map(() => normal())
      const factor = norm(data) / norm(numbers)
      return numbers.map((v) => v * factor)
    })
    const elsewhere = withNoise(await sharedBy(other), level)
    for (const shared of [drawn, elsewhere]) {
      const found = await exactSequences(transformerOf(model), shared, { budget: { milliseconds: 400 } })
      expect(found.status).not.toBe('exact')
      expect(found.proof?.proven ?? false).toBe(false)
    }
    for (const batchSize of [1, 4]) {
      const found = await exactSequences(transformerOf(model), gradient, { batchSize, budget: { milliseconds: 1000 } })
      // what is exact is the batch, and not as many sentences as it was said to have
      expect([found.status === 'exact', found.sequences.length === batchSize]).not.toEqual([true, true])
      if (found.status === 'exact') expect(found.sequences.map(String).sort()).toEqual(batch.map(String).sort())
      expect(found.proof?.proven ?? false).toBe(found.status === 'exact')
    }
    for (const own of [model, other]) own.dispose()
  })
})
