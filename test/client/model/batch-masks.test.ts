import { describe, expect, it } from 'vitest'
import { readBatchMasks } from '../../../src/client/model/batch-masks'
import { random } from '../../../src/numbers/random'

interface Batch {
  features: number
  units: number
  labels: readonly number[]
  rate: number
  relu?: boolean
  noise?: number
}

/** ∂W of a last layer in float32 arithmetic, with the masks behind it: a feature that is zero by itself counts as dropped. */
function batch(seed: number, { features, units, labels, rate, relu = false, noise = 0 }: Batch) {
  const { uniform, normal } = random(seed, 0x64726f70)
  const inputs = labels.map(() =>
    Float32Array.from({ length: features }, () => {
      const value = relu ? Math.max(0, normal()) : 0.2 + 0.6 * uniform()
      return uniform() < rate ? 0 : value / (1 - rate)
    }),
  )
  const logits = Array.from({ length: units }, () => normal())
  const felt = labels.map((label) => {
    const powers = logits.map((v) => Math.exp(v + 0.1 * normal()))
    const total = powers.reduce((a, b) => a + b)
    return Float32Array.from(powers, (v, c) => (v / total - (c === label ? 1 : 0)) / labels.length)
  })
  const gradient = new Float32Array(features * units)
  for (let j = 0; j < features; j++)
    for (let c = 0; c < units; c++) {
      for (const [s, input] of inputs.entries()) gradient[j * units + c] += Math.fround(input[j] * felt[s][c])
      gradient[j * units + c] += noise * normal()
    }
  return { gradient, masks: inputs.map((input) => Array.from(input, (v) => (v === 0 ? 1 : 0))) }
}

describe('dropout masks of a batch', () => {
  it.each<[string, Batch]>([
    ['two samples', { features: 64, units: 10, labels: [3, 8], rate: 0.25 }],
    ['four of them, two of one class', { features: 216, units: 10, labels: [1, 7, 1, 4], rate: 0.25 }],
    ['four behind a ReLU', { features: 300, units: 10, labels: [0, 2, 5, 9], rate: 0.5, relu: true }],
    ['as many as classes less one', { features: 400, units: 4, labels: [0, 1, 2], rate: 0.5 }],
  ])('%s', (_, made) => {
    const { gradient, masks } = batch(1, made)
    const found = readBatchMasks(gradient, made.units, made.labels.length, made.rate)
    expect(found?.map(({ dropped }) => Array.from(dropped).join('')).sort()).toEqual(
      masks.map((mask) => mask.join('')).sort(),
    )
    // each belongs to the class whose output it pulls up
    for (const { dropped, felt } of found!) {
      const label = made.labels[masks.findIndex((mask) => mask.every((v, j) => v === dropped[j]))]
      expect([...felt.keys()].filter((c) => felt[c] < 0)).toEqual([label])
    }
  })

  it.each<[string, Batch, number?]>([
    ['as many samples as classes', { features: 200, units: 4, labels: [0, 1, 2, 3], rate: 0.5 }],
    ['no dropout', { features: 200, units: 10, labels: [0, 1], rate: 0 }],
    ['one sample more than was told', { features: 200, units: 10, labels: [0, 1, 2], rate: 0.5 }, 2],
    ['one sample fewer than was told', { features: 200, units: 10, labels: [0, 1], rate: 0.5 }, 3],
    ['noise', { features: 200, units: 10, labels: [0, 1], rate: 0.5, noise: 1e-3 }],
    ['too few features for the rate', { features: 200, units: 10, labels: [0, 1, 2, 3, 4, 5], rate: 0.1 }],
  ])('%s: nothing is read', (_, made, told = made.labels.length) => {
    const { gradient } = batch(2, made)
    expect(readBatchMasks(gradient, made.units, told, made.rate || 0.5)).toBeUndefined()
  })
})
