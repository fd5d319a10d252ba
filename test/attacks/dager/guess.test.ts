import { describe, expect, it } from 'vitest'
import { statusOf } from '../../../src/attacks/dager/attack'
import { filledUp } from '../../../src/attacks/dager/guess'

describe('filledUp', () => {
  const close = [
    [1, 20, 30, 40, 9],
    [1, 20, 30, 41, 9],
    [1, 21, 31, 41, 9],
    [1, 22, 32, 42, 9],
    [1, 23, 33, 43, 9],
  ]

  it('takes the closest, and nothing that is like one of them, up to the number of sequences', () => {
    expect(filledUp([], { sequences: close, count: 3 })).toEqual([close[0], close[2], close[3]])
  })

  it('repeats nothing that was found', () => {
    expect(filledUp([[1, 22, 32, 40, 9]], { sequences: close, count: 3 })).toEqual([close[0], close[2]])
  })

  it('adds nothing to a batch that is full, and nothing where nothing came close', () => {
    expect(filledUp([[1, 22, 32, 40, 9]], { sequences: close, count: 1 })).toEqual([])
    expect(filledUp([], { sequences: [], count: 4 })).toEqual([])
  })
})

describe('an outcome with guesses', () => {
  const guesses = [[1, 2, 3]]

  it.each(['unproven', 'saturated'] as const)('is failed where nothing else was found: %s', (status) => {
    expect(statusOf({ status, sequences: [], guesses })).toBe('failed')
    expect(statusOf({ status, sequences: [[4, 5]], guesses })).toBe('partial')
  })
})
