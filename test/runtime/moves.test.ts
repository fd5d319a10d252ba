import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as g from '../../src/graph'
import { bindStatic } from '../../src/runtime/reference'

/** The elements of a shape, each read at an index that the index of the element gives. */
function elements(shape: g.Shape, at: (index: readonly number[]) => number): number[] {
  const out: number[] = []
  const index = shape.map(() => 0)
  const visit = (axis: number): void => {
    if (axis === shape.length) out.push(at(index))
    else for (index[axis] = 0; index[axis] < shape[axis]; index[axis]++) visit(axis + 1)
  }
  visit(0)
  return out
}

const flat = (index: readonly number[], shape: g.Shape): number =>
  index.reduce((at, i, axis) => at * shape[axis] + i, 0)

/** What nodes over one parameter are bound to, whose elements are 0, 1, 2, … */
function moved(shape: g.Shape, build: (x: g.Node) => g.Node, type: typeof Float32Array | typeof Float64Array) {
  const graph = g.createGraph()
  const node = build(g.parameter(graph, 'x', shape))
  const values = new type(g.range(g.sizeOf(shape)))
  return bindStatic(g.reachable([node]), new Map([['x', values]])).get(node)!
}

const shapes = fc.array(fc.constantFrom(1, 2, 3, 5, 17), { minLength: 1, maxLength: 4 })
const types = fc.constantFrom(Float32Array, Float64Array)
const runs = { numRuns: 60 }

describe('what only moves numbers', () => {
  it('transposes, whatever the axes, in the type that numbers come in', () => {
    const permuted = shapes.chain(
      (shape) =>
      fc.tuple(fc.constant(shape), fc.shuffledSubarray(shape.map((_, i) => i), { minLength: shape.length })), // biome-ignore format: one line
    )
    fc.assert(
      fc.property(permuted, types, ([shape, permutation], type) => {
        const out = moved(shape, (x) => g.transpose(x, permutation), type)
        expect(out).toBeInstanceOf(type)
        const to = permutation.map((axis) => shape[axis])
        const right = elements(to, (index) => {
          const source: number[] = []
          permutation.forEach((axis, i) => {
            source[axis] = index[i]
          })
          return flat(source, shape)
        })
        expect([...out]).toEqual(right)
      }),
      runs,
    )
  })

  it('slices, reverses, pads, repeats and joins', () => {
    const cut = shapes.chain((shape) => fc.tuple(fc.constant(shape), fc.tuple(...shape.map((n) => fc.nat(n - 1)))))
    fc.assert(
      fc.property(cut, types, ([shape, start], type) => {
        const size = shape.map((n, axis) => n - start[axis])
        const slice = moved(shape, (x) => g.slice(x, start, size), type)
        expect([...slice]).toEqual(elements(size, (index) => flat(index.map((i, axis) => i + start[axis]), shape))) // biome-ignore format: one line

        const reverse = moved(shape, (x) => g.reverse(x, [0]), type)
        expect([...reverse]).toEqual(elements(shape, ([i, ...rest]) => flat([shape[0] - 1 - i, ...rest], shape)))

        const wide = shape.map((n, axis) => n + start[axis] + 1)
        const pad = moved(shape, (x) => g.pad(x, start, shape.map(() => 1)), type) // biome-ignore format: one line
        const inside = (index: readonly number[]) => index.map((i, axis) => i - start[axis])
        const within = (index: readonly number[]) => index.every((i, axis) => i >= 0 && i < shape[axis])
        expect([...pad]).toEqual(elements(wide, (index) => (within(inside(index)) ? flat(inside(index), shape) : 0)))

        const repeated = moved(shape, (x) => g.broadcast(x, [2, ...shape]), type)
        expect([...repeated]).toEqual(elements([2, ...shape], ([, ...index]) => flat(index, shape)))

        const joined = moved(shape, (x) => g.concat([x, x], shape.length - 1), type)
        const last = shape.length - 1
        const twice = [...shape.slice(0, last), 2 * shape[last]]
        expect([...joined]).toEqual(elements(twice, (index) => flat(index.with(last, index[last] % shape[last]), shape))) // biome-ignore format: one line
        for (const out of [slice, reverse, pad, repeated, joined]) expect(out).toBeInstanceOf(type)
      }),
      runs,
    )
  })

  it('leaves the numbers of the caller as they are', () => {
    const graph = g.createGraph()
    const x = g.parameter(graph, 'x', [2, 3])
    const values = Float32Array.of(1, 2, 3, 4, 5, 6)
    const sum = g.add(g.transpose(x, [1, 0]), g.reshape(x, [3, 2]))
    const bound = bindStatic(g.reachable([sum]), new Map([['x', values]]))
    expect(bound.get(sum)).toEqual(Float64Array.of(2, 6, 5, 9, 8, 12))
    expect([...values]).toEqual([1, 2, 3, 4, 5, 6])
  })
})
