import '@tensorflow/tfjs-backend-wasm'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import * as g from '../../src/graph'
import { reference } from '../../src/runtime/reference'
import { evaluate } from '../../src/runtime/runtime'
import { tfjs } from '../../src/runtime/tfjs'
import { relativeError, uniform } from '../oracle'

const wide: g.Shape = [1, 2, 1, 2, 3, 2, 1, 2]
const thin: g.Shape = [1, 2, 1, 1, 3, 1, 1, 2]
const along = (axis: number, value: number) => wide.map((_, i) => (i === axis ? value : 0))
const sized = (axis: number, n: number) => wide.map((d, i) => (i === axis ? n : d))

/** Folding space into batch and three-dimensional pooling give tensors of more axes than XNNPACK takes. */
const cases: [string, (x: g.Node, y: g.Node) => g.Node][] = [
  ...(['add', 'sub', 'mul', 'div', 'pow', 'maximum', 'minimum', 'less', 'equal'] as const).map(
    (op): [string, (x: g.Node, y: g.Node) => g.Node] => [op, (x, y) => g.binary(op, x, y)],
  ),
  ['add same shape', (x) => g.add(x, g.exp(x))],
  ['select', (x, y) => g.select(g.less(x, y), x, y)],
  ['transpose', (x) => g.transpose(x, [7, 0, 3, 2, 6, 5, 4, 1])],
  ['broadcast', (_, y) => g.broadcast(y, wide)],
  ['slice', (x) => g.slice(x, along(4, 1), sized(4, 2))],
  [
    'slice with a step',
    (x) =>
      g.slice(
        x,
        along(4, 0),
        sized(4, 2),
        wide.map((_, i) => (i === 4 ? 2 : 1)),
      ),
  ],
  ['pad', (x) => g.pad(x, along(4, 1), along(3, 2))],
  ['pad between', (x) => g.pad(x, along(1, 1), along(3, 2), along(4, 1))],
  ['reverse', (x) => g.reverse(x, [4, 7])],
  ['concat', (x) => g.concat([x, g.exp(x)], 3)],
  ['sum', (x) => g.sum(x, [1, 4, 5])],
  ['sum of everything', (x) => g.sum(x)],
  ['max', (x) => g.max(x, [4])],
  ['argmax', (x) => g.argmax(x, 4)],
  ['softmax', g.softmax],
  ['matMul', (x, y) => g.matMul(x, g.swapLast(y))],
]

describe.each(['cpu', 'wasm'])('tensors of eight axes on tfjs %s', (backend) => {
  it.each(cases)('%s', async (_, build) => {
    await tf.setBackend(backend)
    const graph = g.createGraph()
    const inputs = [g.input(graph, 'x', wide), g.input(graph, 'y', thin)]
    const values = inputs.map((n, i) => uniform(g.sizeOf(n.shape), 0.3, 1.5, i + 1))
    const program = { inputs, outputs: [build(inputs[0], inputs[1])] }
    const [expected] = await evaluate(reference(), program, new Map(), values)
    const [actual] = await evaluate(tfjs(), program, new Map(), values)
    expect(relativeError(actual, expected)).toBeLessThan(1e-5)
  })
})
