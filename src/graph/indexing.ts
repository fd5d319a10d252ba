import { invalid, requireNodes, requireShape } from './checks'
import type { Node, Shape } from './node'
import { sizeOf } from './shape'
import { reshape } from './structure'

/** Rows of `table` [V, …] at `indices` […]; the result is [...indices, ...row]. Indices are whole numbers in [0, V). */
export function gather(table: Node, indices: Node): Node {
  requireNodes('gather', table, indices)
  if (table.shape.length === 0) throw invalid('gather', 'the table is a scalar; it must have rows')
  return table.graph.intern('gather', [table, indices], {}, [...indices.shape, ...table.shape.slice(1)])
}

/** Adds `rows` [...indices, ...row] into zeros of `shape` [V, ...row] at `indices`: the adjoint of `gather`. */
export function scatterAdd(rows: Node, indices: Node, shape: Shape): Node {
  requireNodes('scatterAdd', rows, indices)
  requireShape('scatterAdd', shape)
  const count = sizeOf(indices.shape)
  if (shape.length === 0 || sizeOf(rows.shape) !== count * sizeOf(shape.slice(1)))
    throw invalid('scatterAdd', `rows [${rows.shape}] of [${indices.shape}] indices must be rows of [${shape}]`)
  const flat = reshape(rows, [count, ...shape.slice(1)])
  return rows.graph.intern('scatterAdd', [flat, reshape(indices, [count])], {}, [...shape])
}
