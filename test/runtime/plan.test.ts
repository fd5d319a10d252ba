import { describe, expect, it } from 'vitest'
import * as g from '../../src/graph'
import { mostHeld, squeezedSum } from '../../src/runtime/plan'

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

describe('a reshape of a sum', () => {
  it.each([
    ['the summed axes', [2, 3, 4], [1], [2, 4], [1]],
    ['all axes', [1, 36, 1, 1], [1], [], [0, 1, 2, 3]],
    ['an axis of size 1 as well', [1, 3, 4], [2], [3], [0, 2]],
    ['no axis of size 1 that stays', [1, 3, 4], [2], [1, 3], [2]],
    ['one of two axes of size 1', [1, 1, 3, 4], [3], [1, 3], [1, 3]],
    ['not a summed axis that stays', [2, 3, 4], [1], [2, 1, 4], undefined],
    ['nothing where numbers move to other axes', [2, 6, 4], [2], [3, 4], undefined],
    ['nothing where an axis is added', [2, 3], [1], [1, 2], undefined],
  ])('takes off %s', (_, shape, axes, to, off) => {
    const graph = g.createGraph()
    const total = g.sum(g.exp(g.input(graph, 'x', shape)), axes)
    const node = graph.intern('reshape', [total], {}, to)
    expect(squeezedSum(node)).toEqual(off && { total, axes: off })
  })
})
