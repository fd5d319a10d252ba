import { describe, expect, it } from 'vitest'
import * as g from '../../../src/graph'
import { modelFromOnnx } from '../../../src/models/onnx/model-from-onnx'
import { reference } from '../../../src/runtime/reference'
import { evaluate } from '../../../src/runtime/runtime'
import { built } from './onnxruntime'
import { type NodeSpec, type TensorSpec, writeOnnx } from './write-onnx'

const scalar = (value: number): TensorSpec => ({ dims: [], values: [value] })
const node = (op: string, inputs: readonly string[], attributes: NodeSpec['attributes'] = {}): NodeSpec => ({
  ...{ op, inputs, outputs: ['y'], attributes },
})

/** The gradient of Σ y, where y is the node's value of one row. */
async function slope(row: readonly number[], only: NodeSpec, initializers: Readonly<Record<string, TensorSpec>> = {}) {
  const spec = { nodes: [only], initializers, inputs: { x: [1, row.length] }, outputs: ['y'] }
  const model = modelFromOnnx(writeOnnx(spec, 17))
  const { inputs, weights, outputs, parameters, values } = built(model, { x: { dims: [1, row.length], values: row } })
  const loss = g.reshape(g.sum(outputs[0].node), [])
  const leaves = [...inputs, ...weights]
  const found = await evaluate(reference(), { inputs, outputs: g.grad(loss, leaves) }, parameters, values)
  model.dispose()
  return found.map((values) => [...values])
}

// the dark part of a picture behind layers without biases: every number is 0 there. The slopes are those of PyTorch 2.15.
describe('at a corner an operator has the slope of PyTorch', () => {
  const limits = { 'onnx::low': scalar(0), 'onnx::high': scalar(6) }
  it.each<[name: string, row: readonly number[], only: NodeSpec, right: readonly number[]]>([
    ['ReLU6', [0, 6, 3, -1], node('Clip', ['x', 'onnx::low', 'onnx::high']), [0, 0, 1, 0]],
    ['a clamp from below', [0, 1, -1], node('Clip', ['x', 'onnx::low']), [0, 1, 0]],
    ['ReLU', [0, 1, -1], node('Relu', ['x']), [0, 1, 0]],
    ['LeakyReLU', [0, 1, -1], node('LeakyRelu', ['x'], { alpha: { float: 0.25 } }), [0.25, 1, 0.25]],
    ['|x|', [0, 1, -1], node('Abs', ['x']), [0, 1, -1]],
    ['the length of zeros', [0, 0], node('ReduceL2', ['x'], { axes: [1] }), [0, 0]],
    ['the length of others', [3, -4], node('ReduceL2', ['x'], { axes: [1] }), [0.6, -0.8]],
    [
      'hard sigmoid',
      [-3, 3, 0],
      node('HardSigmoid', ['x'], { alpha: { float: 0.125 }, beta: { float: 0.375 } }),
      [0, 0.125, 0.125],
    ],
  ])('%s', async (_, row, only, right) => {
    const [found] = await slope(row, only, limits)
    for (const [i, v] of found.entries()) expect(v).toBeCloseTo(right[i], 6)
  })

  it.each(['Max', 'Min'])('two equal ones share that of %s', async (op) => {
    const [x, w] = await slope([0, 1, -1], node(op, ['x', 'w']), { w: { dims: [3], values: [0, 0, 0] } })
    const [first, second] = op === 'Max' ? [1, 2] : [2, 1]
    expect([x[0], x[first], x[second]]).toEqual([0.5, 1, 0])
    expect([w[0], w[first], w[second]]).toEqual([0.5, 0, 1])
  })

  it('PReLU', async () => {
    const [x, slopes] = await slope([0, 2, -2], node('PRelu', ['x', 'w']), { w: { dims: [1], values: [0.25] } })
    expect(x).toEqual([0.25, 1, 0.25])
    expect(slopes).toEqual([-2])
  })
})
