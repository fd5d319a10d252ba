import { countOf } from '../../errors/counted'
import * as g from '../../graph'
import { kernels } from '../../trace'
import { axisOf, type Call, type Operator, type Operators, type Value } from '../onnx/call'
import { castTo } from '../onnx/operators/elementwise'
import type { NumberKind } from '../onnx/tensor-values'
import { convolutionOperators } from './convolution'

/** The kernel of the recorder of that name, which has the same meaning. */
const traced =
  (name: string, inputs: readonly string[], attributes: (call: Call) => object = () => ({})): Operator =>
  (call) =>
    kernels[name](Object.fromEntries(inputs.map((key, i) => [key, call.x(i)])), attributes(call), call.graph)

/** A kernel of any number of inputs. */
const many =
  (name: string, from: (call: Call) => readonly g.Node[], attributes: (call: Call) => object = () => ({})): Operator =>
  (call) =>
    kernels[name](Object.fromEntries(from(call).map((node, i) => [i, node])), attributes(call), call.graph)

const unary = (...names: string[]): Operators => Object.fromEntries(names.map((name) => [name, traced(name, ['x'])]))
const binary = (name: string): Operator => traced(name, ['a', 'b'])
const asBoolean =
  (operator: Operator): Operator =>
  (call) => ({ node: operator(call) as g.Node, kind: 'boolean' })
const asInteger = (node: g.Node): Value => ({ node, kind: 'integer' })

const all = (call: Call): g.Node[] => call.inputs.map((_, i) => call.x(i))

/** Numbers of an input that the operator needs to know. */
function known(call: Call, i: number): readonly number[] {
  const values = call.known(i)
  if (values) return values
  throw call.wrong(`has no input ${i}, which the operator needs`)
}

/** [a, b, c, d] as [[a, b], [c, d]]. */
const pairs = (values: readonly number[]): number[][] =>
  g.range(Math.floor(values.length / 2)).map((i) => [values[2 * i], values[2 * i + 1]])

const reduction = (name: string): Operator =>
  traced(name, ['x'], (call) => ({ axis: [...known(call, 1)], keepDims: call.integer('keep_dims', 0) === 1 }))

const indexOf =
  (name: string): Operator =>
  (call) =>
    asInteger(
      kernels[name](
        { x: call.x() },
        { axis: axisOf(call, known(call, 1)[0], call.x().shape.length) },
        call.graph,
      ) as g.Node,
    )

/** Integers divide as integers. */
const quotient: Operator = (call) => {
  const node = g.div(call.x(0), call.x(1))
  return call.kind(0) === 'float' ? node : g.mul(g.unary('sign', node), g.unary('floor', g.abs(node)))
}

const KINDS: Readonly<Record<string, NumberKind>> = {
  DT_FLOAT: 'float',
  DT_HALF: 'float',
  DT_BFLOAT16: 'float',
  DT_DOUBLE: 'float',
  DT_INT32: 'integer',
  DT_INT64: 'integer',
  DT_BOOL: 'boolean',
}

const cast: Operator = (call) => {
  const to = call.text('DstT', '')
  if (!Object.hasOwn(KINDS, to)) throw call.refuse(`casts to ${to || 'no type'}, which is not supported`)
  return castTo(call.x(), call.kind(0), KINDS[to])
}

const biasAdd: Operator = (call) => {
  const [x, bias] = [call.x(0), call.x(1)]
  const first = call.text('data_format', 'NHWC').startsWith('NC')
  return g.add(x, first ? g.reshape(bias, [...bias.shape, ...g.range(x.shape.length - 2).map(() => 1)]) : bias)
}

const product = (a: g.Node, b: g.Node, turnA: boolean, turnB: boolean): g.Node =>
  g.matMul(turnA ? g.swapLast(a) : a, turnB ? g.swapLast(b) : b)

const matMul =
  (a: string, b: string): Operator =>
  (call) =>
    product(call.x(0), call.x(1), call.integer(a, 0) === 1, call.integer(b, 0) === 1)

/** With the statistics of the file, or with those of the batch in training mode; these are not moved. */
const batchNorm: Operator = (call) => {
  const [x, scale, offset, mean, variance] = g.range(5).map((i) => call.x(i))
  if (call.text('data_format', 'NHWC') !== 'NHWC') throw call.refuse('has its channels first, which is not supported')
  const ofBatch = call.training || call.integer('is_training', 0) === 1
  const own = ofBatch ? g.moments(x, g.range(x.shape.length - 1)) : { mean, variance }
  if (!ofBatch) call.building.normalizes({ input: x, mean, variance })
  const inputs = { x, scale, offset, ...own }
  return kernels.FusedBatchNorm(inputs, { varianceEpsilon: call.number('epsilon', 1e-4) }, call.graph)
}

const reshape: Operator = traced('Reshape', ['x'], (call) => ({ shape: [...known(call, 1)] }))

const squeeze: Operator = (call) => {
  const x = call.x()
  const given = call.integers('squeeze_dims') ?? []
  const axes = given.map((axis) => axisOf(call, axis, x.shape.length))
  const kept = x.shape.filter((n, i) => (axes.length > 0 ? !axes.includes(i) : n !== 1))
  return g.reshape(x, kept)
}

const shapeOf: Operator = (call) => {
  const { shape } = call.x()
  return asInteger(call.constant(shape, [shape.length]))
}

const stridedSlice: Operator = traced('StridedSlice', ['x'], (call) => {
  const mask = (name: string) => call.integer(`${name}_mask`, 0)
  return {
    begin: [...known(call, 1)],
    end: [...known(call, 2)],
    strides: [...known(call, 3)],
    beginMask: mask('begin'),
    endMask: mask('end'),
    ellipsisMask: mask('ellipsis'),
    newAxisMask: mask('new_axis'),
    shrinkAxisMask: mask('shrink_axis'),
  }
})

/** Any number of tensors along one axis, which is the last input, or the first one in the old form. */
const concat =
  (axisFirst: boolean): Operator =>
  (call) => {
    const last = call.inputs.length - 1
    const [axis] = known(call, axisFirst ? 0 : last)
    const parts = all(call).filter((_, i) => i !== (axisFirst ? 0 : last))
    const node = kernels.Concat(Object.fromEntries(parts.map((part, i) => [i, part])), { axis }, call.graph) as g.Node
    return { node, kind: call.kind(axisFirst ? 1 : 0) }
  }

/** Most parts of one tensor, and most rows and columns of a picture: above, a file is hostile. */
const MOST_PARTS = 2 ** 16

const split: Operator = (call) => {
  const x = call.x(1)
  const [axis, parts] = [axisOf(call, known(call, 0)[0], x.shape.length), call.integer('num_split', 1)]
  if (!(parts >= 1 && parts <= MOST_PARTS && x.shape[axis] % parts === 0))
    throw call.wrong(`splits ${x.shape[axis]} into ${parts} equal parts`)
  return kernels.SplitV({ x }, { numOrSizeSplits: parts, axis }, call.graph) as g.Node[]
}

const unpack: Operator = (call) => {
  const x = call.x()
  const axis = axisOf(call, call.integer('axis', 0), x.shape.length)
  if (x.shape[axis] > MOST_PARTS) throw call.refuse(`makes ${countOf(x.shape[axis], 'tensor')} of one`)
  return kernels.Unpack({ value: x }, { axis }, call.graph) as g.Node[]
}

const gather: Operator = (call) => {
  const axis = call.inputs.length > 2 ? known(call, 2)[0] : 0
  const attributes = { axis, batchDims: call.integer('batch_dims', 0) }
  return {
    node: kernels.GatherV2({ x: call.x(0), indices: call.x(1) }, attributes, call.graph) as g.Node,
    kind: call.kind(0),
  }
}

const oneHot: Operator = (call) => {
  const attributes = { depth: known(call, 1)[0], onValue: known(call, 2)[0], offValue: known(call, 3)[0] }
  if (![-1, call.x().shape.length].includes(call.integer('axis', -1)))
    throw call.refuse('adds an axis that is not the last')
  return { node: kernels.OneHot({ indices: call.x(0) }, attributes, call.graph) as g.Node, kind: 'float' }
}

const select: Operator = (call) => {
  const [condition, t, e] = [call.x(0), call.x(1), call.x(2)]
  // in its first form a condition of one axis chooses rows
  const rows = call.operator === 'Select' && condition.shape.length === 1 && t.shape.length > 1
  const mask = rows ? g.reshape(condition, [...condition.shape, ...t.shape.slice(1).map(() => 1)]) : condition
  return { node: g.select(mask, t, e), kind: call.kind(1) }
}

function pictureSize(call: Call): number[] {
  const size = known(call, 1)
  if (size.length === 2 && size.every((n) => Number.isInteger(n) && n >= 1 && n <= MOST_PARTS)) return [...size]
  throw call.wrong(`the size is [${size}]; it must be the rows and columns of a picture`)
}

const resize = (name: string): Operator =>
  traced(name, ['images'], (call) => ({
    size: pictureSize(call),
    alignCorners: call.integer('align_corners', 0) === 1,
    halfPixelCenters: call.integer('half_pixel_centers', 0) === 1,
  }))

/** Operators of TensorFlow that graph models hold, by TensorFlow's names; where tfjs has the same kernel, that of the recorder is used. */
export const tensorflowOperators: Operators = {
  ...unary(
    'Abs',
    'Acos',
    'Acosh',
    'Asin',
    'Asinh',
    'Atan',
    'Atanh',
    'Ceil',
    'Cos',
    'Cosh',
    'Elu',
    'Erf',
    'Exp',
    'Expm1',
  ),
  ...unary('Floor', 'Log', 'Log1p', 'Neg', 'Reciprocal', 'Relu', 'Relu6', 'Round', 'Rsqrt', 'Selu', 'Sigmoid', 'Sign'),
  ...unary('Sin', 'Sinh', 'Softplus', 'Sqrt', 'Square', 'Tan', 'Tanh', 'ZerosLike', 'OnesLike'),
  Inv: traced('Reciprocal', ['x']),
  Identity: (call) => call.x(),
  LeakyRelu: traced('LeakyRelu', ['x'], (call) => ({ alpha: call.number('alpha', 0.2) })),
  Prelu: traced('Prelu', ['x', 'alpha']),
  Softsign: (call) => g.div(call.x(), g.offset(g.abs(call.x()), 1)),
  Softmax: traced('Softmax', ['logits'], () => ({ dim: -1 })),
  LogSoftmax: traced('LogSoftmax', ['logits'], () => ({ axis: -1 })),
  Add: binary('Add'),
  AddV2: binary('Add'),
  AddN: many('AddN', all),
  Sub: binary('Sub'),
  Mul: binary('Multiply'),
  Div: quotient,
  RealDiv: binary('RealDiv'),
  FloorDiv: binary('FloorDiv'),
  FloorMod: binary('Mod'),
  Pow: binary('Pow'),
  Maximum: binary('Maximum'),
  Minimum: binary('Minimum'),
  SquaredDifference: binary('SquaredDifference'),
  ClipByValue: (call) => g.minimum(g.maximum(call.x(0), call.x(1)), call.x(2)),
  Less: asBoolean(binary('Less')),
  LessEqual: asBoolean(binary('LessEqual')),
  Greater: asBoolean(binary('Greater')),
  GreaterEqual: asBoolean(binary('GreaterEqual')),
  Equal: asBoolean(binary('Equal')),
  NotEqual: asBoolean(binary('NotEqual')),
  LogicalAnd: asBoolean(binary('LogicalAnd')),
  LogicalOr: asBoolean(binary('LogicalOr')),
  LogicalNot: asBoolean(traced('LogicalNot', ['x'])),
  Select: select,
  SelectV2: select,
  Cast: cast,
  BiasAdd: biasAdd,
  MatMul: matMul('transpose_a', 'transpose_b'),
  BatchMatMul: matMul('adj_x', 'adj_y'),
  BatchMatMulV2: matMul('adj_x', 'adj_y'),
  BatchMatMulV3: matMul('adj_x', 'adj_y'),
  Einsum: many('Einsum', all, (call) => ({ equation: call.text('equation', '') })),
  FusedBatchNorm: batchNorm,
  FusedBatchNormV2: batchNorm,
  FusedBatchNormV3: batchNorm,
  LRN: traced('LRN', ['x'], (call) => ({
    depthRadius: call.integer('depth_radius', 5),
    bias: call.number('bias', 1),
    alpha: call.number('alpha', 1),
    beta: call.number('beta', 0.5),
  })),
  Mean: reduction('Mean'),
  Sum: reduction('Sum'),
  Max: reduction('Max'),
  Min: reduction('Min'),
  Prod: reduction('Prod'),
  All: asBoolean(reduction('All')),
  Any: asBoolean(reduction('Any')),
  ArgMax: indexOf('ArgMax'),
  ArgMin: indexOf('ArgMin'),
  Cumsum: traced('Cumsum', ['x'], (call) => ({
    axis: known(call, 1)[0],
    exclusive: call.integer('exclusive', 0) === 1,
    reverse: call.integer('reverse', 0) === 1,
  })),
  Reshape: reshape,
  Squeeze: squeeze,
  ExpandDims: traced('ExpandDims', ['input'], (call) => ({ dim: known(call, 1)[0] })),
  Shape: shapeOf,
  Size: (call) => asInteger(call.constant([g.sizeOf(call.x().shape)], [])),
  Rank: (call) => asInteger(call.constant([call.x().shape.length], [])),
  Transpose: traced('Transpose', ['x'], (call) => ({ perm: [...known(call, 1)] })),
  Pack: many('Pack', all, (call) => ({ axis: call.integer('axis', 0) })),
  Unpack: unpack,
  ConcatV2: concat(false),
  Concat: concat(true),
  Split: split,
  SplitV: traced('SplitV', ['x'], (call) => ({ numOrSizeSplits: [...known(call, 1)], axis: known(call, 2)[0] })),
  Slice: traced('Slice', ['x'], (call) => ({ begin: [...known(call, 1)], size: [...known(call, 2)] })),
  StridedSlice: stridedSlice,
  Pad: traced('PadV2', ['x'], (call) => ({ paddings: pairs(known(call, 1)), constantValue: 0 })),
  PadV2: traced('PadV2', ['x'], (call) => ({ paddings: pairs(known(call, 1)), constantValue: known(call, 2)[0] })),
  MirrorPad: traced('MirrorPad', ['x'], (call) => ({
    paddings: pairs(known(call, 1)),
    mode: call.text('mode', 'REFLECT').toLowerCase(),
  })),
  Tile: traced('Tile', ['x'], (call) => ({ reps: [...known(call, 1)] })),
  BroadcastTo: traced('BroadcastTo', ['x'], (call) => ({ shape: [...known(call, 1)] })),
  ReverseV2: traced('Reverse', ['x'], (call) => ({ dims: [...known(call, 1)] })),
  Fill: (call) => ({ node: g.broadcast(call.x(1), [...known(call, 0)]), kind: call.kind(1) }),
  Range: (call) => {
    const [start, stop, step] = [known(call, 0)[0], known(call, 1)[0], known(call, 2)[0]]
    return { node: kernels.Range({}, { start, stop, step }, call.graph) as g.Node, kind: call.kind(0) }
  },
  Gather: gather,
  GatherV2: gather,
  GatherNd: traced('GatherNd', ['params', 'indices']),
  OneHot: oneHot,
  DepthToSpace: traced('DepthToSpace', ['x'], (call) => ({
    blockSize: call.integer('block_size', 1),
    dataFormat: call.text('data_format', 'NHWC'),
  })),
  BatchToSpaceND: traced('BatchToSpaceND', ['x'], (call) => ({
    blockShape: [...known(call, 1)],
    crops: pairs(known(call, 2)),
  })),
  SpaceToBatchND: traced('SpaceToBatchND', ['x'], (call) => ({
    blockShape: [...known(call, 1)],
    paddings: pairs(known(call, 2)),
  })),
  ResizeBilinear: resize('ResizeBilinear'),
  ResizeNearestNeighbor: resize('ResizeNearestNeighbor'),
  ...convolutionOperators,
}
