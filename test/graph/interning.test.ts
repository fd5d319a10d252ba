import { describe, expect, it } from 'vitest'
import * as g from '../../src/graph'

describe('equal nodes', () => {
  it('are the same object, and unequal ones are not', () => {
    const graph = g.createGraph()
    const x = g.input(graph, 'x', [4, 6])
    expect(g.add(x, g.tanh(x))).toBe(g.add(x, g.tanh(x)))
    expect(g.slice(x, [0, 1], [2, 2])).toBe(g.slice(x, [0, 1], [2, 2]))
    const slices = [0, 1, 2].flatMap((i) => [0, 1, 2, 3, 4].map((j) => g.slice(x, [i, j], [2, 2])))
    expect(new Set(slices).size).toBe(15)
    // the same attributes, and other shapes
    expect(g.reshape(x, [24])).not.toBe(g.reshape(x, [1, 24]))
  })

  it('tell −0 from 0, and know NaN and infinities', () => {
    const graph = g.createGraph()
    const values = [0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1, 0.1, 0.1 + 2 ** -56]
    const scalars = values.map((v) => g.scalar(graph, v))
    expect(new Set(scalars).size).toBe(values.length)
    values.forEach((v, i) => {
      expect(g.scalar(graph, v)).toBe(scalars[i])
    })
    expect(g.constant(graph, [0, 1], [2])).not.toBe(g.constant(graph, [-0, 1], [2]))
  })

  it('are found among many alike', () => {
    const graph = g.createGraph()
    const made = Array.from({ length: 20_000 }, (_, i) => g.scalar(graph, i / 7))
    expect(graph.size).toBe(20_000)
    expect(made.every((node, i) => g.scalar(graph, i / 7) === node)).toBe(true)
    expect(graph.size).toBe(20_000)
  })

  it('come in the order of construction, those alone that are needed', () => {
    const graph = g.createGraph()
    const x = g.input(graph, 'x', [3])
    const [a, b, c] = [g.exp(x), g.tanh(x), g.abs(x)]
    const sum = g.mul(g.tanh(c), a)
    const all = g.reachable([sum, x])
    expect(all.map((n) => n.op)).toEqual(['input', 'exp', 'abs', 'tanh', 'mul'])
    expect(all).not.toContain(b)
    expect(g.reachable([])).toEqual([])
  })
})
