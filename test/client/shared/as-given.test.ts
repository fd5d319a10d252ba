import { describe, expect, it } from 'vitest'
import { deepLeakageFromGradients, gradientsOf, inferLabels, type PlainTensor } from '../../../src'
import { convNet, plain, sample } from '../../attacks/matching/tiny'

describe('what was shared, as files and programs give it', () => {
  const model = convNet()
  const x = sample([1, 6, 6, 1])
  const options = { runtime: 'reference', iterations: 1, restarts: 1 } as const
  const shared = async (): Promise<Record<string, PlainTensor>> =>
    plain(await gradientsOf(model, x, [2], { runtime: 'reference' }))

  it('may be a Map by name, of gradients and in an update', async () => {
    const map = new Map(Object.entries(await shared()))
    expect(await inferLabels(model, map)).toMatchObject({ labels: [2] })
    const leak = await deepLeakageFromGradients(model, map, options)
    const plainly = await deepLeakageFromGradients(model, Object.fromEntries(map), options)
    expect(leak.history).toEqual(plainly.history)
    const delta = new Map(
      [...map].map(([name, { shape, data }]) => [name, { shape, data: Array.from(data, (v) => -v) }]),
    )
    const update = await deepLeakageFromGradients(
      model,
      { delta },
      {
        ...options,
        update: { learningRate: 1 },
      },
    )
    expect(update.history[0].relativeLoss).toBeCloseTo(plainly.history[0].relativeLoss, 6)
    for (const made of [leak, plainly, update]) made.dispose()
  })

  it('may not be a Promise: somebody forgot to wait', async () => {
    const attempt = deepLeakageFromGradients(model, shared() as never, options)
    await expect(attempt).rejects.toMatchObject({ code: 'invalid-gradients', message: /are a Promise; await it first/ })
    const update = deepLeakageFromGradients(model, { after: shared() } as never, {
      ...options,
      update: { learningRate: 1 },
    })
    await expect(update).rejects.toMatchObject({
      code: 'invalid-gradients',
      message: /'after' of the update are a Promise/,
    })
  })
})
