import { expect, it } from 'vitest'
import * as g from '../../src/graph'
import { onnxWeb } from '../../src/runtime/onnx/web'
import { reference } from '../../src/runtime/reference'
import { evaluate } from '../../src/runtime/runtime'
import { relativeError, uniform } from '../oracle'

it('onnxruntime-web runs the same lowering as WebAssembly', async () => {
  const graph = g.createGraph()
  const x = g.input(graph, 'x', [2, 2, 5, 5])
  const w = g.input(graph, 'w', [3, 2, 3, 3])
  const geometry = { strides: [2, 2], padLow: [1, 1], padHigh: [1, 1], dilations: [1, 1], groups: 1 }
  const y = g.sigmoid(g.conv(x, w, geometry))
  const first = g.grad(g.inner(y, y), [x, w])
  const second = g.grad(first.map((n) => g.inner(n, n)).reduce(g.add), [x, w])
  const program = { inputs: [x, w], outputs: [y, ...first, ...second] }
  const values = [uniform(100, -1, 1, 1), uniform(54, -1, 1, 2)]
  const expected = await evaluate(reference(), program, new Map(), values)
  const actual = await evaluate(onnxWeb(), program, new Map(), values)
  actual.forEach((v, i) => {
    expect(relativeError(v, expected[i])).toBeLessThan(1e-5)
  })
})
