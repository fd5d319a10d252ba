import * as tf from '@tensorflow/tfjs-core'
import type { OpenModel } from '../../client/model/model'
import type { Target } from '../../client/target'
import * as g from '../../graph'
import type { PlacedColumn } from './schema'

/** Inputs that a search does not move. */
export interface FixedInputs {
  /** [batch, inputs] row by row: 1 where an input is searched, 0 where it keeps its value. */
  readonly free: Float32Array
  /** As many numbers: the values that are kept, and 0 where an input is searched. */
  readonly values: Float32Array
}

/**
 * The target as a search sees it: over unknowns of which any values are a table (Vero et al. 2023, section 4.1). A category is
 * a soft-max over the unknowns of its block, a binary value a sigmoid, a number itself.
 *
 * @param fixed inputs that keep their values; default none
 */
export function tableTarget(target: Target, columns: readonly PlacedColumn[], fixed?: FixedInputs): Target {
  const over = (model: OpenModel): OpenModel => ({
    ...model,
    forward(recorder, [unknowns], nodes, training) {
      const soft = softTable(recorder.nodeOf(unknowns), columns)
      const kept = (values: Float32Array): g.Node => recorder.nodeOf(tf.tensor(values, [...soft.shape]))
      const table = fixed ? g.add(g.mul(soft, kept(fixed.free)), kept(fixed.values)) : soft
      return model.forward(recorder, [recorder.tensorOf(table)], nodes, training)
    },
  })
  return { ...target, model: over(target.model), whole: over(target.whole) }
}

/** [batch, inputs] of unknowns as a table; columns of one number that lie side by side stay together. */
function softTable(unknowns: g.Node, columns: readonly PlacedColumn[]): g.Node {
  const parts: g.Node[] = []
  for (let i = 0; i < columns.length; ) {
    const { column, at } = columns[i]
    let end = i + 1
    while (column.kind !== 'categorical' && end < columns.length && isAlike(columns[end].column, column)) end++
    const width = columns[end - 1].at + columns[end - 1].size - at
    const part = g.sliceAxis(unknowns, 1, at, width)
    parts.push(column.kind === 'categorical' ? g.softmax(part) : column.kind === 'binary' ? g.sigmoid(part) : part)
    i = end
  }
  return parts.length === 1 ? parts[0] : g.concat(parts, 1)
}

const isAlike = (a: PlacedColumn['column'], b: PlacedColumn['column']): boolean =>
  a.kind !== 'categorical' && (a.kind === 'binary') === (b.kind === 'binary')

/** The table behind the unknowns of a point: what {@link tableTarget} computes, row by row. */
export function tableOf(unknowns: ArrayLike<number>, columns: readonly PlacedColumn[], rows: number): Float64Array {
  const table = Float64Array.from(unknowns)
  const width = table.length / rows
  for (let row = 0; row < rows; row++)
    for (const { column, at, size } of columns) {
      const start = row * width + at
      if (column.kind === 'binary') table[start] = 1 / (1 + Math.exp(-table[start]))
      if (column.kind !== 'categorical') continue
      const block = table.subarray(start, start + size)
      const top = block.reduce((a, b) => Math.max(a, b))
      const total = block.reduce((sum, v) => sum + Math.exp(v - top), 0)
      for (let i = 0; i < size; i++) block[i] = Math.exp(block[i] - top) / total
    }
  return table
}
