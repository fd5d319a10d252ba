import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { DlgError, gradientsOf } from '../../src'
import { type Attack, outcome } from '../../src/attacks'
import { type AuditControl, type AuditOptions, audit, staticFindings } from '../../src/audit'
import { functionalNet, sample } from '../attacks/matching/tiny'

const model = functionalNet()
const x = sample([1, 8])
const disposed = <T extends tf.Tensor>(tensor: T): T => {
  tensor.dispose()
  return tensor
}
const common = {
  ...{ model, data: { x, labels: [1] }, attacks: ['label-inference'], training: { runtime: 'reference' } },
} as const
const run = (changes: object, control: object = {}) =>
  audit({ ...common, ...changes } as AuditOptions, control as AuditControl)

/** What a promise rejects with. */
const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'it was accepted',
    (error) => error,
  )

describe('an audit refuses before any work', () => {
  const shared = () => ({ w1: disposed(tf.zeros([8, 12])) })
  it.each<[words: RegExp, changes: object, control?: object]>([
    [/data\.x is a disposed tensor/, { data: { x: disposed(sample([1, 8])), labels: [1] } }],
    [/data\.labels is a disposed tensor/, { data: { x, labels: disposed(tf.zeros([1, 4])) } }],
    [/data\.labels has 'cat' at position 0; it must be a number/, { data: { x, labels: ['cat'] } }],
    [/data\.labels has NaN at position 0; it must be a class/, { data: { x, labels: [Number.NaN] } }],
    [/data\.labels is a tensor of string/, { data: { x, labels: tf.tensor1d(['a']) } }],
    [/data\.x is a tensor of string/, { data: { x: tf.tensor2d([['a']]), labels: [1] } }],
    [/updates\.anna\.w1 is a disposed tensor/, { data: undefined, updates: { anna: shared() } }],
    [/training\.known\.mask is a disposed tensor/, { training: { known: { mask: disposed(tf.scalar(1)) } } }],
    [
      /init\.data is a disposed tensor/,
      { attacks: [{ attack: 'gradient-matching', options: { init: { data: disposed(tf.scalar(1)) } } }] },
    ],
    [/there is no 'option' in attacks\[0\]; there are attack, options/, { attacks: [{ attack: 'spear', option: {} }] }],
    [/batchSize is NaN; it must be a whole number/, { training: { batchSize: Number.NaN } }],
    [/onProgress is 5; it must be a function/, {}, { onProgress: 5 }],
    [/onRecord is an object; it must be a function/, {}, { onRecord: {} }],
    [/signal is an object; it must be an AbortSignal/, {}, { signal: {} }],
    [/done is an object; it must be a Map of records/, {}, { done: {} }],
  ])('%s', async (words, changes, control) => {
    const error = await failureOf(run(changes, control))
    expect(error).toBeInstanceOf(DlgError)
    expect((error as DlgError).message).toMatch(words)
  })

  it('records that are none, or of another trial', async () => {
    const { records } = await run({})
    const [{ key }] = records
    const again = (record: unknown) => failureOf(run({}, { done: new Map([[key, record]]) }))
    expect(await again({})).toMatchObject({ code: 'invalid-data', message: expect.stringMatching(/^a record is/) })
    const other = await again({ ...records[0], key: 'another' })
    expect(other).toMatchObject({ message: expect.stringMatching(/record of trial 'another'/) })
    expect(await again(records[0])).toBe('it was accepted')
  })
})

describe("an attack of the caller's own in an audit", () => {
  const mine: Attack = {
    ...{ name: 'mine', source: 'a test', leaks: 'labels' },
    needs: { sees: 'one gradient', batch: 'any', model: 'any', labels: 'none' },
    refuses: async () => undefined,
    run: async (_, __, control) => outcome('mine', performance.now(), control, { status: 'failed', reason: 'nothing' }),
  }
  it.each<[RegExp, object]>([
    [/needs of attack 'mine' is undefined/, { needs: undefined }],
    [/needs\.sees of attack 'mine' is undefined/, { needs: {} }],
    [/needs\.threatModel of attack 'mine' is 'Z'; it must be 'A' or/, { needs: { ...mine.needs, threatModel: 'Z' } }],
    [/the name of the attack is undefined/, { name: undefined }],
    [/check of the attack is 5/, { check: 5 }],
  ])('is refused before any work: %s', async (words, changes) => {
    const error = await failureOf(run({ attacks: [{ attack: { ...mine, ...changes } }] }))
    expect(error).toBeInstanceOf(DlgError)
    expect((error as DlgError).message).toMatch(words)
  })

  const gives = (given: unknown) => ({ ...mine, run: async () => given as never })
  it.each<[RegExp, unknown]>([
    [/gave undefined; it must give what outcome\(\) of dlg-ts\/attacks gives/, undefined],
    [/gave an object; it must give/, { status: 'failed' }],
    [
      /the status of attack 'mine' is 'done'; it must be 'proven'/,
      { ...{ status: 'done', reason: '', found: {}, evidence: {} }, work: { evaluations: 0 }, dispose() {} },
    ],
    [
      /found data an object; it must be a tensor that is not disposed/,
      {
        ...{ status: 'failed', reason: 'no', found: { data: disposed(tf.scalar(1)) } },
        ...{ evidence: {}, work: { evaluations: 0 }, dispose() {} },
      },
    ],
  ])('breaks down where it gives something else: %s', async (words, given) => {
    const { records } = await run({ attacks: [{ attack: gives(given) }] })
    expect(records).toEqual([expect.objectContaining({ status: 'error', reason: expect.stringMatching(words) })])
  })
})

describe('what a listener of the caller throws', () => {
  const own = new DlgError('invalid-data', 'of the caller')
  const labels = new DlgError('labels', 'of the caller')
  const search = { attacks: ['gradient-matching'], evaluations: 20 }
  const inSearch = (error: Error) => (event: { readonly part?: number }) => {
    if (event.part !== undefined && event.part > 0) throw error
  }

  it('ends the audit, and is no failure of the attack', async () => {
    expect(await failureOf(run({}, { onProgress: () => Promise.reject(own) }))).toBe(own)
    expect(await failureOf(run({}, { onRecord: () => Promise.reject(own) }))).toBe(own)
    // neither those that an attack would take for its own
    for (const error of [own, labels]) expect(await failureOf(run(search, { onProgress: inSearch(error) }))).toBe(error)
  })
})

describe('staticFindings', () => {
  it("refuses a batch that is not the model's, however small", async () => {
    const shared = await gradientsOf(model, x, [1], { runtime: 'reference' })
    const before = tf.memory().numTensors
    const given = (data: unknown) =>
      failureOf(
        staticFindings(model, shared, { runtime: 'reference', data: data as { x: tf.Tensor; labels: number[] } }),
      )
    const wrong = sample([1, 9])
    for (const [data, words] of [
      [null, /data is null; it must be/],
      [{ x: wrong, labels: [1] }, /\[1,9\]; the model needs \[batch, 8\]/],
      [{ x, labels: [77] }, /label 77 is not a class index/],
      [{ x: shared.w1, labels: [1] }, /8 samples and 1 label/],
    ] as const) {
      const error = await given(data)
      expect(error).toBeInstanceOf(DlgError)
      expect((error as DlgError).message).toMatch(words)
    }
    wrong.dispose()
    expect(tf.memory().numTensors).toBe(before)
    tf.dispose(shared)
  })
})
