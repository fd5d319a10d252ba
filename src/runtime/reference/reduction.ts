import { broadcastShapes, type Node, type Shape, sizeOf, stridesOf } from '../../graph'
import { expand } from './elementwise'
import { positions } from './kernel'

type Inputs = readonly Float64Array[]

/** Calls `visit` with the flat start of every line along `axis`, in the order of the reduced result. */
function alongAxis(shape: Shape, axis: number, visit: (start: number, step: number, out: number) => void): void {
  const strides = stridesOf(shape)
  const starts = positions(
    shape.map((n, i) => (i === axis ? 1 : n)),
    strides,
  )
  starts.forEach((start, out) => {
    visit(start, strides[axis], out)
  })
}

function firstMaximum(x: Float64Array, start: number, step: number, count: number): number {
  let best = 0
  for (let i = 1; i < count; i++) if (x[start + i * step] > x[start + best * step]) best = i
  return best
}

/** Rows of the last axis, each replaced by f(row). */
function mapRows(node: Node, x: Float64Array, f: (row: Float64Array) => Float64Array): Float64Array {
  const n = node.shape[node.shape.length - 1]
  const out = new Float64Array(x.length)
  for (let at = 0; at < x.length; at += n) out.set(f(x.subarray(at, at + n)), at)
  return out
}

function logSoftmaxRow(row: Float64Array): Float64Array {
  const top = row.reduce((a, b) => Math.max(a, b))
  const total = row.reduce((sum, v) => sum + Math.exp(v - top), 0)
  return row.map((v) => v - top - Math.log(total))
}

/** The mean of a row, and 1 / √(variance + ε). */
function momentsOf(row: Float64Array, epsilon: number): { mean: number; inverse: number } {
  const mean = row.reduce((sum, v) => sum + v, 0) / row.length
  const variance = row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / row.length
  return { mean, inverse: 1 / Math.sqrt(variance + epsilon) }
}

export const reductionKernels = {
  sum: (node: Node<'sum'>, [x]: Inputs) => {
    const strides = stridesOf(node.shape).map((s, axis) => (node.attributes.axes.includes(axis) ? 0 : s))
    const out = new Float64Array(sizeOf(node.shape))
    positions(node.inputs[0].shape, strides).forEach((p, i) => {
      out[p] += x[i]
    })
    return out
  },
  max: (node: Node<'max'>, [x]: Inputs) => {
    const out = new Float64Array(sizeOf(node.shape))
    const { shape } = node.inputs[0]
    const { axis } = node.attributes
    alongAxis(shape, axis, (start, step, i) => {
      out[i] = x[start + firstMaximum(x, start, step, shape[axis]) * step]
    })
    return out
  },
  argmax: (node: Node<'argmax'>, [x]: Inputs) => {
    const out = new Float64Array(sizeOf(node.shape))
    const { shape } = node.inputs[0]
    const { axis } = node.attributes
    alongAxis(shape, axis, (start, step, i) => {
      out[i] = firstMaximum(x, start, step, shape[axis])
    })
    return out
  },
  softmax: (node: Node, [x]: Inputs) => mapRows(node, x, (row) => logSoftmaxRow(row).map(Math.exp)),
  logSoftmax: (node: Node, [x]: Inputs) => mapRows(node, x, logSoftmaxRow),
  standardize: (node: Node<'standardize'>, [x]: Inputs) =>
    mapRows(node, x, (row) => {
      const { mean, inverse } = momentsOf(row, node.attributes.epsilon)
      return row.map((v) => (v - mean) * inverse)
    }),
  inverseDeviation: (node: Node<'inverseDeviation'>, [x]: Inputs) => {
    const n = sizeOf(node.inputs[0].shape) / sizeOf(node.shape)
    const row = (i: number) => x.subarray(i * n, (i + 1) * n)
    return Float64Array.from({ length: x.length / n }, (_, i) => momentsOf(row(i), node.attributes.epsilon).inverse)
  },
  standardizeGrad: (node: Node<'standardizeGrad'>, [x, v]: Inputs) => {
    let at = 0
    return mapRows(node, x, (row) => {
      const { mean, inverse } = momentsOf(row, node.attributes.epsilon)
      const along = v.subarray(at, at + row.length)
      at += row.length
      const average = (f: (i: number) => number) => row.reduce((sum, _, i) => sum + f(i), 0) / row.length
      const standard = row.map((value) => (value - mean) * inverse)
      const [shift, slope] = [average((i) => along[i]), average((i) => along[i] * standard[i])]
      return along.map((value, i) => inverse * (value - shift - standard[i] * slope))
    })
  },
  matMul: product,
  gemm: (node: Node<'gemm'>, [a, b, c]: Inputs) => {
    const { alpha, beta } = node.attributes
    const added = c && expand(c, node.inputs[2].shape, node.shape)
    return product(node, [a, b]).map((v, i) => alpha * v + (added ? beta * added[i] : 0))
  },
}

/** The product of the last two axes. */
function product(node: Node, [a, b]: Inputs): Float64Array {
  const [sa, sb] = node.inputs.map((n) => n.shape)
  const [m, k] = sa.slice(-2)
  const n = sb[sb.length - 1]
  const batch = broadcastShapes(sa.slice(0, -2), sb.slice(0, -2))
  const left = expand(a, sa, [...batch, m, k])
  const right = expand(b, sb, [...batch, k, n])
  const out = new Float64Array(sizeOf(node.shape))
  for (let i = 0; i < sizeOf(batch); i++)
    for (let r = 0; r < m; r++)
      for (let j = 0; j < k; j++) {
        const v = left[(i * m + r) * k + j]
        const from = (i * k + j) * n
        const to = (i * m + r) * n
        for (let c = 0; c < n; c++) out[to + c] += v * right[from + c]
      }
  return out
}
