import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { gradientsOf } from '../../src'
import type { Attack } from '../../src/attacks'
import { outcome } from '../../src/attacks'
import { type AuditOptions, audit, judge, type TrialRecord } from '../../src/audit'
import { clipping, gaussianNoise, withheld } from '../../src/defences'

const random = (shape: number[], seed: number) => tf.randomUniform(shape, -1, 1, 'float32', seed)

/** A dense layer with bias reads its input off in closed form. */
const withBias = {
  inputShape: [6],
  weights: { w: random([6, 8], 1), b: random([8], 2), v: random([8, 3], 3) },
  apply: (x: tf.Tensor, { w, b, v }: tf.NamedTensorMap) => tf.matMul(tf.sigmoid(tf.add(tf.matMul(x, w), b)), v),
}

/** Without a bias only a search finds the input. */
const withoutBias = {
  inputShape: [6],
  weights: { w: random([6, 8], 1), v: random([8, 3], 3) },
  apply: (x: tf.Tensor, { w, v }: tf.NamedTensorMap) => tf.matMul(tf.sigmoid(tf.matMul(x, w)), v),
}

const x = tf.randomUniform([3, 6], 0, 1, 'float32', 5)
const common = {
  data: { x, labels: [0, 1, 2], names: ['anna', 'ben', 'cleo'] },
  training: { runtime: 'reference' },
  evaluations: 200,
  seed: 3,
} as const
const search = { attack: 'gradient-matching', options: { restarts: 2 } } as const

/** A record without what two runs may differ in. */
const fixed = ({ milliseconds: _, found, ...record }: TrialRecord) => ({
  ...record,
  found: found?.data && [...found.data],
})

describe('audit', () => {
  it('proves the data of every client in closed form, and spares the search', async () => {
    const run = await audit({ ...common, model: withBias, attacks: ['dense-inversion', search] })
    expect(run.records.map(({ attack, status }) => `${attack} ${status}`)).toEqual(
      [0, 1, 2].flatMap(() => ['dense-inversion proven', 'gradient-matching not-tried']),
    )
    const rows = x.arraySync() as number[][]
    for (const { client, found, measured } of run.records.filter(({ status }) => status === 'proven')) {
      for (const [i, v] of rows[client].entries()) expect(found!.data![i]).toBeCloseTo(v, 5)
      expect(measured![0]).toMatchObject({ sample: ['anna', 'ben', 'cleo'][client], slot: 0, rank: 1, among: 3 })
      expect(measured![0].psnr).toBeGreaterThan(80)
    }
    const judgement = judge(run)
    expect(judgement.verdict).toBe('leaked-proven')
    expect(judgement.summary).toContain('3 of 3 clients')
  })

  it('catches a leak under a defence by the attacker who knows of it, and never calls the drowned gradient leaked', async () => {
    const defences = [clipping({ norm: 0.01 }), gaussianNoise({ std: 3 })]
    const run = await audit({ ...common, model: withoutBias, attacks: [search], defences })
    const judgement = judge(run)
    const verdicts = Object.fromEntries(judgement.defences.map(({ defence, verdict }) => [defence, verdict]))
    expect(verdicts).toEqual({ clipping: 'leaked-proven', 'gaussian-noise': expect.not.stringContaining('leaked') })
    // the control is there, and is no row
    expect(judgement.control.map(({ verdict }) => verdict)).toEqual(['leaked-proven'])
    expect(judgement.rows.every(({ defence }) => defence !== 'none')).toBe(true)
    const [clipped] = run.records.filter(({ defence }) => defence === 'clipping')
    expect(clipped.utility!.cosine).toBeCloseTo(1, 6)
  })

  it('is the same run again, in part or whole, with one seed', async () => {
    const options: AuditOptions = {
      ...common,
      model: withoutBias,
      attacks: [search],
      defences: [gaussianNoise({ std: 0.05 })],
    }
    const first = await audit(options)
    const half = first.records.slice(0, 4)
    const seen: string[] = []
    const done = new Map(half.map((record) => [record.key, record]))
    const second = await audit(options, { done, onRecord: ({ key }) => void seen.push(key) })
    expect(second.records.map(fixed)).toEqual(first.records.map(fixed))
    expect(seen).toEqual(first.records.slice(4).map(({ key }) => key))
    expect(new Set(first.records.map(({ key }) => key)).size).toBe(first.records.length)
  })

  it('gives a trial another key for whatever it depends on', async () => {
    const quick = { ...common, model: withBias, attacks: ['label-inference'] } as const satisfies AuditOptions
    const keyOf = async (options: AuditOptions) => (await audit(options)).plan.key
    const key = await keyOf(quick)
    expect(await keyOf(quick)).toBe(key)
    const others = await Promise.all(
      [
        { ...quick, seed: 4 },
        { ...quick, evaluations: 201 },
        { ...quick, model: { ...withBias, weights: { ...withBias.weights, b: random([8], 9) } } },
        { ...quick, data: { ...common.data, labels: [0, 1, 1] } },
        { ...quick, data: { ...common.data, x: tf.add(x, 1e-3) } },
        { ...quick, attacks: [{ attack: 'label-inference' as const, options: { a: 1 } }] },
        { ...quick, training: { runtime: 'reference' as const, reduction: 'sum' as const } },
        { ...quick, defences: [gaussianNoise({ std: 1 })] },
      ].map(keyOf),
    )
    expect(new Set([key, ...others]).size).toBe(9)
  })

  it('takes updates, of which nobody knows the truth: a proof is one, and a failure says nothing', async () => {
    const shared = await gradientsOf(withBias, tf.slice(x, 0, 1), [0], { runtime: 'reference' })
    const bare = await gradientsOf(withBias, tf.slice(x, 0, 2), [0, 1], { runtime: 'reference' })
    const updates = { 'client 7': shared, 'client 8': bare }
    const run = await audit({ model: withBias, updates, training: common.training, attacks: ['dense-inversion'] })
    expect(run.records[0]).toMatchObject({ status: 'proven', samples: ['client 7'] })
    expect(run.records[0].measured).toBeUndefined()
    expect(run.records[1].status).not.toBe('proven')
    const [defence] = judge(run).defences
    expect(defence.clients.map(({ verdict }) => verdict)).toEqual([
      'leaked-proven',
      expect.stringMatching(/inconclusive|not-applicable/),
    ])
  })

  it('runs an attack of the caller, and says that one broke down', async () => {
    const names: string[] = []
    const own: Attack<object> = {
      name: 'guess',
      source: 'this test',
      leaks: 'data',
      needs: { sees: 'nothing', batch: 'one', model: 'any', labels: 'none' },
      async refuses() {
        return undefined
      },
      async run(_, __, control) {
        names.push('guess')
        const reason = 'the middle of the range'
        return outcome('guess', performance.now(), control, {
          status: 'matched',
          reason,
          found: { data: tf.fill([1, 6], 0.5) },
        })
      },
    }
    const before = tf.memory().numTensors
    const run = await audit({ ...common, model: withBias, attacks: [{ attack: own }, 'dense-inversion'] })
    expect(tf.memory().numTensors).toBe(before)
    expect(names).toHaveLength(3)
    // it claims a match, and the truth says otherwise
    expect(judge(run).rows.find(({ attack }) => attack === 'guess')!.verdict).toBe('matched-and-wrong')
    const refused = await audit({
      ...common,
      model: withBias,
      attacks: ['dense-inversion'],
      defences: [withheld(['none such'])],
    })
    const [row] = judge(refused).rows
    expect(row.verdict).toBe('not-applicable')
    expect(row.trials[0].reason).toContain('none such')
  })

  it('ends soon after an abort, with the trials that were done', async () => {
    const controller = new AbortController()
    const progress: string[] = []
    const run = await audit(
      {
        ...common,
        model: withoutBias,
        attacks: [{ ...search, options: { restarts: 50, tolerance: 0 } }],
        evaluations: 1e6,
      },
      {
        signal: controller.signal,
        onProgress({ part, words, done, of }) {
          progress.push(`${done}/${of} ${part} ${words}`)
          if (progress.length === 4) controller.abort()
        },
      },
    )
    expect(run.interrupted).toBe(true)
    expect(run.records).toEqual([])
    expect(progress[0]).toBe('0/3 0 begins')
    await expect(audit({ ...common, model: withBias }, { signal: controller.signal })).rejects.toMatchObject({
      code: 'aborted',
    })
  })

  it.each([
    [{ data: undefined }, 'neither data nor updates'],
    [{ updates: { a: {} } }, 'both data and updates'],
    [{ attacks: [] }, 'attacks is []'],
    [{ attacks: ['spears'] }, "attack is 'spears'"],
    [{ attacks: ['spear', 'spear'] }, "attacks has 'spear' twice"],
    [{ defences: [gaussianNoise({ std: 1 }), gaussianNoise({ std: 1 })] }, 'twice'],
    [{ defences: ['noise'] }, 'must be an object with apply() and adapt()'],
    [{ attackers: ['both'] }, "attackers is 'both'"],
    [{ data: { x, labels: [0, 1] } }, '3 samples and 2 labels'],
    [{ data: { x, labels: [0, 1, 2], names: ['a'] } }, 'a name for each of the 3 samples'],
    [{ training: { batchSize: 2 } }, 'a whole number of batches'],
    [{ dataRange: [1, 0] }, 'the lower first'],
    [{ evaluations: 0 }, 'evaluations is 0'],
    [{ seed: 1.5 }, 'seed is 1.5'],
    [{ threshold: 1 }, "there is no 'threshold'"],
  ])('refuses %o', async (wrong, words) => {
    const options = { ...common, model: withBias, ...wrong } as unknown as AuditOptions
    await expect(audit(options)).rejects.toThrow(words)
  })
})
