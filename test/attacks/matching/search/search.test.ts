import { afterEach, describe, expect, it, vi } from 'vitest'
import { withSureLabels } from '../../../../src/attacks/matching/search/evaluation'
import { newProgress } from '../../../../src/attacks/matching/search/progress'
import type { Objective } from '../../../../src/attacks/matching/search/search'
import { adam, lbfgs, type Optimizer, oneByOne, recover } from '../../../../src/optim'
import { objective, searchWith, walk } from './objectives'

/** Never better, never worse. */
const flat = () => objective(() => ({ relativeLoss: 0.5 }))

describe('a sure label', () => {
  const logits = [
    { start: 1, size: 3 },
    { start: 4, size: 1 },
  ]

  it('is made certain, as it is and whatever the others are; what is not sure stays', () => {
    const certain = withSureLabels(Float64Array.of(9, -100, -93, -101, -5), logits)!
    const rest = -100 + Math.log(1 + Math.exp(-1))
    expect([...certain]).toEqual([9, -100, expect.closeTo(rest + 25, 12), -101, -25])
    // certain already, and 0.98
    expect(withSureLabels(certain, logits)).toBeUndefined()
    expect(withSureLabels(Float64Array.of(9, 0, Math.log(98), Math.log(1), 3.8), logits)).toBeUndefined()
    expect(withSureLabels(Float64Array.of(9, 0, Math.log(200), 0, 3.8), logits)![2]).toBeCloseTo(Math.log(2) + 25, 12)
  })

  /** (x − 1)², and what the label lacks to certainty, which its gradient does not show. */
  const held = (lacking: (logit: number) => number) =>
    objective(([x, logit]) => ({ relativeLoss: (x - 1) ** 2 + lacking(logit), gradient: [2 * (x - 1), 0, 0] }), {
      surer: (point) => withSureLabels(point, [{ start: 1, size: 2 }]),
    })
  const from = (minimised: Objective, options = {}) =>
    searchWith(minimised, { optimizer: lbfgs() as Optimizer, ...options }, { start: Float64Array.of(0, 6, 0) })

  it('does not hold up a search that came to rest near a match', async () => {
    const trial = await from(held((logit) => 1e-5 * Math.exp(-logit)))
    expect(trial).toMatchObject({ status: 'converged', relativeLoss: expect.closeTo(0, 12) })
    expect([...trial.point]).toEqual([expect.closeTo(1, 6), 25, 0])
    expect(trial.history.length).toBeGreaterThan(1)
  })

  it('stays where certainty is no better, where nothing is near, and in the paper’s recipe', async () => {
    // a label that was smoothed
    const smooth = await from(held((logit) => 1e-8 * (1 + (logit - 6) ** 2)))
    expect([smooth.status, smooth.relativeLoss, smooth.point[1]]).toEqual(['converged', expect.closeTo(1e-8, 12), 6])
    const far = await from(held((logit) => Math.exp(-logit)))
    expect([far.status, far.point[1]]).toEqual(['stalled', 6])
    const paper = await from(
      held((logit) => 1e-5 * Math.exp(-logit)),
      { preset: 'paper' },
    )
    expect(paper.point[1]).toBe(6)
  })
})

describe('patience', () => {
  it.each([1, 2, 20, 99])('of the optimizer ends a search: %i iterations in vain', async (patience) => {
    const trial = await searchWith(flat(), { optimizer: walk({ patience }) })
    expect(trial).toMatchObject({ status: 'stalled', evaluations: patience })
    expect(trial.history).toHaveLength(patience)
  })

  it.each([
    ['more than', 20, 30],
    ['less than', 20, 5],
    ['where nothing is said by', undefined, 7],
    ['where never is said by', Number.POSITIVE_INFINITY, 7],
  ])('of the caller is %s the optimizer', async (_, own, patience) => {
    const trial = await searchWith(flat(), { optimizer: walk({ patience: own }), patience })
    expect(trial).toMatchObject({ status: 'stalled', evaluations: patience })
  })

  it.each([
    ['the caller', walk({ patience: 20 }), Number.POSITIVE_INFINITY],
    ['the optimizer', walk({ patience: Number.POSITIVE_INFINITY }), undefined],
    ['nobody', walk(), undefined],
  ])('without an end for %s: all iterations run', async (_, optimizer, patience) => {
    const trial = await searchWith(flat(), { optimizer, patience })
    expect(trial).toMatchObject({ status: 'max-iterations', evaluations: 100 })
  })

  it('counts iterations, not evaluations', async () => {
    const trial = await searchWith(flat(), { optimizer: walk({ patience: 4, evaluationsEach: 5 }) })
    expect(trial).toMatchObject({ status: 'stalled', evaluations: 20 })
  })

  it('begins anew with an improvement of one part in a hundred, at once or bit by bit', async () => {
    const falling = (factor: number) => objective((_point, _easing, n) => ({ relativeLoss: factor ** n }))
    const run = (factor: number, patience: number) => searchWith(falling(factor), { optimizer: walk({ patience }) })
    // what an iteration of one evaluation comes to is seen when the next one begins
    expect((await run(0.98, 2)).status).toBe('max-iterations')
    expect((await run(0.98, 1)).status).toBe('stalled')
    expect(await run(0.995, 2)).toMatchObject({ status: 'stalled', evaluations: 2 })
    // 0.995³ = 0.985
    expect((await run(0.995, 4)).status).toBe('max-iterations')
  })

  it('is 20 iterations of L-BFGS, without end for Adam, and handed on by what wraps them', () => {
    const group = [[[0, 1]]] as const
    for (const wrap of [(o: Optimizer) => o, (o: Optimizer) => recover(o), (o: Optimizer) => oneByOne(o, group)]) {
      expect(wrap(lbfgs() as Optimizer).patience).toBe(20)
      expect(wrap(lbfgs({ lineSearch: 'strong-wolfe' }) as Optimizer).patience).toBe(20)
      expect(wrap(adam() as Optimizer).patience).toBe(Number.POSITIVE_INFINITY)
      expect(wrap(walk()).patience).toBeUndefined()
    }
  })

  it('of the built-in L-BFGS is 20 iterations, in which its line search evaluates', async () => {
    // a line search finds nothing better along this gradient, but its first trial
    const trial = await searchWith(
      objective((point) => ({
        relativeLoss: 0.5 - 1e-6 * Math.tanh(-point[0]),
        gradient: [1e-6 / Math.cosh(point[0]) ** 2],
      })),
      { optimizer: { name: 'lbfgs', preset: 'robust' } },
    )
    expect(trial.status).toBe('stalled')
    expect(trial.history.length).toBeLessThanOrEqual(20)
  })

  it('is not that of the paper, which has none', async () => {
    const optimizer = { name: 'adam', preset: 'paper' } as const
    const trial = await searchWith(flat(), { optimizer, preset: 'paper' })
    expect(trial).toMatchObject({ status: 'max-iterations', evaluations: 100 })
  })
})

describe('the built-in Adam', () => {
  const optimizer = { name: 'adam', preset: 'robust' } as const

  it.each([1, 7, 100, 500])('takes %i steps, whose length falls along half a cosine', async (iterations) => {
    const points: number[] = []
    const trial = await searchWith(
      objective(([x]) => {
        points.push(x)
        return { relativeLoss: 0.5 }
      }),
      { optimizer, iterations },
    )
    expect(trial).toMatchObject({ status: 'max-iterations', evaluations: iterations })
    // the gradient is 1 everywhere, so a step is the learning rate
    for (let t = 0; t + 1 < iterations; t++)
      expect(points[t] - points[t + 1]).toBeCloseTo((0.1 * (1 + Math.cos((Math.PI * t) / iterations))) / 2, 8)
  })

  it('goes on through values a thousand times the best', async () => {
    const trial = await searchWith(
      objective((_point, _easing, n) => ({ relativeLoss: n === 0 ? 1e-4 : 0.1 + n / 100 })),
      { optimizer, iterations: 40 },
    )
    expect(trial).toMatchObject({ status: 'max-iterations', evaluations: 40, relativeLoss: 1e-4 })
  })

  it('goes back to its best point, at a tenth of the rate, where a value is not finite', async () => {
    const points: number[] = []
    const trial = await searchWith(
      objective(([x]) => {
        points.push(x)
        return { relativeLoss: x < -0.35 ? Number.NaN : 1 + x, gradient: [1] }
      }),
      { optimizer, iterations: 1000, tolerance: 0 },
    )
    const wrong = points.findIndex((x) => x < -0.35)
    const best = points[wrong - 1]
    expect(points[wrong + 1]).toBe(best)
    expect(points[wrong + 1] - points[wrong + 2]).toBeCloseTo(0.01, 3)
    expect(trial.point[0]).toBeLessThanOrEqual(best)
    expect(trial.relativeLoss).toBe(1 + trial.point[0])
  })

  it('has as many steps for each sample as it has turns', async () => {
    const samples = [[[0, 1]], [[1, 2]]] as const
    const points: number[][] = []
    const seen = objective(
      (point) => {
        points.push([...point])
        return { relativeLoss: 0.5 }
      },
      { samples },
    )
    await searchWith(seen, { optimizer, iterations: 20 }, { start: new Float64Array(2) })
    expect(points).toHaveLength(20)
    // its memory is cleared at each turn, but the schedule of ten steps goes on
    for (let t = 0; t + 1 < 20; t++) {
      const moved = t % 2
      const turn = Math.floor(t / 2)
      expect(points[t][moved] - points[t + 1][moved]).toBeCloseTo(0.05 * (1 + Math.cos((Math.PI * turn) / 10)), 8)
      expect(points[t + 1][1 - moved]).toBe(points[t][1 - moved])
    }
  })
})

describe('the weight of the priors', () => {
  /** Keeps what each evaluation was asked for; the relative loss is where the easing leaves it. */
  const weighed = (relativeLoss: (easing: number) => number) => {
    const easings: number[] = []
    const minimised = objective(
      (_point, easing) => {
        easings.push(easing)
        return { relativeLoss: relativeLoss(easing) }
      },
      { hasPriors: true },
    )
    return { minimised, weights: () => [...new Set(easings)].map((e) => Number(e.toPrecision(6))) }
  }

  it('falls at each rest, until that brings the gradient no closer twice', async () => {
    const { minimised, weights } = weighed((easing) => Math.max(easing, 0.01))
    const trial = await searchWith(minimised, { optimizer: walk({ patience: 3 }) })
    expect(weights()).toEqual([1, 0.1, 0.01, 0.001, 0.0001])
    expect(trial).toMatchObject({ status: 'stalled', relativeLoss: 0.01, evaluations: 15 })
    expect(trial.history.map((entry) => entry.iteration)).toEqual(trial.history.map((_, i) => i))
  })

  it('falls by the factor that was asked for; 1 keeps it', async () => {
    const half = weighed(() => 0.5)
    await searchWith(half.minimised, { optimizer: walk({ patience: 3 }), priorEasing: 0.5 })
    expect(half.weights()).toEqual([1, 0.5, 0.25])
    const kept = weighed(() => 0.5)
    await searchWith(kept.minimised, { optimizer: walk({ patience: 3 }), priorEasing: 1 })
    expect(kept.weights()).toEqual([1])
  })

  it('falls where the optimizer stops by itself', async () => {
    const { minimised, weights } = weighed((easing) => easing)
    await searchWith(minimised, { optimizer: walk({ stopsAt: 5 }), tolerance: 2e-3 })
    expect(weights()).toEqual([1, 0.1, 0.01, 0.001])
  })

  it('falls after a third of the iterations at the latest, where the optimizer knows rest', async () => {
    const easings: number[] = []
    const seen = objective(
      (_point, easing, n) => {
        easings.push(easing)
        return { relativeLoss: 0.5 ** n }
      },
      { hasPriors: true },
    )
    const trial = await searchWith(seen, { optimizer: walk({ patience: 20 }), iterations: 30, tolerance: 0 })
    expect(trial).toMatchObject({ status: 'max-iterations', evaluations: 30 })
    expect([1, 0.1, 0.01].map((w) => easings.filter((e) => Math.abs(e / w - 1) < 1e-9).length)).toEqual([10, 10, 10])
  })

  it.each([
    ['the built-in Adam', { name: 'adam', preset: 'robust' } as const],
    ['an optimizer that says nothing', walk()],
  ])('stays to the end with %s, whose schedule is not cut short', async (_, optimizer) => {
    const { minimised, weights } = weighed(() => 0.5)
    const trial = await searchWith(minimised, { optimizer, iterations: 60 })
    expect(weights()).toEqual([1])
    expect(trial).toMatchObject({ status: 'max-iterations', evaluations: 60 })
  })

  it('falls at rest with Adam too where the caller has the patience decide, on a schedule for what is left', async () => {
    const { minimised, weights } = weighed(() => 0.5)
    const trial = await searchWith(minimised, { optimizer: { name: 'adam', preset: 'robust' }, patience: 10 })
    expect(weights()).toEqual([1, 0.1, 0.01])
    expect(trial).toMatchObject({ status: 'stalled', evaluations: 30 })
  })
})

describe('what ends a search', () => {
  const spent = { evaluations: 1, milliseconds: Number.POSITIVE_INFINITY }

  it('is told by what matters most: a match, the caller, the budget, the iterations, rest', async () => {
    const all = { optimizer: walk({ stopsAt: 1 }), budget: spent, iterations: 1, tolerance: 0.5 }
    const cancelled = newProgress(4)
    cancelled.cancelled = true
    expect((await searchWith(flat(), all, { progress: cancelled })).status).toBe('converged')
    expect((await searchWith(flat(), { ...all, tolerance: 0.1 }, { progress: cancelled })).status).toBe('aborted')
    expect((await searchWith(flat(), { ...all, tolerance: 0.1 })).status).toBe('budget')
    const free = { evaluations: Number.POSITIVE_INFINITY, milliseconds: Number.POSITIVE_INFINITY }
    expect((await searchWith(flat(), { ...all, tolerance: 0.1, budget: free })).status).toBe('max-iterations')
    expect((await searchWith(flat(), { ...all, tolerance: 0.1, budget: free, iterations: 9 })).status).toBe('stalled')
  })

  it.each([1, 2, 9, 50])('is a budget of %i evaluations, and not one more', async (evaluations) => {
    const budget = { ...spent, evaluations }
    expect(await searchWith(flat(), { budget })).toMatchObject({ status: 'budget', evaluations })
  })

  it('is a budget that the restarts share', async () => {
    const progress = newProgress(4)
    await searchWith(flat(), { iterations: 30 }, { progress })
    const trial = await searchWith(flat(), { budget: { ...spent, evaluations: 50 } }, { progress, restart: 1 })
    expect(trial).toMatchObject({ status: 'budget', evaluations: 20 })
  })

  it('is a budget of milliseconds', async () => {
    let now = 0
    const progress = { ...newProgress(4), evaluations: 0, end: 4, cancelled: false, milliseconds: () => (now += 10) }
    const trial = await searchWith(flat(), { budget: { ...spent, evaluations: 99, milliseconds: 70 } }, { progress })
    expect(trial).toMatchObject({ status: 'budget', evaluations: 7 })
  })

  it('is the caller, after the evaluation under way', async () => {
    const progress = newProgress(4)
    const listener = () => {
      if (progress.evaluations === 8) progress.cancelled = true
    }
    const trial = await searchWith(flat(), {}, { progress, listener })
    expect(trial).toMatchObject({ status: 'aborted', evaluations: 8, relativeLoss: 0.5 })
  })

  it('is a timer, though evaluations never wait', async () => {
    const progress = newProgress(4)
    setTimeout(() => {
      progress.cancelled = true
    }, 20)
    expect((await searchWith(flat(), { iterations: Number.MAX_SAFE_INTEGER }, { progress })).status).toBe('aborted')
  })

  it('is another restart that converged', async () => {
    const progress = newProgress(4)
    progress.end = 2
    expect((await searchWith(flat(), {}, { progress, restart: 1 })).status).toBe('max-iterations')
    expect((await searchWith(flat(), {}, { progress, restart: 2 })).status).toBe('aborted')
  })

  it("is a value that is not finite, with the paper's preset", async () => {
    const wrong = () => objective((_p, _e, n) => ({ relativeLoss: n < 5 ? 1 : Number.NaN }))
    expect(await searchWith(wrong(), { preset: 'paper' })).toMatchObject({ status: 'diverged', evaluations: 6 })
    expect(await searchWith(wrong())).toMatchObject({ status: 'max-iterations', relativeLoss: 1 })
  })
})

describe('the best point', () => {
  it('is the one of the lowest objective so far, and not the last', async () => {
    const losses = [5, 3, 4, 1, 2, 6]
    const told: number[] = []
    const trial = await searchWith(
      objective((_p, _e, n) => ({ loss: losses[n], relativeLoss: losses[n] / 10 })),
      { iterations: 6 },
      { listener: (_restart, _entry, best) => told.push(best.point[0]) },
    )
    expect(trial).toMatchObject({ loss: 1, relativeLoss: 0.1, point: Float64Array.of(3) })
    expect(told).toEqual([0, 1, 1, 3, 3, 3])
  })

  it('is the start where nothing was finite', async () => {
    const trial = await searchWith(
      objective(() => ({ relativeLoss: Number.NaN })),
      {},
      { start: Float64Array.of(7) },
    )
    expect(trial).toMatchObject({ point: Float64Array.of(7), loss: Infinity, relativeLoss: Infinity })
  })
})

describe('a search that ended has matched', () => {
  const end = async (relativeLoss: number, rounding = 0, tolerance = 1e-12) =>
    (
      await searchWith(
        objective(() => ({ relativeLoss }), { rounding }),
        { optimizer: walk({ patience: 5 }), tolerance },
      )
    ).status

  it('at a relative loss of 1e-7', async () => {
    expect([await end(1e-7), await end(1.1e-7)]).toEqual(['converged', 'stalled'])
  })

  it('at four times what rounding leaves, but not above 1e-4', async () => {
    expect([await end(4e-6, 1e-6), await end(4.1e-6, 1e-6)]).toEqual(['converged', 'stalled'])
    expect([await end(1e-4, 1), await end(1.1e-4, 1)]).toEqual(['converged', 'stalled'])
  })

  it('not with a tolerance of 0', async () => {
    expect(await end(1e-9, 0, 0)).toBe('stalled')
  })

  it('not where it was cut short', async () => {
    const close = objective(() => ({ relativeLoss: 1e-9 }))
    const budget = { evaluations: 5, milliseconds: Number.POSITIVE_INFINITY }
    expect((await searchWith(close, { budget })).status).toBe('budget')
  })

  it('where its iterations are used up as well', async () => {
    expect((await searchWith(objective(() => ({ relativeLoss: 1e-9 })))).status).toBe('converged')
  })
})

describe('the listener', () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  it('hears of an iteration when it begins, and while it takes long', async () => {
    let now = 1000
    vi.spyOn(performance, 'now').mockImplementation(() => now)
    const slow = objective((_p, _e, n) => {
      now += 30
      return { relativeLoss: 1 / (n + 1) }
    })
    const heard: { at: number; iteration: number; best: number }[] = []
    const optimizer = walk({ evaluationsEach: 20 })
    const trial = await searchWith(
      slow,
      { optimizer, iterations: 3 },
      { listener: (_r, { iteration }, { relativeLoss: best }) => heard.push({ at: now, iteration, best }) },
    )
    expect(trial).toMatchObject({ status: 'max-iterations', evaluations: 60 })
    expect([...new Set(heard.map((h) => h.iteration))]).toEqual([0, 1, 2])
    const gaps = heard.slice(1).map(({ at }, i) => at - heard[i].at)
    expect(Math.max(...gaps)).toBeLessThanOrEqual(100)
    // the best point is that of now, not that of when the iteration began
    heard.slice(1).forEach(({ best }, i) => {
      expect(best).toBeLessThan(heard[i].best)
    })
    expect(trial.history.map((entry) => entry.iteration)).toEqual([0, 1, 2])
  })

  it('changes nothing by hearing', async () => {
    const run = (listener?: () => void) =>
      searchWith(
        objective((x) => ({ relativeLoss: (x[0] - 3) ** 2, gradient: [2 * (x[0] - 3)] })),
        { optimizer: { name: 'lbfgs', preset: 'robust' }, tolerance: 0 },
        { listener },
      )
    expect(await run(() => {})).toEqual(await run())
  })
})

describe("an optimizer of the caller's", () => {
  const state = { point: Float64Array.of(0), iteration: 0, evaluations: 0 }

  it.each([
    ['nothing', undefined, 'a Float64Array of 1 number'],
    ['a list', { ...state, point: [0] }, 'a Float64Array of 1 number'],
    ['a longer point', { ...state, point: new Float64Array(2) }, 'a Float64Array of 1 number'],
    ['no iteration', { point: state.point, evaluations: 0 }, 'iteration is a whole number'],
    ['half an iteration', { ...state, iteration: 0.5 }, 'iteration is a whole number'],
    ['an iteration that is none', { ...state, iteration: Number.NaN }, 'iteration is a whole number'],
    ['an iteration that falls', { ...state, iteration: -1 }, 'iteration is a whole number'],
  ])('that returns %s is refused, from init and from step', async (_, wrong, message) => {
    const refused = { code: 'invalid-option', message: expect.stringContaining(message) }
    for (const optimizer of [walk({ init: () => wrong as never }), walk({ step: () => wrong as never })])
      await expect(searchWith(flat(), { optimizer })).rejects.toMatchObject(refused)
  })
})
