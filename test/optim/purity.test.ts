import { describe, expect, it } from 'vitest'
import { adam, lbfgs, type Optimizer, recover, type SynchronousOptimizer } from '../../src/optim'
import { rosenbrock, run, snapshot, startOf } from './problems'

const optimizers: Optimizer[] = [
  lbfgs({ historySize: 4 }),
  lbfgs({ historySize: 4, lineSearch: 'strong-wolfe', learningRate: 3 }),
  adam({ weightDecay: 0.1, gradientSign: 'soft', steps: 100, decay: 'step', gradientClip: 1 }),
  recover(lbfgs(), { factor: 2 }) as Optimizer,
]

const start = startOf('rosenbrock', 6)

describe.each(optimizers.map((optimizer, k) => [`${optimizer.name} ${k}`, optimizer as SynchronousOptimizer] as const))(
  '%s',
  (_, optimizer) => {
    it('steps twice from one state to equal states, and changes neither state nor evaluation', () => {
      for (const state of run(optimizer, rosenbrock, start, 60).filter((each) => !each.stopped)) {
        const evaluation = rosenbrock(state.point)
        const before = snapshot({ state, evaluation })
        const first = snapshot(optimizer.step(state, evaluation))
        expect(optimizer.step(state, evaluation)).toEqual(first)
        expect({ state, evaluation }).toEqual(before)
      }
    })

    it('never writes to an old state later on', () => {
      const states = [optimizer.init(start)]
      const copies = snapshot(states)
      while (states.length < 60 && !states.at(-1)!.stopped) {
        const state = states.at(-1)!
        states.push(optimizer.step(state, rosenbrock(state.point)))
        copies.push(snapshot(states.at(-1)!))
      }
      expect(states).toEqual(copies)
    })

    it("is not misled by a caller who reuses the start's and the gradient's memory", () => {
      const expected = run(optimizer, rosenbrock, start, 40).at(-1)!
      const buffer = start.slice()
      const gradient = new Float64Array(start.length)
      let state = optimizer.init(buffer)
      buffer.fill(Number.NaN)
      while (!state.stopped && state.evaluations < 40) {
        const evaluation = rosenbrock(state.point)
        gradient.set(evaluation.gradient)
        state = optimizer.step(state, { value: evaluation.value, gradient })
        gradient.fill(Number.NaN)
      }
      expect(state).toEqual(expected)
    })
  },
)
