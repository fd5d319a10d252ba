import { afterEach, describe, expect, it, vi } from 'vitest'
import { CUT } from '../../../src/attacks/contract/pause'
import { preparation } from '../../../src/attacks/matching/preparing'

afterEach(() => {
  vi.restoreAllMocks()
})

describe('what is prepared', () => {
  it('is told, and timers of the thread run first where the part before took long', async () => {
    let now = 1000
    vi.spyOn(performance, 'now').mockImplementation(() => now)
    const order: string[] = []
    const preparing = preparation((words) => order.push(words))
    setTimeout(() => order.push('a timer'), 0)
    await preparing('tracing')
    now += 60
    await preparing('compiling')
    setTimeout(() => order.push('another'), 0)
    await preparing('opening')
    expect(order).toEqual(['tracing', 'a timer', 'compiling', 'opening'])
  })

  it('ends where the caller has aborted', async () => {
    const controller = new AbortController()
    const told: string[] = []
    const preparing = preparation((words) => told.push(words), controller.signal)
    await preparing('tracing')
    controller.abort()
    await expect(preparing('compiling')).rejects.toBe(CUT)
    expect(told).toEqual(['tracing'])
  })

  it('tells of a part that goes on every 50 ms', async () => {
    let now = 1000
    vi.spyOn(performance, 'now').mockImplementation(() => now)
    const told: number[] = []
    const preparing = preparation(() => told.push(now))
    for (; now < 1100; now += 10) await preparing('weighing')
    expect(told).toEqual([1000, 1050])
    await preparing('compiling')
    expect(told).toEqual([1000, 1050, 1100])
  })
})
