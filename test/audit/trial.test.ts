import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { gradientsOf } from '../../src'
import { type AuditOptions, audit, exitCodeOf, judge, type TrialRecord } from '../../src/audit'
import { type Defence, gaussianNoise } from '../../src/defences'
import { functionalNet, sample } from '../attacks/matching/tiny'

it('the utility of a defence is finite where a layer has a gradient of zeros', async () => {
  // no unit of the first layer is on
  const weights = { w: tf.ones([2, 3]), b: tf.fill([3], -50), v: tf.ones([3, 3]), c: tf.tensor1d([0.1, 0.2, 0.3]) }
  const model = {
    inputShape: [2],
    weights,
    apply: (x: tf.Tensor, { w, b, v, c }: tf.NamedTensorMap) =>
      tf.add(tf.matMul(tf.relu(tf.add(tf.matMul(x, w), b)), v), c),
  }
  const options: AuditOptions = {
    model,
    data: { x: tf.tensor2d([[0.2, 0.7]]), labels: [1] },
    attacks: ['label-inference'],
    defences: [gaussianNoise({ std: 0.01 })],
    training: { runtime: 'reference' },
  }
  const { records } = await audit(options)
  const utilities = records.flatMap(({ utility }) => utility ?? [])
  expect(utilities).toHaveLength(2)
  for (const { cosine, relativeError } of utilities) {
    expect(cosine).toBeGreaterThan(0.9)
    // of the one tensor with a gradient: noise of 0.01 on numbers of about 0.3 to 0.7
    expect(relativeError).toBeGreaterThan(0)
    expect(relativeError).toBeLessThan(0.1)
  }
  tf.dispose([weights, options.data!.x])
})

describe('one client, or one defence, does not end an audit midway', () => {
  const training = { runtime: 'reference' } as const

  it.each<[string, (shape: number[]) => { shape: number[]; data: number[] }, RegExp]>([
    ['of wrong shapes', () => ({ shape: [2, 2], data: [1, 2, 3, 4] }), /^update 'bob': /],
    [
      'of zeros',
      (shape) => ({ shape, data: new Array(shape.reduce((a, b) => a * b, 1)).fill(0) }),
      /^update 'bob': every shared gradient is zero/,
    ],
  ])('an update %s is refused by its name before any attack', async (_, change, words) => {
    const model = functionalNet()
    const x = sample([1, 8])
    const anna = await gradientsOf(model, x, [1], training)
    const bob = Object.fromEntries(Object.entries(anna).map(([name, { shape }]) => [name, change(shape)]))
    const records: TrialRecord[] = []
    const run = audit({ model, updates: { anna, bob }, attacks: ['label-inference'], training } as AuditOptions, {
      onRecord: (record) => void records.push(record),
    })
    await expect(run).rejects.toMatchObject({ code: 'invalid-gradients', message: expect.stringMatching(words) })
    expect(records).toEqual([])
    tf.dispose([model.weights, x, anna])
  })

  it('a defence that leaves zeros alone is refused, and one that breaks down is an error, beside one that runs', async () => {
    const own = (name: string, apply: (v: number) => number): Defence => ({
      ...{ name, description: name, apply: (gradients) => gradients.map((values) => values.map(apply)) },
      adapt: (target) => target,
    })
    const model = functionalNet()
    const x = sample([1, 8])
    const run = await audit({
      ...{ model, data: { x, labels: [1] }, attacks: ['label-inference'], attackers: ['adaptive'], training },
      defences: [own('nothing', () => 0), own('broken', () => Number.NaN), own('half', (v) => v / 2)],
    })
    const said = new Map(run.records.map(({ defence, status, reason }) => [defence, { status, reason }]))
    expect(said.get('nothing')).toEqual({
      status: 'refused',
      reason: "the defence 'nothing' leaves zeros alone: there is nothing to attack",
    })
    expect(said.get('broken')?.status).toBe('error')
    expect(said.get('broken')?.reason).toMatch(
      /^the defence 'broken' returned NaN at position 0 of the gradient of 'w1'/,
    )
    expect(said.get('half')?.status).not.toBe('error')
    expect(said.get('half')?.reason).not.toMatch(/^the defence/)
    expect(exitCodeOf(judge(run))).toBe(2)
    tf.dispose([model.weights, x])
  })

  it('a client whose gradient is zero is refused, beside one who has one', async () => {
    const weights = { w: tf.tensor2d([[1, 2, 3]]) }
    // a sample of zeros has no gradient
    const model = { inputShape: [1], weights, apply: (x: tf.Tensor, { w }: tf.NamedTensorMap) => tf.matMul(x, w) }
    const x = tf.tensor2d([[0.5], [0], [0.7]])
    const { records } = await audit({ model, data: { x, labels: [1, 0, 2] }, attacks: ['dense-inversion'], training })
    expect(records.map(({ client }) => client)).toEqual([0, 1, 2])
    expect(records[1]).toMatchObject({
      status: 'refused',
      reason: expect.stringMatching(/every shared gradient is zero/),
    })
    expect(records[2].reason).not.toMatch(/every shared gradient is zero/)
    tf.dispose([weights, x])
  })
})
