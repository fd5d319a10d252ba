import { type BinaryOp, type Node, type Op, range, type Shape, sizeOf, type UnaryOp } from '../../graph'
import { meanOf, operands, squeezedSum, summedSquare, swapsLast } from '../plan'
import type { Opened } from '../rewrite/closed-forms'
import type { Builder } from './builder'
import { conv, convFilterGrad, convInputGrad } from './convolution'
import { type AttributeValue, FLOAT, INT64 } from './model'

/** Emits the ONNX nodes of one graph node and gives the name of its value. */
type Lowering<K extends Op = Op> = (b: Builder, node: Node<K>) => string

/** Operations ONNX has under another name. */
const named: Partial<Record<UnaryOp | BinaryOp, string>> = {
  ...{
    neg: 'Neg',
    exp: 'Exp',
    log: 'Log',
    sqrt: 'Sqrt',
    sigmoid: 'Sigmoid',
    tanh: 'Tanh',
    relu: 'Relu',
    softplus: 'Softplus',
  },
  ...{ abs: 'Abs', sign: 'Sign', floor: 'Floor', ceil: 'Ceil', round: 'Round', sin: 'Sin', cos: 'Cos', tan: 'Tan' },
  ...{
    asin: 'Asin',
    acos: 'Acos',
    atan: 'Atan',
    sinh: 'Sinh',
    cosh: 'Cosh',
    asinh: 'Asinh',
    acosh: 'Acosh',
    atanh: 'Atanh',
  },
  ...{ erf: 'Erf', add: 'Add', sub: 'Sub', mul: 'Mul', div: 'Div', pow: 'Pow', maximum: 'Max', minimum: 'Min' },
}

/**
 * A single number beside a tensor whose last axis has size 1 is given as many axes: with fewer, onnxruntime broadcasts it
 * element by element, which is twenty times slower.
 */
function beside(b: Builder, n: Node, shape: Shape): string {
  const rank = shape.length
  if (sizeOf(n.shape) > 1 || n.shape.length === rank || shape[rank - 1] > 1) return b.value(n)
  const ones = new Array<number>(rank).fill(1)
  return n.op === 'constant' ? b.floats(n.attributes.values, ones) : b.reshape(b.value(n), ones)
}

const elementwise = Object.fromEntries(
  Object.entries(named).map(([op, name]) => [
    op,
    (b: Builder, node: Node) => b.emit(name, node.inputs.map((n) => beside(b, n, node.shape))), // biome-ignore format: one call
  ]),
) as unknown as { [K in Exclude<UnaryOp | BinaryOp, 'expm1' | 'log1p' | 'less' | 'equal' | Opened>]: Lowering<K> }

/** Most columns of a matrix that are taken out by turning it: then they lie in one piece. */
const MOST_COLUMNS = 8

/** From this many numbers on, a row is padded where it lies. */
const LONG_ROW = 16

/** Operations that a rewritten program has, but for leaves and masks. */
type Lowered = Exclude<Op, 'input' | 'parameter' | 'constant' | 'iota' | 'less' | 'equal' | Opened>

/** Everything that varies: leaves are bound or fed, masks are handled by `lower`. */
const lowerings: { [K in Lowered]: Lowering<K> } = {
  ...elementwise,
  // eˣ − 1 = 2t / (1 − t), t = tanh(x / 2): exact to rounding near 0
  expm1: (b, node) => {
    const t = b.emit('Tanh', [b.emit('Mul', [b.value(node.inputs[0]), b.floats([0.5], [])])])
    return b.emit('Div', [b.emit('Add', [t, t]), b.emit('Sub', [b.floats([1], []), t])])
  },
  // log(1 + x) = 2 artanh(x / (2 + x))
  log1p: (b, node) => {
    const x = b.value(node.inputs[0])
    const half = b.emit('Atanh', [b.emit('Div', [x, b.emit('Add', [x, b.floats([2], [])])])])
    return b.emit('Add', [half, half])
  },
  select: (b, node) => {
    const [mask, ...sides] = node.inputs
    return b.emit('Where', [b.mask(mask), ...sides.map((n) => beside(b, n, node.shape))])
  },
  mul: (b, node) => {
    const mean = meanOf(node)
    if (mean) return b.emit('ReduceMean', [b.value(mean.inputs[0]), b.integers(mean.attributes.axes)], { keepdims: 1 })
    return b.emit('Mul', node.inputs.map((n) => beside(b, n, node.shape))) // biome-ignore format: one call
  },
  add: (b, node) => {
    const terms = operands(node)
    return b.emit(
      terms.length > 2 ? 'Sum' : 'Add',
      terms.map((n) => beside(b, n, node.shape)),
    )
  },
  reshape: (b, node) => {
    const squeezed = squeezedSum(node)
    return squeezed ? sum(b, squeezed.total, squeezed.axes, 0) : b.reshape(b.value(node.inputs[0]), node.shape)
  },
  transpose: (b, node) => b.transpose(b.value(node.inputs[0]), node.attributes.permutation),
  broadcast: (b, node) => b.emit('Expand', [b.value(node.inputs[0]), b.integers(node.shape)]),
  slice: (b, node) => {
    const { start } = node.attributes
    const from = node.inputs[0].shape
    const last = from.length - 1
    const axes = range(from.length).filter((i) => from[i] !== node.shape[i])
    if (axes.length === 1 && axes[0] === last && node.shape[last] === 1 && from[last] <= MOST_COLUMNS)
      return b.column(node.inputs[0], start[last])
    const starts = axes.map((i) => start[i])
    const ends = axes.map((i) => start[i] + node.shape[i])
    return slice(
      b,
      b.value(node.inputs[0]),
      axes,
      starts,
      ends,
      axes.map(() => 1),
    )
  },
  pad: (b, node) => pad(b, node),
  reverse: (b, node) => {
    const { axes } = node.attributes
    const all = (value: number) => axes.map(() => value)
    return slice(b, b.value(node.inputs[0]), axes, all(-1), all(Number.MIN_SAFE_INTEGER), all(-1))
  },
  concat: (b, node) => b.emit('Concat', node.inputs.map(b.value), { axis: node.attributes.axis }),
  sum: (b, node) => sum(b, node, node.attributes.axes, 1),
  max: (b, node) => b.emit('ReduceMax', [b.value(node.inputs[0]), b.integers([node.attributes.axis])], { keepdims: 1 }),
  argmax: (b, node) =>
    b.cast(b.emit('ArgMax', [b.value(node.inputs[0])], { axis: node.attributes.axis, keepdims: 1 }), FLOAT),
  softmax: (b, node) => b.emit('Softmax', [b.value(node.inputs[0])], { axis: -1 }),
  logSoftmax: (b, node) => b.emit('LogSoftmax', [b.value(node.inputs[0])], { axis: -1 }),
  standardize: (b, node) => standardized(b, node.inputs[0], node.attributes.epsilon)[0],
  inverseDeviation: (b, node) => standardized(b, node.inputs[0], node.attributes.epsilon)[2],
  matMul: (b, node) => product(b, node, {}),
  gemm: (b, node) => {
    const { alpha, beta } = node.attributes
    return product(b, node, {
      alpha: Float32Array.of(alpha),
      ...(node.inputs.length > 2 && { beta: Float32Array.of(beta) }),
    })
  },
  conv,
  convInputGrad,
  convFilterGrad,
  gather: (b, node) => b.emit('Gather', [b.value(node.inputs[0]), b.cast(b.value(node.inputs[1]), INT64)], { axis: 0 }),
  scatterAdd: (b, node) => {
    const [rows, indices] = node.inputs
    const zeros = b.emit('Expand', [b.floats([0], []), b.integers(node.shape)])
    const places = b.reshape(b.cast(b.value(indices), INT64), [sizeOf(indices.shape), 1])
    return b.emit('ScatterND', [zeros, places, b.value(rows)], { reduction: 'add' })
  },
}

/** Emits a node; masks stay booleans until arithmetic reads them. */
export function lower(b: Builder, node: Node): void {
  if (node.op === 'less' || node.op === 'equal') {
    const name = node.op === 'less' ? 'Less' : 'Equal'
    const sides = node.inputs.map((n) => beside(b, n, node.shape))
    b.define(node, b.emit(name, sides), 'boolean')
    return
  }
  const lowering = lowerings[node.op as keyof typeof lowerings] as Lowering | undefined
  if (!lowering) throw new Error(`no ONNX lowering for ${node.op}`)
  b.define(node, lowering(b, node))
}

function sum(b: Builder, node: Node<'sum'>, axes: readonly number[], keepdims: 0 | 1): string {
  const op = summedSquare(node) ? 'ReduceSumSquare' : 'ReduceSum'
  return b.emit(op, [...operands(node).map(b.value), b.integers(axes)], { keepdims })
}

/** Rows standardized, their means, and 1 / √(variance + ε): one kernel gives all three. */
const standardized = (b: Builder, x: Node, epsilon: number): readonly string[] =>
  b.once(`standardize ${x.id} ${epsilon}`, () => {
    const n = x.shape[x.shape.length - 1]
    const last = b.integers([x.shape.length - 1])
    if (!b.onProcessor) {
      const mean = b.emit('ReduceMean', [b.value(x), last], { keepdims: 1 })
      const deviation = b.emit('Sub', [b.value(x), mean])
      const variance = b.emit('ReduceMean', [b.emit('Mul', [deviation, deviation]), last], { keepdims: 1 })
      const root = b.emit('Sqrt', [b.emit('Add', [variance, b.floats([epsilon], [])])])
      return [b.emit('Div', [deviation, root]), mean, b.emit('Div', [b.floats([1], []), root])]
    }
    const ones = b.floats(new Array<number>(n).fill(1), [n])
    return b.emitAll('LayerNormalization', [b.value(x), ones], 3, { axis: -1, epsilon: Float32Array.of(epsilon) })
  })

function slice(
  b: Builder,
  x: string,
  axes: readonly number[],
  starts: readonly number[],
  ends: readonly number[],
  steps: readonly number[],
): string {
  return b.emit('Slice', [x, b.integers(starts), b.integers(ends), b.integers(axes), b.integers(steps)])
}

/** Matrices go to Gemm, batches to FusedMatMul: both read their factors transposed at no cost. */
function product(b: Builder, node: Node, attributes: Record<string, AttributeValue>): string {
  const [x, y] = node.inputs
  const transposed = { transA: swapsLast(x) ? 1 : 0, transB: swapsLast(y) ? 1 : 0 }
  return b.emit(node.shape.length > 2 ? 'FusedMatMul' : 'Gemm', operands(node).map(b.value), {
    ...transposed,
    ...attributes,
  })
}

/** onnxruntime pads row by row: short rows are joined with zeros instead, which is ten times faster. */
function pad(b: Builder, node: Node<'pad'>): string {
  const { low, high } = node.attributes
  const [x] = node.inputs
  const axes = range(low.length).filter((i) => low[i] + high[i] > 0)
  const [axis] = axes
  if (axes.length > 1 || sizeOf(x.shape.slice(axis)) > LONG_ROW)
    return b.emit('Pad', [b.value(x), b.integers([...low, ...high])])
  const zeros = (count: number) =>
    count === 0 ? [] : [b.emit('Expand', [b.floats([0], []), b.integers(x.shape.with(axis, count))])]
  return b.emit('Concat', [...zeros(low[axis]), b.value(x), ...zeros(high[axis])], { axis })
}
