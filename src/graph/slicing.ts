import { invalid, requireAxis, requireCounts, requireNodes, requireNumber } from './checks'
import { fill, uniformValue } from './leaves'
import type { Node, Shape } from './node'
import { inversePermutation, sameShape } from './shape'
import { concat, reshape, transpose } from './structure'

/** Elements start, start + step, … of each axis, `size` of them. Steps are positive. */
export function slice(
  x: Node,
  start: readonly number[],
  size: Shape,
  step: readonly number[] = Array.isArray(size) ? size.map(() => 1) : [],
): Node {
  requireNodes('slice', x)
  requireCounts('slice', 'start', start, x.shape.length)
  requireCounts('slice', 'size', size, x.shape.length, 1)
  requireCounts('slice', 'step', step, x.shape.length, 1)
  const fits = size.every((n, i) => start[i] + (n - 1) * step[i] < x.shape[i])
  if (!fits) throw invalid('slice', `start [${start}], size [${size}], step [${step}] must lie within [${x.shape}]`)
  if (sameShape(size, x.shape)) return x
  const value = uniformValue(x)
  if (value !== undefined) return fill(x.graph, value, size)
  if (x.op === 'transpose') {
    const [from, count, every] = beneath(x, start, size, step)
    return transpose(slice(x.inputs[0], from, count, every), x.attributes.permutation)
  }
  const strided = size.map((n, i) => n > 1 && step[i] > 1)
  if (strided.every((is) => !is)) return withoutSteps(x, start, size)
  const cropped = withoutSteps(
    x,
    start.map((from, i) => (strided[i] ? 0 : from)),
    size.map((n, i) => (strided[i] ? x.shape[i] : n)),
  )
  return strided.reduce((y, is, axis) => (is ? everyOf(y, axis, start[axis], size[axis], step[axis]) : y), cropped)
}

/** Elements begin … begin + size − 1 of one axis. */
export function sliceAxis(x: Node, axis: number, begin: number, size: number): Node {
  requireNodes('sliceAxis', x)
  requireAxis('sliceAxis', axis, x.shape.length)
  const start = x.shape.map((_, i) => (i === axis ? begin : 0))
  return slice(x, start, x.shape.with(axis, size))
}

/** A slice of neighbouring elements; of what was padded, joined or sliced itself, it is read where it comes from. */
function withoutSteps(x: Node, start: readonly number[], size: Shape): Node {
  if (sameShape(size, x.shape)) return x
  switch (x.op) {
    case 'slice':
      return slice(
        x.inputs[0],
        start.map((from, i) => from + x.attributes.start[i]),
        size,
      )
    case 'pad': {
      const [source] = x.inputs
      const from = start.map((at, i) => at - x.attributes.low[i])
      if (from.every((at, i) => at >= 0 && at + size[i] <= source.shape[i])) return slice(source, from, size)
      break
    }
    case 'concat': {
      const { axis } = x.attributes
      let begin = 0
      for (const part of x.inputs) {
        const at = start[axis] - begin
        if (at >= 0 && at + size[axis] <= part.shape[axis]) return slice(part, start.toSpliced(axis, 1, at), size)
        begin += part.shape[axis]
      }
    }
  }
  return x.graph.intern('slice', [x], { start: [...start] }, [...size])
}

/**
 * Every `step`-th element of an axis: the axis is cut into blocks [count, step], of which one column stays. So strides
 * need neither a primitive of their own nor, in their derivatives, zeros between elements: columns are joined again.
 */
function everyOf(x: Node, axis: number, start: number, count: number, step: number): Node {
  const n = x.shape[axis]
  const missing = Math.max(count * step - n, 0)
  const whole = missing > 0 ? padAxis(x, axis, 0, missing) : x
  // views of the same axis share the blocks that begin at a multiple of the step, where these end within it
  const begin = Math.min(start - (start % step), n + missing - count * step)
  const blocks = reshape(sliceAxis(whole, axis, begin, count * step), whole.shape.toSpliced(axis, 1, count, step))
  return reshape(sliceAxis(blocks, axis + 1, start - begin, 1), x.shape.with(axis, count))
}

/** Zeros before, after and between the elements of each axis. */
export function pad(
  x: Node,
  low: readonly number[],
  high: readonly number[],
  interior: readonly number[] = Array.isArray(low) ? low.map(() => 0) : [],
): Node {
  requireNodes('pad', x)
  requireCounts('pad', 'low', low, x.shape.length)
  requireCounts('pad', 'high', high, x.shape.length)
  requireCounts('pad', 'interior', interior, x.shape.length)
  const shape = x.shape.map((n, i) => low[i] + n + (n - 1) * interior[i] + high[i])
  if (sameShape(shape, x.shape)) return x
  if (uniformValue(x) === 0) return fill(x.graph, 0, shape)
  if (x.op === 'transpose') {
    const [before, after, between] = beneath(x, low, high, interior)
    return transpose(pad(x.inputs[0], before, after, between), x.attributes.permutation)
  }
  const spread = interior.reduce<Node>((y, zeros, axis) => spreadAxis(y, axis, zeros), x)
  if (sameShape(shape, spread.shape)) return spread
  return x.graph.intern('pad', [spread], { low: [...low], high: [...high] }, shape)
}

/** A number before and after the elements of each axis; it takes part in no arithmetic, and so may be infinite. */
export function surround(x: Node, low: readonly number[], high: readonly number[], value: number): Node {
  requireNodes('surround', x)
  requireCounts('surround', 'low', low, x.shape.length)
  requireCounts('surround', 'high', high, x.shape.length)
  requireNumber('surround', 'value', value)
  if (value === 0) return pad(x, low, high)
  return low.reduce<Node>((y, before, axis) => {
    const filled = (n: number) => (n === 0 ? [] : [fill(y.graph, value, y.shape.with(axis, n))])
    return concat([...filled(before), y, ...filled(high[axis])], axis)
  }, x)
}

const padAxis = (x: Node, axis: number, low: number, high: number): Node =>
  pad(
    x,
    x.shape.map((_, i) => (i === axis ? low : 0)),
    x.shape.map((_, i) => (i === axis ? high : 0)),
  )

/** Zeros between the elements of an axis: each element begins a block of zeros, and the last block ends at once. */
function spreadAxis(x: Node, axis: number, zeros: number): Node {
  const n = x.shape[axis]
  if (zeros === 0 || n === 1) return x
  const blocks = padAxis(reshape(x, x.shape.toSpliced(axis, 1, n, 1)), axis + 1, 0, zeros)
  return sliceAxis(reshape(blocks, x.shape.with(axis, n * (zeros + 1))), axis, 0, n + (n - 1) * zeros)
}

/** The sum of two nodes that are padded along one axis, such that one begins where the other ends: both joined. */
export function joinedPads(a: Node, b: Node): Node | undefined {
  requireNodes('joinedPads', a, b)
  if (a.op !== 'pad' || b.op !== 'pad' || !sameShape(a.shape, b.shape)) return undefined
  const padded = a.shape.flatMap((n, axis) =>
    n === a.inputs[0].shape[axis] && n === b.inputs[0].shape[axis] ? [] : [axis],
  )
  if (padded.length !== 1) return undefined
  const [axis] = padded
  const [first, second] = a.attributes.low[axis] < b.attributes.low[axis] ? [a, b] : [b, a]
  if (first.attributes.low[axis] + first.inputs[0].shape[axis] !== second.attributes.low[axis]) return undefined
  return pad(concat([first.inputs[0], second.inputs[0]], axis), first.attributes.low, second.attributes.high)
}

/** Numbers per axis of a transposed node, per axis of what it transposes. */
function beneath(x: Node<'transpose'>, ...perAxis: (readonly number[])[]): number[][] {
  const inverse = inversePermutation(x.attributes.permutation)
  return perAxis.map((values) => inverse.map((axis) => values[axis]))
}
