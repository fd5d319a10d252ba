import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import type { Found } from '../../src/attacks'
import type { Truth } from '../../src/audit/client'
import { measuredOf } from '../../src/audit/measured'
import { emptyRecord } from '../../src/audit/trial'
import { THRESHOLDS, verdictAlone } from '../../src/audit/verdict'
import { atOnce } from '../../src/numbers/steps'

const SIZE = 8
/** Numbers from 0 to 1 that differ from one seed to the next. */
const sample = (seed: number) =>
  Float32Array.from({ length: SIZE }, (_, i) => Math.abs(Math.sin(12.9 * seed + 78.2 * i)))
const off = (values: Float32Array, by: number) => values.map((v, i) => v + (i % 2 ? by : -by))
const [a, b, c] = [1, 2, 3].map(sample)

/** What is said of data that were found. */
function judged(found: readonly Float32Array[], truth: Partial<Truth> = {}, more: Found = {}) {
  const whole: Truth = { samples: [a], shape: [SIZE], decoys: [c], ...truth }
  const data = tf.tensor(
    found.flatMap((one) => [...one]),
    [found.length, SIZE],
  )
  const names = whole.samples.map((_, i) => `s${i}`)
  const measures = atOnce(measuredOf({ data, ...more }, whole, names, { range: [0, 1] }))
  data.dispose()
  const id = {
    key: 'k',
    client: 0,
    samples: names,
    attack: 'x',
    defence: 'none',
    description: '',
    attacker: 'adaptive',
  } as const
  const record = { ...emptyRecord(id, 'partial', ''), ...measures }
  return { ...record, ...verdictAlone(record, THRESHOLDS, true) }
}

describe('how close what was found is', () => {
  it('does not take a sample that is there twice for a guess of itself', () => {
    const { verdict, measured } = judged([off(a, 0.05)], { decoys: [a, off(a, 1e-3), c] })
    expect(verdict).toBe('leaked-recognised')
    expect(measured![0].baselines.decoy).toBeLessThan(20)
    expect(judged([off(a, 0.05)], { decoys: [a] }).measured![0].baselines).not.toHaveProperty('decoy')
  })

  it('finds one sample of a batch among candidates, whatever the others are, and names its place', () => {
    const nan = new Float32Array(SIZE).fill(Number.NaN)
    const { shown, measured } = judged([nan, c, a], { samples: [a, b] })
    expect(shown).toContain('1 of 2 samples recognised')
    expect(measured![0]).toMatchObject({ slot: 2, rank: 1 })
  })

  it('counts one sample that was found twice once', () => {
    expect(judged([a, a], { samples: [a, b] }).shown).toContain('1 of 2 samples recognised')
  })

  it('has numbers that JSON can hold of data that are not finite', () => {
    const { verdict, measured } = judged([new Float32Array(SIZE).fill(Number.NaN)])
    expect([verdict, measured![0].psnr, measured![0].mse]).toEqual(['not-recovered', 0, Number.MAX_VALUE])
    expect(JSON.parse(JSON.stringify(measured))).toEqual(measured)
  })

  it('counts what lies outside the range: far beyond it, data are not recognised', () => {
    const bits = Float32Array.from({ length: SIZE }, (_, i) => i % 2)
    const { verdict, measured } = judged([bits.map((v) => 1000 * (v - 0.5))], { samples: [bits] })
    expect(verdict).toBe('not-recovered')
    expect(measured![0].psnr).toBeLessThan(0)
  })

  it('says how often a guess has as many labels right', () => {
    const guessed = (classes: number[], population: number[], labels = classes) =>
      judged([c], { classes, population }, { labels }).labels!
    // drawn from 0, 1, 0, 1: half of all guesses
    expect(guessed([1], [0, 1]).chance).toBeCloseTo(0.5, 1)
    expect(guessed([0, 3, 5, 9], [...Array(10).keys()]).chance).toBeLessThan(0.02)
    expect(guessed([0, 1], [0, 1], [5, 5])).toMatchObject({ right: 0, of: 2, chance: 1 })
  })
})
