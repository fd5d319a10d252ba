import { describe, expect, it } from 'vitest'
import * as g from '../../src/graph'
import { vjp } from '../../src/graph/vjp'
import { checkGradients, uniform } from '../oracle'
import { cases } from './cases'

describe('every primitive, first and second order, against central differences in float64', () => {
  it.each(cases)('$name', async ({ build, shapes, low = -1, high = 1 }) => {
    const values = shapes.map((shape, i) => uniform(g.sizeOf(shape), low, high, 11 * i + 3))
    const check = await checkGradients(build, shapes, values)
    expect(check.instability).toBeLessThan(1e-5)
    expect(check.first).toBeLessThan(1e-6)
    expect(check.second).toBeLessThan(1e-6)
  })

  it('third order: d³/dx³ of x·e^x is (x + 3)·e^x', async () => {
    const graph = g.createGraph()
    const x = g.input(graph, 'x', [])
    const third = [1, 2, 3].reduce((y) => g.grad(y, [x])[0], g.mul(x, g.exp(x)))
    const { evaluate } = await import('../../src/runtime/runtime')
    const { reference } = await import('../../src/runtime/reference')
    const [value] = await evaluate(reference(), { inputs: [x], outputs: [third] }, new Map(), [Float64Array.of(0.7)])
    expect(value[0]).toBeCloseTo(3.7 * Math.exp(0.7), 12)
  })

  it('covers every primitive', () => {
    const graph = g.createGraph()
    const seen = new Set<string>()
    for (const { build, shapes } of cases) {
      const inputs = shapes.map((shape, i) => g.input(graph, `x${i}`, shape))
      const y = build(...inputs)
      const first = g.grad(g.inner(y, y), inputs)
      const second = g.grad(first.map((n) => g.inner(n, n)).reduce(g.add), inputs)
      for (const node of g.reachable([y, ...first, ...second])) seen.add(node.op)
    }
    const bound = ['input', 'parameter']
    const missing = Object.keys(vjp).filter((op) => !seen.has(op) && !bound.includes(op))
    expect(missing).toEqual([])
  })
})
