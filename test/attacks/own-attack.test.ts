import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { gradientsOf } from '../../src'
import { type Attack, attack, outcome, targetOf } from '../../src/attacks'
import { contractTests } from './contract'
import { denseNet, plain, sample } from './matching/tiny'

/** An attack of a caller's own: it tells the sign of the sum of the last gradient. */
const signOfSum: Attack<{ readonly least?: number }> = {
  name: 'sign-of-sum',
  source: 'nobody, an example in a test',
  leaks: 'labels',
  needs: { sees: 'one gradient', batch: 'any', model: 'any', labels: 'none' },
  refuses: async ({ gradients }) =>
    gradients.length > 40 ? 'there are more tensors than this attack reads' : undefined,
  async run({ gradients }, { least = 0 }, control) {
    const started = performance.now()
    const sum = [...gradients[gradients.length - 1]].reduce((a, b) => a + b, 0)
    return outcome('sign-of-sum', started, control, {
      status: 'partial',
      reason: `the last gradient sums to ${sum.toExponential(1)}`,
      found: { labels: [sum > least ? 1 : 0] },
    })
  },
}

describe("an attack of the caller's own", () => {
  const model = denseNet()
  const target = async () => {
    const x = sample([1, 8])
    const gradients = plain(await gradientsOf(model, x, [1], { runtime: 'reference' }))
    x.dispose()
    return targetOf(model, gradients)
  }
  beforeAll(async () => {
    await tf.setBackend('cpu')
  })

  contractTests(signOfSum, [{ words: 'a dense network', target, options: {}, right: ['partial'] }])

  it('goes through the same door', async () => {
    const found = await attack(signOfSum, await target(), { least: -1 })
    expect(found).toMatchObject({ attack: 'sign-of-sum', status: 'partial', found: { labels: [1] } })
    found.dispose()
  })
})
