import { expect, it } from 'vitest'
import * as g from '../../src/graph'
import { onnx } from '../../src/runtime/onnx/node'
import { unfolds } from '../../src/runtime/plan'
import { reference } from '../../src/runtime/reference'
import { evaluate } from '../../src/runtime/runtime'
import { relativeError, uniform } from '../oracle'

const C = 46
const geometry = (rank: number, o: Partial<g.ConvGeometry> = {}): g.ConvGeometry => {
  const all = (n: number) => new Array<number>(rank).fill(n)
  return { strides: all(1), padLow: all(0), padHigh: all(0), dilations: all(1), groups: 1, ...o }
}

it.each([
  {
    name: 'one sample',
    x: [1, C, 4, 5],
    filter: [3, 3],
    at: geometry(2, { padLow: [1, 1], padHigh: [1, 1] }),
    by: true,
  },
  { name: 'one channel', x: [1, 1, 4, 5], filter: [2, 3], at: geometry(2), outputs: 2048, by: true },
  {
    name: 'stride, uneven padding',
    x: [3, C, 5, 4],
    filter: [3, 2],
    at: geometry(2, { strides: [2, 2], padLow: [1, 0], padHigh: [0, 1] }),
    by: true,
  },
  { name: 'dilation', x: [2, C, 5, 5], filter: [2, 2], at: geometry(2, { dilations: [2, 3] }), by: true },
  {
    name: 'one axis',
    x: [2, C, 7],
    filter: [3],
    at: geometry(1, { strides: [2], padLow: [1], padHigh: [1] }),
    by: true,
  },
  { name: 'three axes', x: [1, C, 3, 3, 2], filter: [2, 2, 2], at: geometry(3, { padHigh: [0, 1, 0] }), by: true },
  { name: 'three axes of two samples', x: [2, C, 3, 2, 2], filter: [2, 2, 1], at: geometry(3), by: false },
])('gradients of wide filters by unfolding on onnxruntime-node: $name', async ({ x, filter, at, outputs = C, by }) => {
  const graph = g.createGraph()
  const shape = [outputs, x[1], ...filter]
  const size = [x[0], outputs, ...g.convOutputSize(x.slice(2), filter, at)]
  const inputs = [g.input(graph, 'x', x), g.input(graph, 'y', size)] as const
  const known = g.parameter(graph, 'known', shape)
  const plain = g.convFilterGrad(...inputs, at, shape) as g.Node<'convFilterGrad'>
  expect(unfolds(plain)).toBe(by)
  const program = { inputs: [...inputs], outputs: [plain, g.convFilterGrad(...inputs, at, shape, known)] }
  const values = [x, size, shape].map((s, i) => uniform(g.sizeOf(s), -1, 1, 3 + i))
  const parameters = new Map([['known', values[2]]])
  const actual = await evaluate(onnx(), program, parameters, values.slice(0, 2))
  const expected = await evaluate(reference(), program, parameters, values.slice(0, 2))
  for (const [i, v] of actual.entries()) expect(relativeError(v, expected[i])).toBeLessThan(1e-6)
})
