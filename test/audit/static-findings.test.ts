import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { gradientsOf } from '../../src'
import { attack, targetOf } from '../../src/attacks'
import { audit, judge, staticFindings } from '../../src/audit'
import { random as seeded } from '../../src/numbers/random'

const random = (shape: number[], seed: number) => tf.randomUniform(shape, -1, 1, 'float32', seed)
const net = {
  inputShape: [6],
  weights: { w: random([6, 20], 1), b: random([20], 2), v: random([20, 4], 3), c: random([4], 4) },
  apply: (x: tf.Tensor, { w, b, v, c }: tf.NamedTensorMap) =>
    tf.add(tf.matMul(tf.sigmoid(tf.add(tf.matMul(x, w), b)), v), c),
}
const runtime = 'reference'
const shared = (x: tf.Tensor, labels: number[]) => gradientsOf(net, x, labels, { runtime })
const codes = (findings: readonly { code: string; level: string }[]) =>
  findings.map(({ code, level }) => `${code} ${level}`)

describe('findings that need no search', () => {
  it('are the data and the label of one sample, proven', async () => {
    const x = tf.randomUniform([1, 6], 0, 1, 'float32', 5)
    const before = tf.memory().numTensors
    const gradient = await shared(x, [2])
    const findings = await staticFindings(net, gradient, { runtime })
    expect(codes(findings)).toEqual(expect.arrayContaining(['labels leak', 'data leak', 'span warning']))
    expect(tf.memory().numTensors).toBe(before + 4)
  })

  it('are labels and the span of a batch, and never its data', async () => {
    const x = tf.randomUniform([3, 6], 0, 1, 'float32', 5)
    const findings = await staticFindings(net, await shared(x, [2, 0, 1]), { runtime, batchSize: 3 })
    expect(codes(findings)).not.toContain('data leak')
    expect(codes(findings)).toEqual(expect.arrayContaining(['labels leak', 'span warning']))
    expect(findings.find(({ code }) => code === 'span')!.words).toContain("'w' [6, 20] has 3 directions")
  })

  it('are no labels of noise, in which a rule reads some all the same', async () => {
    let read = 0
    for (let seed = 1; seed <= 12; seed++) {
      const { normal } = seeded(seed)
      const noise = Object.entries(net.weights).map(([name, w]) => [
        name,
        { shape: w.shape, data: Float32Array.from({ length: w.size }, normal) },
      ])
      const shared = Object.fromEntries(noise)
      expect(codes(await staticFindings(net, shared, { runtime }))).not.toContain('labels leak')
      const { status, reason, evidence } = await attack('label-inference', await targetOf(net, shared))
      if (status === 'refused') continue
      read++
      expect(status, reason).toBe('failed')
      expect(evidence.confidence).toBeLessThan(0.01)
      const judged = judge(await audit({ model: net, updates: { noise: shared }, attacks: ['label-inference'] }))
      // nothing is known of what the attack can do here
      expect(judged.verdict).toBe('inconclusive')
    }
    expect(read).toBeGreaterThan(1)
  })

  it('are the tokens that occur', async () => {
    const text = {
      inputShape: [4],
      weights: { table: random([30, 8], 1), v: random([8, 3], 2) },
      apply: (x: tf.Tensor, { table, v }: tf.NamedTensorMap) =>
        tf.matMul(tf.mean(tf.gather(table, tf.cast(x, 'int32')), 1), v),
    }
    const ids = tf.tensor([[3, 7, 7, 21]], [1, 4])
    const findings = await staticFindings(text, await gradientsOf(text, ids, [1], { runtime }), { runtime })
    expect(findings.find(({ code }) => code === 'tokens')!.words).toContain('3 of 30 rows')
  })

  it('are a sample that is singled out, and none where all count alike', async () => {
    // the last row is far outside what the others reach: only it passes the ReLU
    const fishing = {
      inputShape: [6],
      weights: { w: tf.ones([6, 8]), b: tf.fill([8], -20), v: random([8, 4], 3) },
      apply: (x: tf.Tensor, { w, b, v }: tf.NamedTensorMap) => tf.matMul(tf.relu(tf.add(tf.matMul(x, w), b)), v),
    }
    const x = tf.concat([tf.randomUniform([3, 6], 0, 1, 'float32', 5), tf.fill([1, 6], 5)])
    const labels = [0, 1, 2, 3]
    const options = { runtime, batchSize: 4, data: { x, labels } } as const
    const caught = await staticFindings(fishing, await gradientsOf(fishing, x, labels, { runtime }), options)
    expect(caught.find(({ code }) => code === 'singled-out')!.words).toMatch(
      /gradient of sample 3 is infinitely many times/,
    )
    const like = tf.randomUniform([4, 6], 0.5, 1, 'float32', 6)
    const alike = await staticFindings(net, await shared(like, labels), { ...options, data: { x: like, labels } })
    expect(codes(alike)).not.toContain('singled-out warning')
  })

  it('are a layer that sorts samples into bins, in either layout, and none where units merely resemble each other', async () => {
    // as in Robbing the Fed: every unit measures the same, from another value on
    const direction = random([6, 1], 11)
    const bins = tf.linspace(-1, 1, 8)
    const x = tf.randomUniform([4, 6], 0, 1, 'float32', 5)
    const found = async (w: tf.Tensor, b: tf.Tensor, transposed = false) => {
      const given = {
        inputShape: [6],
        weights: { w: transposed ? tf.transpose(w) : w, b, v: random([8, 4], 3) },
        apply: (data: tf.Tensor, { w, b, v }: tf.NamedTensorMap) =>
          tf.matMul(tf.relu(tf.add(tf.matMul(data, w, false, transposed), b)), v),
      }
      const gradient = await gradientsOf(given, x, [0, 1, 2, 3], { runtime })
      return (await staticFindings(given, gradient, { runtime, batchSize: 4 })).filter(({ code }) => code === 'planted')
    }
    const scaled = tf.mul(direction, random([1, 8], 12))
    for (const transposed of [false, true])
      expect(await found(scaled, bins, transposed)).toEqual([
        {
          ...{ code: 'planted', level: 'warning', weight: 'w' },
          words: `8 units of 'w' [${transposed ? '8, 6' : '6, 8'}] have one direction and different biases: differences of their gradients are single samples, and training makes no such layer`,
        },
      ])
    // three of eight are enough, and two are not
    const some = (count: number) => tf.concat([tf.slice(scaled, [0, 0], [6, count]), random([6, 8 - count], 13)], 1)
    expect((await found(some(3), bins))[0].words).toContain('3 units')
    expect(await found(some(2), bins)).toEqual([])
    // a constant initializer gives units of one direction, and one bias
    expect(await found(tf.ones([6, 8]), tf.zeros([8]))).toEqual([])
    expect(await found(tf.add(scaled, tf.mul(random([6, 8], 14), 0.01)), bins)).toEqual([])
  })

  it('are no sample of two that is merely the larger', async () => {
    // fresh weights: the model fits neither sample
    const fresh = { ...net, weights: { ...net.weights, v: tf.mul(net.weights.v, 0.1), c: tf.mul(net.weights.c, 0.1) } }
    const found = async (first: tf.Tensor) => {
      const two = tf.concat([first, tf.randomUniform([1, 6], 0.5, 1, 'float32', 8)])
      const options = { runtime, batchSize: 2, data: { x: two, labels: [0, 2] } } as const
      return (await staticFindings(fresh, await gradientsOf(fresh, two, [0, 2], { runtime }), options)).find(
        ({ code }) => code === 'singled-out',
      )
    }
    expect(await found(tf.randomUniform([1, 6], 0.5, 1, 'float32', 7))).toBeUndefined()
    // saturated units pass nothing on
    expect((await found(tf.fill([1, 6], 50)))?.words).toMatch(/^in '[wb]' the gradient of sample 1 is .* times/)
  })
})
