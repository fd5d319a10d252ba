import { describe, expect, it } from 'vitest'
import * as g from '../../src/graph'
import { mostHeld } from '../../src/runtime/plan'

describe('the most numbers that are held at once', () => {
  it('are two of a chain, however long it is', () => {
    const graph = g.createGraph()
    const x = g.input(graph, 'x', [5])
    let node: g.Node = x
    for (let i = 0; i < 20; i++) node = g.sigmoid(node)
    expect(mostHeld({ inputs: [x], outputs: [node] })).toBe(10)
  })

  it('are all of those that are read at the end, and none that is bound', () => {
    const graph = g.createGraph()
    const x = g.input(graph, 'x', [5])
    const weight = g.parameter(graph, 'w', [5])
    const read = [g.sigmoid(x), g.tanh(x), g.exp(x)]
    const all = g.concat(read, 0)
    const bound = g.mul(g.exp(weight), weight)
    expect(mostHeld({ inputs: [x], outputs: [g.inner(all, all), g.inner(read[0], bound)] })).toBeGreaterThanOrEqual(30)
    // the input alone
    expect(mostHeld({ inputs: [x], outputs: [bound] })).toBe(5)
  })
})
