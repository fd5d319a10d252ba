import '@tensorflow/tfjs-backend-wasm'
import * as tf from '@tensorflow/tfjs-core'
import { expect, it } from 'vitest'
import * as g from '../../src/graph'
import { reference } from '../../src/runtime/reference'
import { evaluate } from '../../src/runtime/runtime'
import { tfjs } from '../../src/runtime/tfjs'
import { relativeError, uniform } from '../oracle'

const plain = (groups = 1): g.ConvGeometry => ({
  strides: [1, 1],
  dilations: [1, 1],
  padLow: [0, 0],
  padHigh: [0, 0],
  groups,
})

// wasm prepares right factors and filters once per data; views of the same six numbers must not meet each other's
it.each(['cpu', 'wasm'])('the same numbers under many shapes on tfjs %s', async (backend) => {
  await tf.setBackend(backend)
  const graph = g.createGraph()
  const w = g.input(graph, 'w', [6])
  const x = g.input(graph, 'x', [1, 6, 4, 4])
  const factors = [[6, 1], [3, 2], [2, 3], [1, 6], [6]].map((shape) => g.reshape(w, shape)) // biome-ignore format: shapes
  const products = factors
    .filter((f) => f.shape.length === 2)
    .map((f) => g.matMul(g.reshape(g.slice(x, [0, 0, 0, 0], [1, f.shape[0], 1, 1]), [1, f.shape[0]]), f))
  const filters: [g.Shape, number?][] = [
    [[1, 6, 1, 1]],
    [[6, 1, 1, 1]],
    [[6, 1, 1, 1], 6],
    [[3, 2, 1, 1]],
    [[2, 3, 1, 1]],
    [[3, 1, 1, 2]],
    [[3, 1, 2, 1], 3],
    [[1, 1, 2, 3]],
    [[1, 1, 3, 2]],
    [[1, 2, 3, 1]],
  ]
  const convolutions = filters.map(([shape, groups = 1]) => {
    const filter = g.reshape(w, shape)
    return g.conv(g.sliceAxis(x, 1, 0, shape[1] * groups), filter, plain(groups))
  })
  const backwards = convolutions.flatMap((y) => g.grad(g.inner(y, y), [w, x]))
  const program = { inputs: [w, x], outputs: [...products, ...convolutions, ...backwards] }
  const values = program.inputs.map((n, i) => uniform(g.sizeOf(n.shape), -1, 1, i + 2))
  const expected = await evaluate(reference(), program, new Map(), values)
  for (const _ of [1, 2]) {
    const actual = await evaluate(tfjs(), program, new Map(), values)
    actual.forEach((v, i) => {
      expect(relativeError(v, expected[i])).toBeLessThan(1e-5)
    })
  }
})
