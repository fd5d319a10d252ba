import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { adam, box, gradientsOf, joint, known, lbfgs, recover, strongWolfe } from '../../src'
import type { Attack } from '../../src/attacks'
import { attacks, outcome } from '../../src/attacks'
import { type AuditOptions, audit, judge, type TrialRecord } from '../../src/audit'
import { auditSettings } from '../../src/audit/options'
import { planOf } from '../../src/audit/plan'
import type { Model } from '../../src/client/model/model'
import type { Target } from '../../src/client/target'
import type { TargetOptions } from '../../src/client/target-options'
import { clipping, composed, type Defence, gaussianNoise, signs, withheld } from '../../src/defences'
import { modelFromOnnx } from '../../src/models'
import { encodeTable } from '../../src/tabular'
import { randomBert, transformerOf } from '../../src/text'
import { mlp, records, SCHEMA } from '../attacks/tabular/tables'
import { abortedAfter } from '../in-steps'
import { writeOnnx } from '../models/onnx/write-onnx'

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
    const quick = { ...common, model: withBias, attacks: ['dense-inversion'] } as const satisfies AuditOptions
    const keyOf = async (options: AuditOptions) => (await audit(options)).plan.key
    const key = await keyOf(quick)
    expect(await keyOf(quick)).toBe(key)
    const others = await Promise.all(
      [
        { ...quick, seed: 4 },
        { ...quick, evaluations: 201 },
        { ...quick, stage: 'after 3 rounds' },
        { ...quick, model: { ...withBias, weights: { ...withBias.weights, b: random([8], 9) } } },
        { ...quick, data: { ...common.data, labels: [0, 1, 1] } },
        { ...quick, data: { ...common.data, x: tf.add(x, 1e-3) } },
        { ...quick, attacks: [{ attack: 'dense-inversion' as const, options: { labels: [1] } }] },
        { ...quick, training: { runtime: 'reference' as const, reduction: 'sum' as const } },
        { ...quick, defences: [gaussianNoise({ std: 1 })] },
      ].map(keyOf),
    )
    expect(new Set([key, ...others]).size).toBe(10)
  })

  it('gives a trial another key for another defence, attack or option of your own of the same name', async () => {
    const keyOf = async (asked: Partial<AuditOptions>) =>
      (await planOf(auditSettings({ ...common, model: withBias, attacks: ['dense-inversion'], ...asked }))).key
    const functions = { apply: clipping({ norm: 1 }).apply, adapt: (target: Target) => target }
    const words = { name: 'mine', description: 'what I do' }
    class Mine {
      readonly name = words.name
      readonly description = words.description
      constructor(readonly norm: number) {}
      apply = functions.apply
      adapt = functions.adapt
    }
    class Other extends Mine {
      refuses() {
        return undefined
      }
    }
    const ring = { ...words, ...functions, self: {} }
    ring.self = ring
    const defences: Defence[] = [
      { ...words, ...functions },
      { ...words, ...functions, settings: { version: 2 } },
      { ...words, ...functions, adapt: (target) => ({ ...target }) },
      ...[new Mine(1), new Mine(2), new Other(1), ring],
      ...[composed(new Mine(1), signs()), composed(new Mine(2), signs())],
    ]
    const attack = (settings?: unknown): Attack<object> => ({ ...attacks['dense-inversion'], name: 'mine', settings })
    const matching = (options: object) => ({ attacks: [{ attack: 'gradient-matching' as const, options }] })
    const asked: Partial<AuditOptions>[] = [
      ...defences.map((defence) => ({ defences: [defence] })),
      ...[undefined, 1, 2].map((version) => ({ attacks: [{ attack: attack(version) }] })),
      ...[0.1, 0.2].map((learningRate) => matching({ optimizer: adam({ learningRate }) })),
      ...[5, 6].map((iterations) => matching({ optimizer: lbfgs({ lineSearch: strongWolfe({ iterations }) }) })),
      ...[0.1, 0.2].map((learningRate) => matching({ optimizer: recover(adam({ learningRate })) })),
      ...[1, 2].map((high) => matching({ priors: [box(1, [0, high])] })),
      ...[1, 2].map((label) => matching({ labels: known([label]) })),
      ...(['classes', 'bits'] as const).map((kind) => matching({ labels: joint(kind) })),
    ]
    const keys = await Promise.all(asked.map(keyOf))
    expect(new Set(keys).size).toBe(asked.length)
    expect(await Promise.all(asked.map(keyOf))).toEqual(keys)
    expect(await keyOf({ defences: [clipping({ norm: 1 })] })).toBe(await keyOf({ defences: [clipping({ norm: 1 })] }))
  })

  it('gives a trial another key for other operations of the same function', async () => {
    const onnx = (activation: string) =>
      modelFromOnnx(
        writeOnnx({
          nodes: [
            { op: 'MatMul', inputs: ['x', 'w'], outputs: ['a'] },
            { op: activation, inputs: ['a'], outputs: ['b'] },
            { op: 'MatMul', inputs: ['b', 'v'], outputs: ['y'] },
          ],
          initializers: {
            w: { dims: [6, 4], values: Float32Array.from({ length: 24 }, (_, i) => Math.sin(i)) },
            v: { dims: [4, 3], values: Float32Array.from({ length: 12 }, (_, i) => Math.cos(i)) },
          },
          inputs: { x: ['batch', 6] },
          outputs: ['y'],
        }),
      )
    const power = (exponent: number) => ({
      ...withBias,
      apply: (x: tf.Tensor, w: tf.NamedTensorMap) => tf.matMul(tf.pow(tf.add(tf.matMul(x, w.w), w.b), exponent), w.v),
    })
    const weighed = (weight: number) => ({
      ...common.training,
      criterion: (output: tf.Tensor, target: tf.Tensor) =>
        tf.mul(tf.sum(tf.squaredDifference(output, target), 1), weight),
    })
    const keysOf = async (model: Model, training: TargetOptions = common.training) => {
      const plan = await planOf(auditSettings({ ...common, model, training, attacks: ['dense-inversion'] }))
      return plan.chains.flatMap(({ trials }) => trials.map(({ key }) => key))
    }
    const files = [onnx('Sigmoid'), onnx('Tanh'), onnx('Sigmoid')]
    const [sigmoid, tanh, again] = await Promise.all(files.map((model) => keysOf(model)))
    const others = await Promise.all([
      ...[2, 3].map((exponent) => keysOf(power(exponent))),
      ...[1, 2].map((weight) => keysOf(withBias, weighed(weight))),
    ])
    expect(again).toEqual(sigmoid)
    expect(new Set([sigmoid, tanh, ...others].flat()).size).toBe(6 * 3)
    for (const file of files) file.dispose()
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

  it('spares no attack in the control of a defence, so that each can say something of it', async () => {
    const options = {
      ...common,
      model: withBias,
      attacks: ['dense-inversion', search],
      defences: [withheld(['b'])],
    } as const
    const run = await audit({ ...options, data: { x: tf.slice(x, 0, 1), labels: [0] }, evaluations: 400 })
    const [dense, matching, ...under] = run.records
    expect([dense.status, matching.status]).toEqual(['proven', expect.not.stringContaining('not-tried')])
    expect(under.slice(0, 2).map(({ status }) => status)).toEqual(['refused', 'proven'])
    // the bias is withheld: its tensor has an error of 1
    expect(under[0].utility).toMatchObject({ relativeError: 1, cosine: expect.any(Number) })
    expect(judge(run).verdict).toBe('leaked-proven')
  })

  it('goes on with a run only where names, rows and attacks are the same', async () => {
    const own = (run: Attack<object>['run']): Attack<object> => ({
      ...{ name: 'own', source: 'this test', leaks: 'data', refuses: async () => 'never', run },
      needs: { sees: '', batch: '', model: '', labels: '' },
    })
    const options = {
      ...common,
      model: withBias,
      attacks: ['label-inference'] as const,
      defences: [clipping({ norm: 1 })],
    }
    const keyOf = async (asked: AuditOptions) => (await planOf(auditSettings(asked))).key
    const keys = await Promise.all([
      ...[options, { ...options, defences: ['none' as const, ...options.defences] }].map(keyOf),
      keyOf({ ...options, data: { ...common.data, names: ['ben', 'anna', 'cleo'] } }),
      keyOf({ ...options, attacks: [{ attack: own(async () => Promise.reject(new Error('a'))) }] }),
      keyOf({ ...options, attacks: [{ attack: own(async () => Promise.reject(new Error('b'))) }] }),
    ])
    expect(new Set(keys).size).toBe(5)
    expect(await keyOf({ ...options })).toBe(keys[0])
  })

  it.each([
    ['classes', () => [0, 1, 9], 'cleo: label 9 is not a class index in [0, 3)'],
    [
      'rows of another width',
      () =>
        tf.tensor([
          [1, 0],
          [0, 1],
          [1, 0],
        ]),
      'anna: targets have shape [1,2]',
    ],
    [
      'rows without a number',
      () =>
        tf.tensor([
          [1, 0, 0],
          [0, 1, 0],
          [0, Number.NaN, 0],
        ]),
      'data.labels has NaN at position 7; targets must be finite',
    ],
  ])('finds labels of a later client that do not fit before any trial: %s', async (_, labels, words) => {
    const given = labels()
    const records: TrialRecord[] = []
    const data = { ...common.data, labels: given }
    await expect(
      audit({ ...common, data, model: withBias }, { onRecord: (record) => void records.push(record) }),
    ).rejects.toMatchObject({ code: 'invalid-data', message: expect.stringContaining(words) })
    expect(records).toEqual([])
    if (given instanceof tf.Tensor) given.dispose()
  })

  it('is aborted while it is planned', async () => {
    const { late } = await abortedAfter(1, (signal) =>
      expect(audit({ ...common, model: withBias }, { signal })).rejects.toMatchObject({ code: 'aborted' }),
    )
    expect(late).toBeLessThan(10)
  })

  it('says on every trial what its attacker is taken to know', async () => {
    const own: Attack = {
      ...attacks['label-inference'],
      name: 'own',
      needs: { ...attacks.spear.needs, threatModel: undefined },
    }
    const options: AuditOptions = {
      ...common,
      model: withBias,
      attacks: ['label-inference', { attack: 'gradient-matching', options: { labels: [0] } }, { attack: own }],
      defences: [clipping({ norm: 0.01 })],
      stage: 'after 3 rounds',
    }
    const assumed = async (asked: AuditOptions) =>
      (await planOf(auditSettings(asked))).chains
        .filter(({ client }) => client === 0)
        .map(({ defence, attacker, trials }) => [
          `${defence?.name ?? 'none'} ${attacker}`,
          ...trials.map(({ assumes }) => `${assumes!.threatModel} ${assumes!.labels}`),
        ])
    expect(await assumed(options)).toEqual([
      ['none adaptive', 'A not given', 'B given', 'undefined not given'],
      ['clipping adaptive', 'C not given', 'C given', 'undefined not given'],
      ['clipping unaware', 'A not given', 'B given', 'undefined not given'],
    ])
    const [{ trials }] = (await planOf(auditSettings(options))).chains
    expect(trials[0].assumes).toEqual({
      ...{ threatModel: 'A', batchSize: 1, mode: 'evaluation', labels: 'not given', steps: 1, stage: 'after 3 rounds' },
    })
    // the attacker of an update knows how it was trained
    const update = { learningRate: 0.1, localSteps: 4 }
    const weights = { w: { shape: [6, 8], data: new Float32Array(48).fill(1) }, b: { shape: [8], data: new Float32Array(8) }, v: { shape: [8, 3], data: new Float32Array(24) } } // biome-ignore format: one line
    const [updated] = (
      await planOf(
        auditSettings({
          ...{ model: withBias, updates: { anna: { delta: weights } }, attacks: ['label-inference'] },
          training: { ...common.training, batchSize: 2, update, training: true },
        }),
      )
    ).chains
    expect(updated.trials[0].assumes).toEqual({
      ...{ threatModel: 'C', batchSize: 2, mode: 'training', labels: 'not given', steps: 4 },
    })
    expect(() => auditSettings({ ...options, stage: ' ' })).toThrow(
      "stage is ' '; it must be words, such as 'after 3 rounds'",
    )
  })

  it('does not break down where noise is larger than the gradient', async () => {
    const run = await audit({
      ...common,
      model: withBias,
      attacks: [search],
      defences: [gaussianNoise({ std: 30 })],
      evaluations: 20,
    })
    expect(run.records.filter(({ status }) => status === 'error')).toEqual([])
  })

  it('does not apply a search to token ids', async () => {
    const text = {
      inputShape: [4],
      weights: { table: random([30, 8], 1), v: random([8, 3], 2) },
      apply: (ids: tf.Tensor, { table, v }: tf.NamedTensorMap) =>
        tf.matMul(tf.mean(tf.gather(table, tf.cast(ids, 'int32')), 1), v),
    }
    const run = await audit({
      ...{ model: text, data: { x: tf.tensor([[3, 7, 7, 21]]), labels: [1] }, dataRange: [0, 30] },
      ...{ attacks: ['token-set', 'gradient-matching'], training: common.training },
    })
    expect(run.records.map(({ status }) => status)).toEqual(['partial', 'refused'])
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
    // beyond the range everything would look alike
    [{ data: { x: tf.mul(x, 255), labels: [0, 1, 2] } }, 'outside dataRange [0, 1]'],
    [{ data: { x: tf.fill([3, 6], Number.NaN), labels: [0, 1, 2] } }, 'every number must be finite'],
    [{ data: { x, labels: [0, 1, 2], names: ['a', 'b', 'a'] } }, "'a' twice"],
    [{ evaluations: 0 }, 'evaluations is 0'],
    [{ seed: 1.5 }, 'seed is 1.5'],
    [{ threshold: 1 }, "there is no 'threshold'"],
  ])('refuses %o', async (wrong, words) => {
    const options = { ...common, model: withBias, ...wrong } as unknown as AuditOptions
    await expect(audit(options)).rejects.toThrow(words)
  })

  // a slip in an option is no trial that breaks down
  it.each([
    ['gradient-matching', { iterations: -1 }, 'iterations is -1'],
    ['gradient-matching', { iteration: 9 }, "there is no 'iteration'"],
    ['gradient-matching', { batchSize: 2 }, "'batchSize' is no option of the attack"],
    ['gradient-matching', { seed: 2 }, "'seed' is no option of the attack"],
    ['label-inference', { a: 1 }, "there is no option 'a'; the attack has none"],
    ['token-set', { a: 1 }, 'the attack has none'],
    ['isolated-inputs', { a: 1 }, 'the attack has none'],
    ['dense-inversion', { labels: [-1] }, 'labels has -1'],
    ['patch-inversion', { label: [1] }, "there is no 'label'"],
    ['spear', { draws: 0 }, 'draws is 0'],
    ['dager', { tolerance: 2 }, 'tolerance is 2'],
    ['dager', { transformer: {} }, 'the transformer is an object'],
    ['tableak', { restarts: 0 }, 'restarts is 0'],
    ['tableak', { schema: { columns: 1 } }, 'columns'],
  ] as const)('refuses a wrong option of %s before any trial: %o', async (attack, options, words) => {
    const told: TrialRecord[] = []
    const asked = { ...common, model: withBias, attacks: ['label-inference', { attack, options }] } as AuditOptions
    const wrong = audit(asked, { onRecord: (record) => void told.push(record) })
    await expect(wrong).rejects.toThrow(words)
    await expect(wrong).rejects.toThrow(`attack '${attack}': `)
    expect(told).toEqual([])
  })

  it('compares labels that were found with true labels that are one-hot rows', async () => {
    const attacks = ['label-inference'] as const
    const labelled = (labels: tf.Tensor | number[]) =>
      audit({ ...common, model: withBias, attacks, data: { x, labels } })
    const rows = await labelled(
      tf.tensor2d([
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
      ]),
    )
    expect(rows.records.map(({ labels }) => labels)).toEqual(
      (await labelled([0, 1, 2])).records.map(({ labels }) => labels),
    )
    expect(rows.records[2].labels).toMatchObject({ right: 1, of: 1 })
    // probabilities are no classes
    const soft = await labelled(tf.fill([3, 3], 1 / 3))
    expect(soft.records.map(({ labels }) => labels)).toEqual([undefined, undefined, undefined])
  })

  it('measures the cells of a table, against the commonest values', async () => {
    const model = mlp(11, 'relu', [60, 20], 3)
    const rows = records(4, 21)
    const data = { x: tf.tensor(encodeTable(SCHEMA, rows), [4, 11]), labels: [0, 1, 1, 0], table: SCHEMA }
    const run = await audit({
      ...{ model, data, training: { batchSize: 2, runtime: 'reference' }, seed: 1, evaluations: 20 },
      ...{ attacks: ['spear', 'tableak', { attack: 'gradient-matching', options: { restarts: 1 } }] },
      ...{ defences: ['none', gaussianNoise({ relative: 10 })], attackers: ['adaptive'] },
    })
    const judgement = judge(run)
    const verdicts = judgement.defences.map(({ defence, verdict }) => [defence, verdict])
    expect(verdicts[0]).toEqual(['none', 'leaked-proven'])
    expect(verdicts[1][1]).not.toContain('leaked')
    const [exact] = run.records.filter(({ attack, status }) => attack === 'tableak' && status === 'proven')
    expect(exact.measured).toBeUndefined()
    // the oracle counts the modes and medians of the four records by itself
    const usual = {
      age: median(rows.map(({ age }) => age as number)),
      weight: median(rows.map((r) => r.weight as number)),
    }
    for (const [i, { right, of, guess, sample }] of exact.cells!.entries()) {
      expect([right, of, sample]).toEqual([6, 6, `sample ${2 * exact.client + i}`])
      const own = rows[2 * exact.client + i]
      const words = (['size', 'smokes', 'colour', 'town'] as const).filter(
        (name) => own[name] === mode(rows.map((r) => r[name])),
      )
      const numbers = [
        Math.abs((own.age as number) - usual.age) <= 0.319 * 12,
        Math.abs((own.weight as number) - usual.weight) <= 0.319 * 15,
      ]
      expect(guess).toBe(words.length + numbers.filter(Boolean).length)
    }
    const shown = judgement.defences[0].clients[0].by.shown
    expect(shown).toEqual(expect.arrayContaining(['2 of 2 records recognised', '2 of 2 records with every cell right']))
    model.dispose()
  })

  it('measures the tokens of sequences, against the commonest ones', async () => {
    const model = randomBert({ ...SMALL, layers: 2, intermediate: 16, classes: 3 })
    const x = tf.tensor([
      [1, 17, 30, 2],
      [1, 40, 41, 2],
    ])
    const before = tf.memory().numTensors
    const run = await audit({
      ...{ model: model.overTokens(4), data: { x, labels: [0, 1] }, dataRange: [0, 60], training: common.training },
      ...{ attacks: ['token-set', { attack: 'dager', options: { transformer: transformerOf(model) } }] },
    })
    expect(tf.memory().numTensors).toBe(before)
    expect(run.records.map(({ attack, status }) => `${attack} ${status}`)).toEqual(
      [0, 1].flatMap(() => ['token-set partial', 'dager proven']),
    )
    // the other sentence has the tokens 1, 2, and two of its own
    expect(run.records[1].tokens).toEqual({ exact: 1, sequences: 1, right: 4, of: 4, claimed: 4, guess: 2 })
    const judgement = judge(run)
    expect(judgement.verdict).toBe('leaked-proven')
    expect(judgement.rows.find(({ attack }) => attack === 'token-set')!.trials[0].shown).toEqual([
      '4 of 4 tokens, where the commonest ones are 2',
    ])
    model.dispose()
  })
})

const SMALL = { vocabularySize: 60, hidden: 16, heads: 2, positions: 6 }

const median = (values: number[]) => {
  const sorted = [...values].sort((a, b) => a - b)
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2
}

/** The value that occurs most often; the first of the schema among equals is left to the test of `measureTable`. */
const mode = <T>(values: T[]): T =>
  [...values].sort((a, b) => values.filter((v) => v === b).length - values.filter((v) => v === a).length)[0]
