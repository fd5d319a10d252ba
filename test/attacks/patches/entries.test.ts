import { describe, expect, it } from 'vitest'
import { eachOnce, entriesOf } from '../../../src/attacks/patches/entries'
import * as g from '../../../src/graph'

const graph = g.createGraph()
const leaf = g.input(graph, 'leaf', [2, 3])
const shift = g.parameter(graph, 'shift', [3])
const bound = new Map([['shift', Float64Array.of(1, 2, 3)]])

describe('which number of a leaf each number of a node is', () => {
  it('a transpose, a slice, a reversal: every number as it is', async () => {
    const turned = await entriesOf(g.transpose(leaf, [1, 0]), leaf, bound)
    expect([...turned!.entry]).toEqual([0, 3, 1, 4, 2, 5])
    expect(eachOnce(turned!)).toBe(true)
    const cut = await entriesOf(g.reverse(g.slice(leaf, [0, 1], [2, 2]), [1]), leaf, bound)
    expect([...cut!.entry]).toEqual([2, 1, 5, 4])
  })

  it('normalisation and padding: with scale and offset', async () => {
    const node = g.pad(g.scale(g.sub(leaf, shift), 0.5), [0, 1], [0, 0])
    const found = await entriesOf(node, leaf, bound)
    expect([...found!.entry]).toEqual([-1, 0, 1, 2, -1, 3, 4, 5])
    expect([...found!.scale]).toEqual([0, 0.5, 0.5, 0.5, 0, 0.5, 0.5, 0.5])
    expect([...found!.offset]).toEqual([0, -0.5, -1, -1.5, 0, -0.5, -1, -1.5])
    expect(eachOnce(found!)).toBe(false)
  })

  it('a repeated number is no number once', async () => {
    const twice = await entriesOf(g.concat([leaf, leaf], 0), leaf, bound)
    expect([...twice!.entry]).toEqual([0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5])
    expect(eachOnce(twice!)).toBe(false)
  })

  it.each([
    ['a sum of two', g.add(leaf, g.reverse(leaf, [1]))],
    ['a square', g.mul(leaf, leaf)],
    ['a quotient', g.div(g.scalar(graph, 1), leaf)],
    ['a sum over an axis', g.sum(leaf, [1])],
    ['a sigmoid', g.sigmoid(leaf)],
    ['the mean of two', g.scale(g.add(g.slice(leaf, [0, 0], [2, 1]), g.slice(leaf, [0, 2], [2, 1])), 0.5)],
  ])('%s is none', async (_, node) => {
    expect(await entriesOf(node, leaf, bound)).toBeUndefined()
  })
})
