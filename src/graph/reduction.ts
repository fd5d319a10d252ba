import { invalid, requireAxes, requireAxis, requireNodes, requireShape } from './checks'
import { binary, equal, mul, neg, scale, sub } from './elementwise'
import { fill, iota, uniformValue } from './leaves'
import type { Node, Shape } from './node'
import { broadcastShapes, normalizeAxes, padRank, range, sameShape, sizeOf } from './shape'
import { broadcast, reshape, transpose } from './structure'

/** Sum over axes, which stay with size 1; default all. */
export function sum(x: Node, over?: readonly number[]): Node {
  return sumOver(x, checkedAxes('sum', x, over))
}

/** The axes to reduce. @throws DlgError `invalid-graph` */
function checkedAxes(operation: string, x: Node, axes: readonly number[] | undefined): readonly number[] {
  requireNodes(operation, x)
  if (axes === undefined) return range(x.shape.length)
  requireAxes(operation, axes, x.shape.length)
  return axes
}

function sumOver(x: Node, over: readonly number[]): Node {
  const axes = normalizeAxes(over, x.shape.length).filter((axis) => x.shape[axis] !== 1)
  if (axes.length === 0) return x
  const shape = x.shape.map((n, i) => (axes.includes(i) ? 1 : n))
  const count = axes.reduce((product, axis) => product * x.shape[axis], 1)
  const value = uniformValue(x)
  if (value !== undefined) return fill(x.graph, value * count, shape)
  const everything = sizeOf(shape) === 1
  switch (x.op) {
    case 'softmax':
      // probabilities sum to 1
      if (axes.includes(x.shape.length - 1))
        return sum(
          fill(x.graph, 1, [...x.shape.slice(0, -1), 1]),
          axes.filter((axis) => axis !== x.shape.length - 1),
        )
      break
    case 'neg':
      return neg(sum(x.inputs[0], axes))
    case 'sum':
      return sum(x.inputs[0], [...axes, ...x.attributes.axes])
    case 'broadcast':
      return sumOfBroadcast(x, axes, shape)
    case 'transpose': {
      const { permutation } = x.attributes
      const inner = sum(
        x.inputs[0],
        axes.map((axis) => permutation[axis]),
      )
      return transpose(inner, permutation)
    }
    case 'reshape':
      if (everything) return reshape(sum(x.inputs[0]), shape)
      break
    case 'mul':
    case 'div': {
      // Σ c·x = c·Σ x where c does not vary along the axes summed
      const [a, b] = x.inputs.map((factor) => reshape(factor, padRank(factor.shape, x.shape.length)))
      if (constantAlong(b, axes) && !constantAlong(a, axes)) return binary(x.op, sum(a, axes), b)
      if (x.op === 'mul' && constantAlong(a, axes) && !constantAlong(b, axes)) return mul(a, sum(b, axes))
    }
  }
  return x.graph.intern('sum', [x], { axes }, shape)
}

function sumOfBroadcast(x: Node, axes: readonly number[], shape: Shape): Node {
  const source = reshape(x.inputs[0], padRank(x.inputs[0].shape, x.shape.length))
  const repeated = axes.filter((axis) => source.shape[axis] === 1)
  const count = repeated.reduce((product, axis) => product * x.shape[axis], 1)
  const rest = sum(
    source,
    axes.filter((axis) => source.shape[axis] !== 1),
  )
  return broadcast(scale(rest, count), shape)
}

const constantAlong = (x: Node, axes: readonly number[]): boolean => axes.every((axis) => x.shape[axis] === 1)

/** The adjoint of broadcasting: sums down to `shape`. */
export function sumTo(x: Node, shape: Shape): Node {
  requireNodes('sumTo', x)
  requireShape('sumTo', shape)
  if (!sameShape(broadcastShapes(shape, x.shape), x.shape))
    throw invalid('sumTo', `[${shape}] must broadcast to [${x.shape}]`)
  const aligned = padRank(shape, x.shape.length)
  return reshape(
    sum(
      x,
      range(x.shape.length).filter((axis) => aligned[axis] === 1),
    ),
    shape,
  )
}

/** Mean over axes, which stay with size 1; default all. */
export function mean(x: Node, axes?: readonly number[]): Node {
  const total = sumOver(x, checkedAxes('mean', x, axes))
  return scale(total, sizeOf(total.shape) / sizeOf(x.shape))
}

/** Σ a·b over everything: the inner product, a scalar. */
export const inner = (a: Node, b: Node): Node => reshape(sum(mul(a, b)), [])

/** Maximum over axes, which stay with size 1; default all. */
export function max(x: Node, over?: readonly number[]): Node {
  return normalizeAxes(checkedAxes('max', x, over), x.shape.length).reduce((y, axis) => {
    if (y.shape[axis] === 1 || uniformValue(y) !== undefined) return sliceToOne(y, axis)
    const shape = y.shape.map((n, i) => (i === axis ? 1 : n))
    return y.graph.intern('max', [y], { axis }, shape)
  }, x)
}

const sliceToOne = (x: Node, axis: number): Node =>
  x.shape[axis] === 1
    ? x
    : fill(
        x.graph,
        uniformValue(x)!,
        x.shape.map((n, i) => (i === axis ? 1 : n)),
      )

/** Minimum over axes, which stay with size 1. */
export const min = (x: Node, axes?: readonly number[]): Node => neg(max(neg(x), axes))

/** Index of the first maximum along one axis, which stays with size 1. Its derivative is 0. */
export function argmax(x: Node, axis: number): Node {
  requireNodes('argmax', x)
  requireAxis('argmax', axis, x.shape.length)
  const shape = x.shape.map((n, i) => (i === axis ? 1 : n))
  if (x.shape[axis] === 1) return fill(x.graph, 0, shape)
  return x.graph.intern('argmax', [x], { axis }, shape)
}

/** 1 where the index along `axis` equals `index`, else 0; `index` has size 1 along the axis. */
export function oneHot(index: Node, axis: number, size: number): Node {
  requireNodes('oneHot', index)
  requireAxis('oneHot', axis, index.shape.length)
  if (index.shape[axis] !== 1) throw invalid('oneHot', `index [${index.shape}] must have size 1 along axis ${axis}`)
  const counts = reshape(
    iota(index.graph, size),
    index.shape.map((_, i) => (i === axis ? size : 1)),
  )
  return equal(index, counts)
}

/** e^x / Σ e^x over the last axis. */
export const softmax = (x: Node): Node => overLast('softmax', x)

/** x − log Σ e^x over the last axis. */
export const logSoftmax = (x: Node): Node => overLast('logSoftmax', x)

function overLast(op: 'softmax' | 'logSoftmax', x: Node): Node {
  requireNodes(op, x)
  if (x.shape.length === 0) throw invalid(op, 'a scalar has no axis; x must have one')
  return x.graph.intern(op, [x], {}, x.shape)
}

/** Mean and variance (divided by n) over axes, which stay with size 1. */
export function moments(x: Node, axes: readonly number[]): { mean: Node; variance: Node } {
  requireNodes('moments', x)
  requireAxes('moments', axes, x.shape.length)
  const centre = mean(x, axes)
  const deviation = sub(x, centre)
  return { mean: centre, variance: mean(mul(deviation, deviation), axes) }
}
