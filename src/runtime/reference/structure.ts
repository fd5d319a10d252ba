import { type Node, sizeOf } from '../../graph'

type Inputs = readonly Float64Array[]

export const structureKernels = {
  constant: (node: Node<'constant'>) => Float64Array.from(node.attributes.values),
  iota: (node: Node<'iota'>) => Float64Array.from({ length: node.attributes.size }, (_, i) => i),
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
