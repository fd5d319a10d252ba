import { type Node, type Op, type Shape, sizeOf, stridesOf } from '../../graph'
import type { Values } from '../runtime'
import { broadcastStrides } from './kernel'

/** Computes a node that only moves numbers, in the type they come in: weights stay float32 on their way into a model. */
type Move<K extends Op> = (node: Node<K>, inputs: readonly Values[]) => Values

/** Where the elements of a tensor lie: the element at an index is at base + Σ index·stride. */
interface Layout {
  readonly base: number
  readonly strides: readonly number[]
}

/** From so many neighbours on, one call that copies them is faster than a loop. */
const LONG = 16

/** Zeros of the same type. */
const zerosLike = (values: Values, shape: Shape): Values =>
  values instanceof Float32Array ? new Float32Array(sizeOf(shape)) : new Float64Array(sizeOf(shape))

const rowMajor = (shape: Shape, base = 0): Layout => ({ base, strides: stridesOf(shape) })

/** Flat position of an index. */
const offset = (index: readonly number[], strides: readonly number[]): number =>
  index.reduce((total, at, i) => total + at * strides[i], 0)

/**
 * Copies the elements of a shape from one layout to another. The two innermost loops run along the axis whose elements lie next to
 * each other in `to`, and along the one where they do in `from`: both sides stay in the cache.
 */
function copy(shape: Shape, source: Values, from: Layout, target: Values, to: Layout): void {
  if (sizeOf(shape) === 0) return
  const axes = shape.flatMap((n, axis) => (n > 1 ? [axis] : []))
  const closest = ({ strides }: Layout, among: readonly number[]): number | undefined =>
    among.reduce<number | undefined>(
      (best, axis) => (best === undefined || Math.abs(strides[axis]) <= Math.abs(strides[best]) ? axis : best),
      undefined,
    )
  const inner = closest(to, axes)
  const outer = closest(from, axes.filter((axis) => axis !== inner && from.strides[axis] !== 0)) // biome-ignore format: one line
  const rest = axes.filter((axis) => axis !== inner && axis !== outer)
  const along = (axis: number | undefined): Loop =>
    axis === undefined ? { count: 1, read: 0, write: 0 } : { count: shape[axis], read: from.strides[axis], write: to.strides[axis] } // biome-ignore format: one line
  const [rows, columns] = [along(outer), along(inner)]
  const whole = columns.read === 1 && columns.write === 1 && columns.count >= LONG
  const index = rest.map(() => 0)
  let [read, write] = [from.base, to.base]
  for (;;) {
    if (whole) {
      for (let i = 0; i < rows.count; i++) {
        const p = read + i * rows.read
        target.set(source.subarray(p, p + columns.count), write + i * rows.write)
      }
    } else copyRows(source, read, target, write, rows, columns)
    let at = rest.length - 1
    for (; at >= 0; at--) {
      const axis = rest[at]
      read += from.strides[axis]
      write += to.strides[axis]
      if (++index[at] < shape[axis]) break
      read -= shape[axis] * from.strides[axis]
      write -= shape[axis] * to.strides[axis]
      index[at] = 0
    }
    if (at < 0) return
  }
}

/** How often a loop goes round, and how far that moves on each side. */
interface Loop {
  readonly count: number
  readonly read: number
  readonly write: number
}

/** The two innermost loops, by themselves: V8 compiles them once for all shapes, with nothing but numbers in them. */
function copyRows(source: Values, read: number, target: Values, write: number, rows: Loop, columns: Loop): void {
  const [count, readStep, writeStep] = [columns.count, columns.read, columns.write]
  for (let i = 0; i < rows.count; i++) {
    let p = read + i * rows.read
    let q = write + i * rows.write
    for (let j = 0; j < count; j++) {
      target[q] = source[p]
      p += readStep
      q += writeStep
    }
  }
}

/** The elements of a shape that lie so, in row-major order. */
function read(values: Values, shape: Shape, strides: readonly number[], base = 0): Values {
  const out = zerosLike(values, shape)
  copy(shape, values, { base, strides }, out, rowMajor(shape))
  return out
}

/** The operations that only move numbers. */
export const moves = {
  reshape: (_, [x]) => x,
  broadcast: (node, [x]) => read(x, node.shape, broadcastStrides(node.inputs[0].shape, node.shape)),
  transpose: (node, [x]) => {
    const strides = stridesOf(node.inputs[0].shape)
    return read(x, node.shape, node.attributes.permutation.map((axis) => strides[axis])) // biome-ignore format: one line
  },
  slice: (node, [x]) => {
    const strides = stridesOf(node.inputs[0].shape)
    return read(x, node.shape, strides, offset(node.attributes.start, strides))
  },
  reverse: (node, [x]) => {
    const { axes } = node.attributes
    const strides = stridesOf(node.shape)
    const base = axes.reduce((total, axis) => total + (node.shape[axis] - 1) * strides[axis], 0)
    return read(x, node.shape, strides.map((s, axis) => (axes.includes(axis) ? -s : s)), base) // biome-ignore format: one line
  },
  pad: (node, [x]) => {
    const { shape } = node.inputs[0]
    const out = zerosLike(x, node.shape)
    copy(shape, x, rowMajor(shape), out, rowMajor(node.shape, offset(node.attributes.low, stridesOf(node.shape))))
    return out
  },
  concat: (node, inputs) => {
    const stride = stridesOf(node.shape)[node.attributes.axis]
    const out = inputs.every((x) => x instanceof Float32Array) ? zerosLike(inputs[0], node.shape) : new Float64Array(sizeOf(node.shape)) // biome-ignore format: one line
    let begin = 0
    inputs.forEach((x, k) => {
      const { shape } = node.inputs[k]
      copy(shape, x, rowMajor(shape), out, rowMajor(node.shape, begin * stride))
      begin += shape[node.attributes.axis]
    })
    return out
  },
} satisfies { [K in Op]?: Move<K> }
