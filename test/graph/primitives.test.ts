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

describe('a GELU that is written out becomes one', () => {
  const half = Math.SQRT1_2
  it.each<[string, (x: g.Node, normal: (c: number) => g.Node) => g.Node]>([
    ['x/2 · (1 + erf)', (x, normal) => g.mul(g.scale(x, 0.5), normal(half))],
    ['(1 + erf) · x · ½', (x, normal) => g.scale(g.mul(normal(half), x), 0.5)],
    ['x · Φ', (x, normal) => g.mul(x, g.scale(normal(half), 0.5))],
    ['with √½ of float32', (x, normal) => g.scale(g.mul(x, normal(Math.fround(half))), 0.5)],
  ])('%s', (_, build) => {
    const graph = g.createGraph()
    const x = g.input(graph, 'x', [3])
    const y = build(x, (c) => g.offset(g.unary('erf', g.scale(x, c)), 1))
    expect(y).toBe(g.unary('gelu', x))
    expect(g.grad(g.inner(y, g.fill(graph, 1, [3])), [x])).toEqual([g.unary('geluDerivative', x)])
  })

  it.each([0.7, 0.708])('and no other product: erf(%f x)', (c) => {
    const graph = g.createGraph()
    const x = g.input(graph, 'x', [3])
    expect(g.mul(x, g.offset(g.unary('erf', g.scale(x, c)), 1)).op).toBe('mul')
  })

  it('with the values of its definition', () => {
    for (const x of [-9, -3, -0.5, 0, 1e-3, 2, 7]) {
      const graph = g.createGraph()
      const of = (op: g.UnaryOp, at: number) => g.uniformValue(g.unary(op, g.fill(graph, at, [])))!
      expect(of('gelu', x)).toBeCloseTo((x / 2) * (1 + of('erf', x / Math.SQRT2)), 14)
    }
  })
})
