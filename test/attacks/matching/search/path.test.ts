import { afterEach, describe, expect, it, vi } from 'vitest'
import type { AttackEvaluation } from '../../../../src/attacks/matching/search/evaluation'
import { homotopy } from '../../../../src/attacks/matching/search/path'
import { newProgress } from '../../../../src/attacks/matching/search/progress'
import type { Objective } from '../../../../src/attacks/matching/search/search'
import { adam } from '../../../../src/optim'
import { objective, searchWith, walk } from './objectives'

describe('the path of a homotopy', () => {
  const path = homotopy({ iterations: 200, priorEasing: 0.25 })

  it('sharpens from 2 to 128 by equal factors, and ends with the network itself', () => {
    expect(path.sharpness(0)).toBe(2)
    expect(path.sharpness(95)).toBeCloseTo(16, 9)
    expect(path.sharpness(189)! / path.sharpness(188)!).toBeCloseTo(64 ** (1 / 190), 9)
    expect(path.sharpness(189)).toBeLessThan(128)
    for (const iteration of [190, 199, 200]) expect(path.sharpness(iteration)).toBeUndefined()
  })

  it('begins where a recipe says', () => {
    const { sharpness } = homotopy({ iterations: 200, priorEasing: 0.25, dull: 8 })
    expect(sharpness(0)).toBe(8)
    expect(sharpness(95)).toBeCloseTo(32, 9)
    expect(sharpness(190)).toBeUndefined()
  })

  it('eases the priors to the given part of their weight', () => {
    expect([0, 100, 200].map(path.easing)).toEqual([1, 0.5, 0.25])
  })
})

/** An objective along a homotopy, with a record of what was asked of it. */
function along(
  real: (at: number) => number,
  smooth: (at: number, sharpness: number) => number,
): { minimised: Objective; asked: ('real' | 'smooth')[] } {
  const asked: ('real' | 'smooth')[] = []
  const evaluation = (relativeLoss: number): AttackEvaluation => ({
    ...{ value: relativeLoss, relativeLoss },
    gradient: Float64Array.of(Number.isNaN(relativeLoss) ? Number.NaN : 1),
  })
  const { evaluate: _, ...rest } = objective(() => ({ relativeLoss: 1 }))
  return {
    asked,
    minimised: {
      ...rest,
      evaluate: async ([at]) => {
        asked.push('real')
        return evaluation(real(at))
      },
      smoothed: async ([at], _easing, sharpness) => {
        asked.push('smooth')
        return evaluation(smooth(at, sharpness))
      },
    },
  }
}

describe('a search along a homotopy', () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  it('tells what the network says before the smoothed one is asked, where that took long', async () => {
    let now = 1000
    vi.spyOn(performance, 'now').mockImplementation(() => now)
    const { minimised, asked } = along(
      () => 0.5,
      () => 0.25,
    )
    const slow: Objective = {
      ...minimised,
      evaluate(...given) {
        now += 60
        return minimised.evaluate(...given)
      },
    }
    const heard: (readonly [asked: number, iteration: number, evaluations: number, relativeLoss: number])[] = []
    const { history } = await searchWith(
      slow,
      { iterations: 27 },
      {
        listener: (_restart, { iteration, evaluations, relativeLoss }, best) => {
          heard.push([asked.length, iteration, evaluations, relativeLoss])
          expect(best.relativeLoss).toBe(0.5)
        },
      },
    )
    // its first and 26th evaluations are the network's
    expect(heard.slice(0, 3)).toEqual([
      [1, 0, 1, 0.5],
      [2, 0, 1, 0.25],
      [3, 1, 2, 0.25],
    ])
    expect(heard).toContainEqual([27, 25, 27, 0.5])
    expect(history.map(({ iteration }) => iteration)).toEqual(Array.from({ length: 27 }, (_, i) => i))
  })

  it('keeps the point that the network itself says is best, whatever the smoothed one says', async () => {
    // the walk is at k after k iterations; the smoothed network likes it ever better, the network itself best at 50
    const { minimised } = along(
      (at) => 0.1 + Math.abs(at - 50),
      (at) => 1e-3 / (1 + at),
    )
    const { point, relativeLoss, status, history } = await searchWith(minimised, { iterations: 100 })
    expect([...point]).toEqual([50])
    expect({ relativeLoss, status }).toEqual({ relativeLoss: 0.1, status: 'max-iterations' })
    expect(history).toHaveLength(100)
  })

  it('is judged by the network every 25 iterations, and follows it at the end', async () => {
    const { minimised, asked } = along(
      () => 1,
      () => 1,
    )
    const { evaluations } = await searchWith(minimised, { iterations: 100 })
    expect(asked.filter((kind) => kind === 'smooth')).toHaveLength(95)
    expect(asked.slice(-5)).toEqual(Array(5).fill('real'))
    expect(asked.indexOf('real')).toBe(0)
    expect(asked.filter((kind) => kind === 'real')).toHaveLength(4 + 5)
    expect(evaluations).toBe(104)
  })

  it('does not converge on the smoothed network alone', async () => {
    const { minimised } = along(
      () => 0.5,
      () => 0,
    )
    expect((await searchWith(minimised, { iterations: 60 })).status).toBe('max-iterations')
  })

  it.each([1, 2, 3, 10, 27, 28, 50])(
    'keeps to a budget of %i evaluations, and the network has judged the last point',
    async (n) => {
      const { minimised, asked } = along(
        (at) => 1 / (1 + at),
        () => 1,
      )
      const budget = { evaluations: n, milliseconds: Number.POSITIVE_INFINITY }
      const { status, evaluations, point, relativeLoss } = await searchWith(minimised, { iterations: 100, budget })
      expect(status).toBe('budget')
      expect(asked).toHaveLength(evaluations)
      expect(evaluations).toBeLessThanOrEqual(n)
      // one is left over where the last point had been judged already
      expect(evaluations).toBeGreaterThanOrEqual(n - 1)
      expect(relativeLoss).toBe(1 / (1 + point[0]))
      expect(point[0]).toBeGreaterThanOrEqual(asked.filter((kind) => kind === 'smooth').length - 1)
    },
  )

  it('goes on with the network itself where the smoothed one gives no numbers', async () => {
    const { minimised, asked } = along(
      (at) => (at - 3) ** 2,
      () => Number.NaN,
    )
    const { status, relativeLoss } = await searchWith(minimised, {
      optimizer: adam({ learningRate: 1 }),
      iterations: 40,
    })
    expect(asked.filter((kind) => kind === 'smooth')).toHaveLength(1)
    expect(status).toBe('max-iterations')
    expect(relativeLoss).toBeLessThan(10)
  })

  it('ends in one evaluation more when it is cancelled', async () => {
    const { minimised, asked } = along(
      (at) => 1 / (1 + at),
      () => 1,
    )
    const progress = newProgress(1)
    const listener = () => {
      if (asked.length > 40) progress.cancelled = true
    }
    const { status, point } = await searchWith(
      minimised,
      { optimizer: walk(), iterations: 100 },
      { progress, listener },
    )
    expect(status).toBe('aborted')
    expect(asked.at(-1)).toBe('real')
    expect(point[0]).toBeGreaterThan(25)
  })
})
