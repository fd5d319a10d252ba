import type { Node, Shape } from './node'
import { sizeOf } from './shape'
import { reshape } from './structure'

/** Rows of `table` [V, …] at `indices` […]; the result is [...indices, ...row]. Indices are whole numbers in [0, V). */
export function gather(table: Node, indices: Node): Node {
  return table.graph.intern('gather', [table, indices], {}, [...indices.shape, ...table.shape.slice(1)])
}

/** Adds `rows` [...indices, ...row] into zeros of `shape` [V, ...row] at `indices`: the adjoint of `gather`. */
export function scatterAdd(rows: Node, indices: Node, shape: Shape): Node {
  const count = sizeOf(indices.shape)
  const flat = reshape(rows, [count, ...shape.slice(1)])
  return rows.graph.intern('scatterAdd', [flat, reshape(indices, [count])], {}, [...shape])
}
