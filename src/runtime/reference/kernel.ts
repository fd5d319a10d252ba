import { type Node, type Op, type Shape, stridesOf } from '../../graph'
import type { moves } from './moves'

/** Computes a node from the values of its inputs. */
export type ReferenceKernel<K extends Op = Op> = (node: Node<K>, inputs: readonly Float64Array[]) => Float64Array

/** A kernel for everything that is neither a leaf bound from outside nor only moves numbers. */
export type Kernels = { [K in Exclude<Op, 'input' | 'parameter' | keyof typeof moves>]: ReferenceKernel<K> }

/** Calls `visit` with each multi-index of the shape, in row-major order; the index array is reused. */
export function forEachIndex(shape: Shape, visit: (index: readonly number[], flat: number) => void): void {
  const index = new Array<number>(shape.length).fill(0)
  const size = shape.reduce((a, b) => a * b, 1)
  for (let flat = 0; flat < size; flat++) {
    visit(index, flat)
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (++index[axis] < shape[axis]) break
      index[axis] = 0
    }
  }
}

/** For each element of `shape`, the flat position base + Σ index·stride. */
export function positions(shape: Shape, strides: readonly number[], base = 0): Int32Array {
  const size = shape.reduce((a, b) => a * b, 1)
  const out = new Int32Array(size)
  const index = new Array<number>(shape.length).fill(0)
  let position = base
  for (let flat = 0; flat < size; flat++) {
    out[flat] = position
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      position += strides[axis]
      if (++index[axis] < shape[axis]) break
      position -= shape[axis] * strides[axis]
      index[axis] = 0
    }
  }
  return out
}

/** Strides of `from` when read under the larger shape `to`: 0 along what is repeated. */
export function broadcastStrides(from: Shape, to: Shape): number[] {
  const lead = to.length - from.length
  const strides = stridesOf(from)
  return to.map((_, i) => (i < lead || from[i - lead] === 1 ? 0 : strides[i - lead]))
}
