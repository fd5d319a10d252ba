import type { Node } from '../../graph'
import * as g from '../../graph'
import { axesOf, type TraceKernel, type TraceKernels } from './kernel'

const without = (x: Node, axes: readonly number[]): number[] => x.shape.filter((_, i) => !axes.includes(i))

/** A reduction under tfjs's axis and keepDims. */
const reduction =
  (reduce: (x: Node, axes: number[]) => Node): TraceKernel =>
  ({ x }, { axis, reductionIndices, keepDims }) => {
    const axes = axesOf(reductionIndices ?? axis, x.shape.length)
    const y = reduce(x, axes)
    return keepDims ? y : g.reshape(y, without(x, axes))
  }

const indexOf =
  (sign: 1 | -1): TraceKernel =>
  ({ x }, { axis }) => {
    const axes = axesOf(axis, x.shape.length)
    return g.reshape(g.argmax(sign === 1 ? x : g.neg(x), axes[0]), without(x, axes))
  }

/** Product over one axis: pairs, then pairs of pairs, which is right where factors are 0. */
function product(x: Node, axis: number): Node {
  const n = x.shape[axis]
  if (n === 1) return x
  const half = Math.floor(n / 2)
  const pairs = g.mul(g.sliceAxis(x, axis, 0, half), g.sliceAxis(x, axis, half, half))
  const rest = product(pairs, axis)
  return n % 2 === 0 ? rest : g.mul(rest, g.sliceAxis(x, axis, n - 1, 1))
}

/** Running sums as a product with a triangle of ones. */
function cumsum(x: Node, axis: number, exclusive: boolean, reverse: boolean): Node {
  const n = x.shape[axis]
  const from = g.reshape(g.iota(x.graph, n), [n, 1])
  const to = g.reshape(g.iota(x.graph, n), [1, n])
  const [early, late] = reverse ? [to, from] : [from, to]
  const triangle = exclusive ? g.less(early, late) : g.less(early, g.offset(late, 1))
  const last = x.shape.length - 1
  const swap = g.range(last + 1).map((i) => (i === axis ? last : i === last ? axis : i))
  const rows = g.transpose(x, swap)
  const matrix = rows.shape.length === 1 ? g.reshape(rows, [1, n]) : rows
  return g.transpose(g.reshape(g.matMul(matrix, triangle), rows.shape), swap)
}

function cumprod(x: Node, axis: number, exclusive: boolean, reverse: boolean): Node {
  const n = x.shape[axis]
  const parts = g.range(n).map((i) => g.sliceAxis(x, axis, i, 1))
  if (reverse) parts.reverse()
  const out: Node[] = []
  let total = g.fill(x.graph, 1, parts[0].shape)
  for (const part of parts) {
    const next = g.mul(total, part)
    out.push(exclusive ? total : next)
    total = next
  }
  return g.concat(reverse ? out.reverse() : out, axis)
}

export const reductionKernels: TraceKernels = {
  Sum: reduction(g.sum),
  Mean: reduction(g.mean),
  Max: reduction(g.max),
  Min: reduction(g.min),
  Prod: reduction((x, axes) => axes.reduce(product, x)),
  All: reduction((x, axes) => g.min(x, axes)),
  Any: reduction((x, axes) => g.max(x, axes)),
  ArgMax: indexOf(1),
  ArgMin: indexOf(-1),
  Cumsum: ({ x }, { axis, exclusive, reverse }) => cumsum(x, axesOf(axis, x.shape.length)[0], exclusive, reverse),
  Cumprod: ({ x }, { axis, exclusive, reverse }) => cumprod(x, axesOf(axis, x.shape.length)[0], exclusive, reverse),
  Softmax: ({ logits }, { dim }) => overLast(logits, dim, g.softmax),
  LogSoftmax: ({ logits }, { axis }) => overLast(logits, axis, g.logSoftmax),
}

function overLast(x: Node, axis: number | undefined, f: (x: Node) => Node): Node {
  const last = x.shape.length - 1
  const at = axis === undefined || axis < 0 ? last : axis
  const swap = g.range(last + 1).map((i) => (i === at ? last : i === last ? at : i))
  return g.transpose(f(g.transpose(x, swap)), swap)
}
