import { type Node, sizeOf, stridesOf } from '../../graph'
import { expand } from './elementwise'
import { positions } from './kernel'

type Inputs = readonly Float64Array[]

function pick(values: Float64Array, at: Int32Array): Float64Array {
  const out = new Float64Array(at.length)
  for (let i = 0; i < at.length; i++) out[i] = values[at[i]]
  return out
}

/** Flat position of an index. */
const offset = (index: readonly number[], strides: readonly number[]): number =>
  index.reduce((total, at, i) => total + at * strides[i], 0)

export const structureKernels = {
  constant: (node: Node<'constant'>) => {
    const { values } = node.attributes
    return Float64Array.from(values)
  },
  iota: (node: Node<'iota'>) => Float64Array.from({ length: node.attributes.size }, (_, i) => i),
  reshape: (_: Node, [x]: Inputs) => x,
  broadcast: (node: Node, [x]: Inputs) => expand(x, node.inputs[0].shape, node.shape),
  transpose: (node: Node<'transpose'>, [x]: Inputs) => {
    const strides = stridesOf(node.inputs[0].shape)
    return pick(
      x,
      positions(
        node.shape,
        node.attributes.permutation.map((axis) => strides[axis]),
      ),
    )
  },
  slice: (node: Node<'slice'>, [x]: Inputs) => {
    const strides = stridesOf(node.inputs[0].shape)
    return pick(x, positions(node.shape, strides, offset(node.attributes.start, strides)))
  },
  pad: (node: Node<'pad'>, [x]: Inputs) => {
    const strides = stridesOf(node.shape)
    const out = new Float64Array(sizeOf(node.shape))
    positions(node.inputs[0].shape, strides, offset(node.attributes.low, strides)).forEach((p, i) => {
      out[p] = x[i]
    })
    return out
  },
  reverse: (node: Node<'reverse'>, [x]: Inputs) => {
    const { axes } = node.attributes
    const strides = stridesOf(node.shape)
    const base = axes.reduce((total, axis) => total + (node.shape[axis] - 1) * strides[axis], 0)
    return pick(
      x,
      positions(
        node.shape,
        strides.map((s, axis) => (axes.includes(axis) ? -s : s)),
        base,
      ),
    )
  },
  concat: (node: Node<'concat'>, inputs: Inputs) => {
    const { axis } = node.attributes
    const strides = stridesOf(node.shape)
    const out = new Float64Array(sizeOf(node.shape))
    let begin = 0
    inputs.forEach((values, k) => {
      const { shape } = node.inputs[k]
      positions(shape, strides, begin * strides[axis]).forEach((p, i) => {
        out[p] = values[i]
      })
      begin += shape[axis]
    })
    return out
  },
  gather: (node: Node<'gather'>, [table, indices]: Inputs) => {
    const row = sizeOf(node.inputs[0].shape.slice(1))
    const out = new Float64Array(sizeOf(node.shape))
    indices.forEach((index, i) => {
      out.set(table.subarray(index * row, (index + 1) * row), i * row)
    })
    return out
  },
  scatterAdd: (node: Node<'scatterAdd'>, [rows, indices]: Inputs) => {
    const row = sizeOf(node.shape.slice(1))
    const out = new Float64Array(sizeOf(node.shape))
    indices.forEach((index, i) => {
      for (let k = 0; k < row; k++) out[index * row + k] += rows[i * row + k]
    })
    return out
  },
}
