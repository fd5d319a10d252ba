import { describe, expect, it } from 'vitest'
import { adam, type Group, lbfgs, type OptimizerState, oneByOne, recover } from '../../src/optim'

/** f(x) = ½ Σ aᵢ xᵢ² + c (Σ xᵢ)² / 2, convex and coupled; its minimum is 0 at the origin. */
const a = [1, 3, 2, 5, 4, 7]
const evaluate = (x: Float64Array) => {
  const total = x.reduce((s, v) => s + v)
  const gradient = x.map((v, i) => a[i] * v + 0.5 * total)
  return { value: 0.5 * x.reduce((s, v, i) => s + a[i] * v * v, 0) + 0.25 * total * total, gradient }
}
const start = Float64Array.of(1, -2, 3, 0.5, -1, 2)
/** Two samples of two numbers with a label number each. */
const groups: Group[] = [
  [
    [0, 2],
    [4, 5],
  ],
  [
    [2, 4],
    [5, 6],
  ],
]

describe('oneByOne', () => {
  it('moves one group in an iteration, and the next in the next', async () => {
    const optimizer = oneByOne(lbfgs({ innerIterations: 3, lineSearch: 'strong-wolfe' }), groups)
    let state = optimizer.init(start)
    const moved: number[][] = []
    let [before, iteration] = [state.point, 0]
    while (iteration < 4) {
      state = await optimizer.step(state, evaluate(state.point))
      if (state.iteration === iteration) continue
      iteration = state.iteration
      moved.push([...state.point.keys()].filter((i) => state.point[i] !== before[i]))
      before = state.point
    }
    expect(moved).toEqual([
      [0, 1, 4],
      [2, 3, 5],
      [0, 1, 4],
      [2, 3, 5],
    ])
  })

  it('comes to the minimum of all coordinates, and then stops', async () => {
    const optimizer = oneByOne(lbfgs({ lineSearch: 'strong-wolfe', changeTolerance: 1e-15 }), groups)
    let state: OptimizerState = optimizer.init(start)
    while (!state.stopped && state.evaluations < 2000)
      state = await optimizer.step(state as never, evaluate(state.point))
    expect(state.stopped).toBeDefined()
    expect(Math.max(...state.point.map(Math.abs))).toBeLessThan(1e-6)
  })

  it('is the optimizer itself over one group of everything', async () => {
    const [plain, single] = [lbfgs(), oneByOne(lbfgs(), [[[0, 6]]])]
    let [p, s] = [plain.init(start), single.init(start)]
    // up to the end of an iteration, where the memory of a group is cleared
    for (let i = 0; i < 15; i++) {
      p = await plain.step(p, evaluate(p.point))
      s = await single.step(s, evaluate(s.point))
      expect([...s.point]).toEqual([...p.point])
    }
  })

  it("keeps an optimizer's schedule over the turns", async () => {
    const optimizer = oneByOne(adam({ steps: 10, decay: 'linear' }), groups)
    let state: OptimizerState = optimizer.init(start)
    for (let i = 0; i < 40 && !state.stopped; i++) state = await optimizer.step(state as never, evaluate(state.point))
    expect(state.stopped).toBe('step')
    // ten each, and one in which there was nothing left to step
    expect(state.iteration).toBe(22)
  })

  it("keeps a recovering optimizer's schedule over the turns as well", async () => {
    const optimizer = oneByOne(recover(adam({ steps: 10, decay: 'cosine' })), groups)
    let state: OptimizerState = optimizer.init(start)
    for (let i = 0; i < 40 && !state.stopped; i++) state = await optimizer.step(state as never, evaluate(state.point))
    expect(state).toMatchObject({ stopped: 'step', iteration: 22 })
  })

  it('does not change its arguments', async () => {
    const optimizer = oneByOne(lbfgs(), groups)
    const state = optimizer.init(start)
    const evaluation = evaluate(state.point)
    const copies = [[...state.point], [...evaluation.gradient]]
    await optimizer.step(state, evaluation)
    expect([[...state.point], [...evaluation.gradient]]).toEqual(copies)
    expect([...start]).toEqual([1, -2, 3, 0.5, -1, 2])
  })
})
