import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { deepLeakage, gradientsOf, type LabelOption, type OutputTargets } from '../../src'
import { proofOf } from '../../src/analytic'
import { convNet, plain, sample } from '../attacks/matching/tiny'
import { leavesNoTensors } from '../tensors'

leavesNoTensors()

const CLASSES = 4
const rows = (labels: readonly number[]): number[][] =>
  labels.map((label) => Array.from({ length: CLASSES }, (_, c) => (c === label ? 1 : 0)))

/** Every form in which known labels come. Tensors are freed by the caller. */
const forms = (labels: readonly number[]): Record<string, OutputTargets> => ({
  'a list': labels,
  Int32Array: Int32Array.from(labels),
  Uint8Array: Uint8Array.from(labels),
  'one-hot rows': rows(labels),
  'a tensor of indices': tf.tensor1d([...labels], 'int32'),
  'a one-hot tensor': tf.tensor2d(rows(labels)),
  '{ targets: tensor }': { targets: tf.tensor2d(rows(labels)) },
  '{ targets: plain }': { targets: { shape: [labels.length, CLASSES], data: rows(labels).flat() } },
})

function free(given: Record<string, OutputTargets>): void {
  for (const form of Object.values(given)) {
    if (form instanceof tf.Tensor) form.dispose()
    else if (typeof form === 'object' && 'targets' in form && form.targets instanceof tf.Tensor) form.targets.dispose()
  }
}

describe.each([[[2]], [[3, 1]], [[1, 0, 3, 3]]])('known labels %j', (labels) => {
  const model = convNet()
  beforeAll(async () => {
    await tf.setBackend('cpu')
  })

  it('are one set for the client, the proof and the attack', async () => {
    const x = sample([labels.length, 6, 6, 1])
    const given = forms(labels)
    const right = plain(await gradientsOf(model, x, labels, { runtime: 'reference' }))
    for (const [name, form] of Object.entries(given)) {
      const found = plain(await gradientsOf(model, x, form, { runtime: 'reference' }))
      expect(found, name).toEqual(right)
      const proof = await proofOf(model, { data: x, labels: form }, right, { runtime: 'reference' })
      expect(proof.residual, name).toBeLessThan(1e-7)
      const options = { batchSize: labels.length, restarts: 1, iterations: 1, runtime: 'reference' as const }
      const leak = await deepLeakage(model, right, { ...options, labels: form as LabelOption })
      expect(leak.labels, name).toEqual(labels)
      leak.dispose()
    }
    free(given)
    x.dispose()
  })
})

it.each([
  [
    'rows of different lengths',
    [
      [0, 1, 0, 0],
      [0, 1],
    ],
    /row 1 of the targets has 2 numbers; row 0 has 4/,
  ],
  [
    'too many rows',
    [
      [0, 1, 0, 0],
      [0, 1, 0, 0],
      [1, 0, 0, 0],
    ],
    /3 labels in a list; one for each of/,
  ],
  ['numbers that are no classes', Float32Array.of(1, 2), /labels is a Float32Array; it must be 'joint' or 'infer' or/],
] as const)('%s are refused by the name of the option', async (_, labels, message) => {
  const model = convNet()
  const x = sample([2, 6, 6, 1])
  const shared = plain(await gradientsOf(model, x, [1, 2], { runtime: 'reference' }))
  x.dispose()
  const attempt = deepLeakage(model, shared, { batchSize: 2, labels: labels as unknown as LabelOption })
  await expect(attempt).rejects.toThrow(message)
  model.dispose()
})
