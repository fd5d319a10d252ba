import { invalid, requireCounts, requireNodes, requireNumber, requireShape } from './checks'
import { unary } from './elementwise'
import { fill, uniformValue } from './leaves'
import type { ConvGeometry, Node, Shape } from './node'
import { broadcastShapes, sameShape, sizeOf } from './shape'
import { broadcast, reshape, reverse, transpose } from './structure'

/** Product of the last two axes, [..., m, k] · [..., k, n], with NumPy broadcasting over the others. */
export function matMul(a: Node, b: Node): Node {
  requireNodes('matMul', a, b)
  const [m, k] = a.shape.slice(-2)
  const [rows, n] = b.shape.slice(-2)
  if (a.shape.length < 2 || b.shape.length < 2 || k !== rows)
    throw invalid('matMul', `[${a.shape}] · [${b.shape}]; shapes must be [..., m, k] · [..., k, n]`)
  const shape = [...broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2)), m, n]
  if (uniformValue(a) === 0 || uniformValue(b) === 0) return fill(a.graph, 0, shape)
  // one right factor for all: the batch is more rows of the same product
  if (b.shape.slice(0, -2).every((size) => size === 1) && shape.length > 2)
    return reshape(matMul(reshape(a, [sizeOf(a.shape) / k, k]), reshape(b, [k, n])), shape)
  return a.graph.intern('matMul', [a, b], {}, shape)
}

/** α·A·B + β·C of matrices, where C broadcasts to the product; without C, of batches too. One kernel of most runtimes. */
export function gemm(a: Node, b: Node, alpha: number, c?: Node, beta = 1): Node {
  requireNodes('gemm', a, b, ...(c === undefined ? [] : [c]))
  requireNumber('gemm', 'alpha', alpha)
  requireNumber('gemm', 'beta', beta)
  const [m, k] = a.shape.slice(-2)
  const [rows, n] = b.shape.slice(-2)
  if (a.shape.length < 2 || b.shape.length < 2 || k !== rows)
    throw invalid('gemm', `[${a.shape}] · [${b.shape}]; shapes must be [..., m, k] · [..., k, n]`)
  const shape = [...broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2)), m, n]
  if (c && !(shape.length === 2 && sameShape(broadcastShapes(c.shape, shape), shape)))
    throw invalid('gemm', `[${c.shape}] must broadcast to a matrix [${m},${n}], and the product [${shape}] be one`)
  return a.graph.intern('gemm', c ? [a, b, c] : [a, b], { alpha, beta: c ? beta : 0 }, shape)
}

/** Size along each spatial axis of the result of a convolution. */
export function convOutputSize(input: Shape, filter: Shape, g: ConvGeometry): number[] {
  requireShape('conv', input)
  requireShape('conv', filter)
  requireGeometry('conv', g, input.length)
  if (filter.length !== input.length)
    throw invalid('conv', `a filter of [${filter}] over [${input}]; both must have as many spatial axes`)
  return input.map((n, i) => {
    const extent = (filter[i] - 1) * g.dilations[i] + 1
    return Math.floor((n + g.padLow[i] + g.padHigh[i] - extent) / g.strides[i]) + 1
  })
}

/** One entry for each spatial axis. @throws DlgError `invalid-graph` */
function requireGeometry(operation: string, g: ConvGeometry, axes: number): void {
  if (typeof g !== 'object' || g === null)
    throw invalid(operation, 'the geometry must be {strides, padLow, padHigh, dilations, groups}')
  requireCounts(operation, 'strides', g.strides, axes, 1)
  requireCounts(operation, 'padLow', g.padLow, axes)
  requireCounts(operation, 'padHigh', g.padHigh, axes)
  requireCounts(operation, 'dilations', g.dilations, axes, 1)
  requireCounts(operation, 'groups', [g.groups], 1, 1)
}

/** Two operands of a convolution, of as many axes. @throws DlgError `invalid-graph` */
function requireConvolution(operation: string, a: Node, b: Node, g: ConvGeometry): void {
  requireNodes(operation, a, b)
  if (a.shape.length < 3 || a.shape.length !== b.shape.length)
    throw invalid(operation, `[${a.shape}] and [${b.shape}] must both be [_, channels, …], of as many spatial axes`)
  requireGeometry(operation, g, a.shape.length - 2)
}

/** Checks the shapes of a derivative of a convolution. @throws DlgError `invalid-graph` */
function requireShapes(operation: string, x: Shape, w: Shape, y: Shape, g: ConvGeometry): void {
  requireShape(operation, x)
  requireShape(operation, w)
  const fits =
    x.length === y.length &&
    w.length === y.length &&
    x[1] === w[1] * g.groups &&
    sameShape([x[0], w[0], ...convOutputSize(x.slice(2), w.slice(2), g)], y)
  if (!fits) throw invalid(operation, `[${x}] with filter [${w}] in ${g.groups} groups must give [${y}]`)
}

const geometry = (g: ConvGeometry): ConvGeometry => ({
  strides: [...g.strides],
  padLow: [...g.padLow],
  padHigh: [...g.padHigh],
  dilations: [...g.dilations],
  groups: g.groups,
})

/** x and the geometry with spatial padding by zeros taken into the convolution. */
function withoutPad(x: Node, g: ConvGeometry): [Node, ConvGeometry] {
  const padded = x.op === 'transpose' ? x.inputs[0] : x
  if (padded.op !== 'pad') return [x, g]
  const order = x.op === 'transpose' ? x.attributes.permutation : padded.shape.map((_, i) => i)
  const [low, high] = [padded.attributes.low, padded.attributes.high].map((amounts) =>
    order.map((axis) => amounts[axis]),
  )
  if (low[0] + low[1] + high[0] + high[1] > 0) return [x, g]
  const padLow = g.padLow.map((n, i) => n + low[i + 2])
  const padHigh = g.padHigh.map((n, i) => n + high[i + 2])
  return withoutPad(x.op === 'transpose' ? transpose(padded.inputs[0], order) : padded.inputs[0], {
    ...g,
    padLow,
    padHigh,
  })
}

/** Cross-correlation of x [N, C, …] with the filter w [O, C / groups, …], plus a bias [O]. */
export function conv(x: Node, w: Node, g: ConvGeometry, bias?: Node): Node {
  requireConvolution('conv', x, w, g)
  if (bias) requireNodes('conv', x, bias)
  const [batch, channels, ...space] = x.shape
  const [outputs, perGroup, ...filter] = w.shape
  const size = convOutputSize(space, filter, g)
  if (channels !== perGroup * g.groups || outputs % g.groups !== 0 || size.some((n) => n < 1))
    throw invalid(
      'conv',
      `[${x.shape}] with filter [${w.shape}] in ${g.groups} groups: the channels must be those of the filter times the groups, and the filter must fit`,
    )
  if (bias && !sameShape(bias.shape, [outputs]))
    throw invalid('conv', `a bias of [${bias.shape}]; it must be a number for each output channel, [${outputs}]`)
  const shape = [batch, outputs, ...size]
  if (uniformValue(x) === 0 || uniformValue(w) === 0)
    return bias ? broadcast(reshape(bias, [outputs, ...size.map(() => 1)]), shape) : fill(x.graph, 0, shape)
  const [source, whole] = withoutPad(x, g)
  return x.graph.intern('conv', bias ? [source, w, bias] : [source, w], geometry(whole), shape)
}

/** ∂⟨y, conv(x, w)⟩/∂x for x of `shape`. */
export function convInputGrad(y: Node, w: Node, g: ConvGeometry, shape: Shape): Node {
  requireConvolution('convInputGrad', y, w, g)
  requireShapes('convInputGrad', shape, w.shape, y.shape, g)
  if (uniformValue(y) === 0 || uniformValue(w) === 0) return fill(y.graph, 0, shape)
  return asConv(y, w, g, shape) ?? y.graph.intern('convInputGrad', [y, w], geometry(g), [...shape])
}

/**
 * The gradient of an input, as a convolution with the filter turned round and its inputs and outputs exchanged. It is faster
 * wherever there are no strides. A filter that does not vary is turned once.
 */
function asConv(y: Node, w: Node, g: ConvGeometry, shape: Shape): Node | undefined {
  if (g.groups !== 1 || w.varying || !y.varying || g.strides.some((s) => s !== 1)) return undefined
  const space = g.strides.map((_, i) => i + 2)
  const padLow = space.map((axis, i) => (w.shape[axis] - 1) * g.dilations[i] - g.padLow[i])
  const padHigh = space.map((axis, i) => shape[axis] - y.shape[axis] + g.padLow[i])
  if ([...padLow, ...padHigh].some((n) => n < 0)) return undefined
  return conv(y, transpose(reverse(w, space), [1, 0, ...space]), { ...g, padLow, padHigh })
}

/** ∂⟨y, conv(x, w)⟩/∂w for w of `shape`, less `known`, which has that shape, or a row for each output. */
export function convFilterGrad(x: Node, y: Node, g: ConvGeometry, shape: Shape, known?: Node): Node {
  requireConvolution('convFilterGrad', x, y, g)
  requireShapes('convFilterGrad', x.shape, shape, y.shape, g)
  if (known) requireNodes('convFilterGrad', x, known)
  const rows = [shape[0], sizeOf(shape.slice(1))]
  if (known && !sameShape(known.shape, shape) && !sameShape(known.shape, rows))
    throw invalid(
      'convFilterGrad',
      `[${known.shape}] must have the shape of the filter, [${shape}], or its rows, [${rows}]`,
    )
  const nothing = uniformValue(x) === 0 || uniformValue(y) === 0
  if (nothing) return known ? unary('neg', reshape(known, shape)) : fill(x.graph, 0, shape)
  const [source, whole] = withoutPad(x, g)
  return x.graph.intern('convFilterGrad', known ? [source, y, known] : [source, y], geometry(whole), [...shape])
}
