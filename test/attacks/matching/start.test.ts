import { describe, expect, it } from 'vitest'
import { leakageOptions } from '../../../src/attacks/matching/options'
import { startPoint } from '../../../src/attacks/matching/start'

const inputs = [
  { name: 'x', shape: [4] },
  { name: 'z', shape: [3] },
]
const targets = [{ name: 'y', shape: [2] }]

const starts = (options: Parameters<typeof leakageOptions>[0]) =>
  startPoint(leakageOptions({ seed: 7, ...options }), inputs, targets)

describe('where a search starts', () => {
  it('is the same for the same seed, and another for the next restart', async () => {
    const [one, other] = [await starts({}), await starts({})]
    expect(await one(0)).toEqual(await other(0))
    expect(await one(1)).not.toEqual(await one(0))
    expect(await one(0)).toHaveLength(9)
  })

  it('draws what is not given as if nothing were', async () => {
    const drawn = await (await starts({}))(0)
    const first = await (await starts({ init: { data: { x: [1, 2, 3, 4] } } }))(0)
    expect([...first.subarray(0, 4)]).toEqual([1, 2, 3, 4])
    expect(first.subarray(4)).toEqual(drawn.subarray(4))
    const second = await (await starts({ init: { data: { z: [5, 6, 7] } } }))(0)
    expect([...second]).toEqual([...drawn.subarray(0, 4), 5, 6, 7, ...drawn.subarray(7)])
    const outer = await (await starts({ init: { data: { x: [1, 2, 3, 4] }, labels: [8, 9] } }))(0)
    expect([...outer]).toEqual([1, 2, 3, 4, ...drawn.subarray(4, 7), 8, 9])
  })

  it('is drawn again after a given start', async () => {
    const start = await starts({ init: { data: { x: [1, 2, 3, 4], z: [5, 6, 7] }, labels: [8, 9] } })
    expect([...(await start(0))]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(await start(1)).toEqual(await (await starts({}))(1))
  })
})
