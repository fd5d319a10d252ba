import type { GraphModelArtifacts, GraphWeightSpec } from '../../../src/models'
import { random } from '../../../src/numbers/random'

type Attribute =
  | number
  | boolean
  | string
  | readonly number[]
  | { readonly float: number }
  | { readonly texts: readonly string[] }

/** One node of a GraphDef. */
export interface NodeSpec {
  readonly op: string
  readonly inputs?: readonly string[]
  readonly attributes?: Readonly<Record<string, Attribute>>
  readonly name?: string
}

/** A tensor of floats, or of whole numbers. */
export type ConstantSpec =
  | { readonly floats: readonly number[] | Float32Array; readonly shape: readonly number[] }
  | { readonly ints: readonly number[]; readonly shape?: readonly number[] }

const base64 = (text: string): string => btoa(text)

function attribute(value: Attribute): object {
  if (typeof value === 'number') return { i: String(value) }
  if (typeof value === 'boolean') return { b: value }
  if (typeof value === 'string') return value.startsWith('DT_') ? { type: value } : { s: base64(value) }
  if ('float' in value) return { f: value.float }
  if ('texts' in value) return { list: { s: value.texts.map(base64) } }
  return { list: { i: value.map(String) } }
}

/** A graph model as tfjs loads it, with one input `x` of floats, an open batch axis, and the output of its last node. */
export function graphModel(
  sample: readonly number[],
  nodes: readonly NodeSpec[],
  constants: Readonly<Record<string, ConstantSpec>> = {},
): GraphModelArtifacts & {
  modelTopology: { node: Record<string, unknown>[]; versions: object }
  weightData: ArrayBuffer
} {
  const specs: (GraphWeightSpec & { shape: number[]; dtype: 'float32' | 'int32' })[] = []
  const parts: Uint8Array[] = []
  const definitions: Record<string, unknown>[] = [
    {
      ...{ name: 'x', op: 'Placeholder' },
      attr: {
        dtype: { type: 'DT_FLOAT' },
        shape: { shape: { dim: [-1, ...sample].map((n) => ({ size: String(n) })) } },
      },
    },
  ]
  for (const [name, spec] of Object.entries(constants)) {
    const isFloat = 'floats' in spec
    const values = isFloat ? Float32Array.from(spec.floats) : Int32Array.from(spec.ints)
    specs.push({ name, shape: [...(spec.shape ?? [values.length])], dtype: isFloat ? 'float32' : 'int32' })
    parts.push(new Uint8Array(values.buffer))
    definitions.push({ name, op: 'Const', attr: { dtype: { type: isFloat ? 'DT_FLOAT' : 'DT_INT32' } } })
  }
  nodes.forEach(({ op, inputs = ['x'], attributes = {}, name }, i) => {
    const attr = Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, attribute(value)]))
    definitions.push({ name: name ?? (i === nodes.length - 1 ? 'y' : `n${i}`), op, input: inputs, attr })
  })
  const weightData = new ArrayBuffer(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    new Uint8Array(weightData).set(part, at)
    at += part.length
  }
  const last = nodes[nodes.length - 1].name ?? 'y'
  return {
    modelTopology: { node: definitions, versions: { producer: 27 } },
    weightSpecs: specs,
    weightData,
    signature: { inputs: { x: { name: 'x:0' } }, outputs: { out: { name: `${last}:0` } } },
  }
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)
const source = random(5)
export const weight = (...shape: number[]): ConstantSpec => ({
  shape,
  floats: Array.from({ length: sizeOf(shape) }, () => Math.fround(0.2 + 0.8 * source.uniform())),
})
const ints = (...values: number[]): ConstantSpec => ({ ints: values })
const whole = (value: number): ConstantSpec => ({ ints: [value], shape: [] })

const window = { strides: [1, 2, 1, 1], padding: 'SAME', data_format: 'NHWC', dilations: [1, 1, 1, 1] }
const pool = { ksize: [1, 2, 2, 1], strides: [1, 2, 2, 1], padding: 'VALID', data_format: 'NHWC' }
const fused = { fused_ops: { texts: ['BiasAdd', 'Relu6'] }, num_args: 1 }

type Case = readonly [
  name: string,
  sample: readonly number[],
  nodes: readonly NodeSpec[],
  constants?: Readonly<Record<string, ConstantSpec>>,
]

const UNARY = [
  'Abs',
  'Atan',
  'Cos',
  'Elu',
  'Erf',
  'Exp',
  'Expm1',
  'Log',
  'Log1p',
  'Neg',
  'Reciprocal',
  'Relu',
  'Relu6',
  'Rsqrt',
  'Selu',
  'Sigmoid',
]
const MORE = ['Sin', 'Softplus', 'Sqrt', 'Square', 'Tanh', 'Softmax', 'LogSoftmax', 'ZerosLike', 'OnesLike']
const BINARY = ['AddV2', 'Sub', 'Mul', 'RealDiv', 'Pow', 'Maximum', 'Minimum', 'SquaredDifference']

export const cases: readonly Case[] = [
  ...[...UNARY, ...MORE].map((op): Case => [op, [3], [{ op, inputs: ['x'] }]]),
  ...BINARY.map((op): Case => [op, [3], [{ op, inputs: ['x', 'w'] }], { w: weight(3) }]),
  ['MatMul', [4], [{ op: 'MatMul', inputs: ['x', 'w'], attributes: { transpose_b: true } }], { w: weight(3, 4) }],
  ['BatchMatMulV2', [2, 3], [{ op: 'BatchMatMulV2', inputs: ['x', 'x'], attributes: { adj_y: true } }]],
  [
    'Einsum',
    [2, 3],
    [{ op: 'Einsum', inputs: ['x', 'w'], attributes: { equation: 'abc,cd->abd', N: 2 } }],
    { w: weight(3, 2) },
  ],
  ['BiasAdd', [2, 3], [{ op: 'BiasAdd', inputs: ['x', 'w'], attributes: { data_format: 'NHWC' } }], { w: weight(3) }],
  [
    'Conv2D',
    [5, 6, 2],
    [{ op: 'Conv2D', inputs: ['x', 'w'], attributes: { ...window, strides: [1, 2, 2, 1] } }],
    { w: weight(3, 3, 2, 3) },
  ],
  [
    'Conv2D with explicit padding',
    [5, 6, 2],
    [
      {
        op: 'Conv2D',
        inputs: ['x', 'w'],
        attributes: {
          ...window,
          strides: [1, 1, 1, 1],
          padding: 'EXPLICIT',
          explicit_paddings: [0, 0, 1, 0, 2, 1, 0, 0],
        },
      },
    ],
    { w: weight(3, 2, 2, 3) },
  ],
  [
    'DepthwiseConv2dNative',
    [5, 5, 2],
    [
      {
        op: 'DepthwiseConv2dNative',
        inputs: ['x', 'w'],
        attributes: { ...window, strides: [1, 1, 1, 1], padding: 'VALID' },
      },
    ],
    { w: weight(2, 2, 2, 2) },
  ],
  [
    '_FusedConv2D',
    [4, 4, 2],
    [{ op: '_FusedConv2D', inputs: ['x', 'w', 'b'], attributes: { ...window, ...fused, strides: [1, 1, 1, 1] } }],
    { w: weight(3, 3, 2, 3), b: weight(3) },
  ],
  [
    'FusedDepthwiseConv2dNative',
    [4, 4, 2],
    [
      {
        op: 'FusedDepthwiseConv2dNative',
        inputs: ['x', 'w', 'b'],
        attributes: { ...window, ...fused, strides: [1, 1, 1, 1] },
      },
    ],
    { w: weight(3, 3, 2, 1), b: weight(2) },
  ],
  [
    '_FusedMatMul',
    [4],
    [
      {
        op: '_FusedMatMul',
        inputs: ['x', 'w', 'b'],
        attributes: { fused_ops: { texts: ['BiasAdd', 'Elu'] }, num_args: 1 },
      },
    ],
    { w: weight(4, 3), b: weight(3) },
  ],
  [
    '_FusedMatMul with a slope',
    [4],
    [
      {
        op: '_FusedMatMul',
        inputs: ['x', 'w', 'b', 'a'],
        attributes: { fused_ops: { texts: ['BiasAdd', 'Prelu'] }, num_args: 2 },
      },
    ],
    { w: weight(4, 3), b: weight(3), a: weight(3) },
  ],
  [
    'FusedBatchNormV3',
    [3, 3, 2],
    [
      {
        op: 'FusedBatchNormV3',
        inputs: ['x', 's', 'o', 'm', 'v'],
        attributes: { epsilon: { float: 1e-3 }, is_training: false, data_format: 'NHWC' },
      },
    ],
    { s: weight(2), o: weight(2), m: weight(2), v: weight(2) },
  ],
  ['MaxPool', [5, 4, 2], [{ op: 'MaxPool', attributes: pool }]],
  ['AvgPool', [5, 5, 2], [{ op: 'AvgPool', attributes: { ...pool, padding: 'SAME' } }]],
  ...['Mean', 'Sum', 'Max', 'Min', 'Prod'].map(
    (op): Case => [
      op,
      [3, 4],
      [{ op, inputs: ['x', 'axes'], attributes: { keep_dims: op === 'Sum' } }],
      { axes: ints(1) },
    ],
  ),
  [
    'Cumsum',
    [3, 4],
    [{ op: 'Cumsum', inputs: ['x', 'axis'], attributes: { exclusive: true, reverse: false } }],
    { axis: whole(1) },
  ],
  [
    'Shape, StridedSlice, Pack, Reshape',
    [3, 4],
    [
      { op: 'Shape' },
      { op: 'StridedSlice', inputs: ['n0', 'from', 'to', 'step'], attributes: { shrink_axis_mask: 1 } },
      { op: 'Pack', inputs: ['n1', 'rest'], attributes: { axis: 0, N: 2 } },
      { op: 'Reshape', inputs: ['x', 'n2'] },
    ],
    { from: ints(0), to: ints(1), step: ints(1), rest: whole(-1) },
  ],
  [
    'StridedSlice',
    [4, 5],
    [{ op: 'StridedSlice', inputs: ['x', 'from', 'to', 'step'], attributes: { begin_mask: 1, end_mask: 1 } }],
    { from: ints(0, 1, 4), to: ints(0, 3, 0), step: ints(1, 1, -2) },
  ],
  ['Slice', [4, 5], [{ op: 'Slice', inputs: ['x', 'from', 'size'] }], { from: ints(0, 1, 2), size: ints(-1, 2, 3) }],
  [
    'ExpandDims and Squeeze',
    [3],
    [
      { op: 'ExpandDims', inputs: ['x', 'axis'] },
      { op: 'Squeeze', inputs: ['n0'], attributes: { squeeze_dims: [1] } },
    ],
    { axis: whole(1) },
  ],
  ['Transpose', [3, 4], [{ op: 'Transpose', inputs: ['x', 'order'] }], { order: ints(0, 2, 1) }],
  ['ConcatV2', [3, 2], [{ op: 'ConcatV2', inputs: ['x', 'x', 'axis'], attributes: { N: 2 } }], { axis: whole(-1) }],
  [
    'the third of Split',
    [6],
    [
      { op: 'Split', inputs: ['axis', 'x'], attributes: { num_split: 3 } },
      { op: 'Mul', inputs: ['n0:2', 'n0'] },
    ],
    { axis: whole(1) },
  ],
  [
    'SplitV',
    [6],
    [
      { op: 'SplitV', inputs: ['x', 'sizes', 'axis'], attributes: { num_split: 2 } },
      { op: 'Exp', inputs: ['n0:1'] },
    ],
    { axis: whole(1), sizes: ints(2, 4) },
  ],
  [
    'the second of Unpack',
    [3, 2],
    [
      { op: 'Unpack', attributes: { axis: 1, num: 3 } },
      { op: 'Exp', inputs: ['n0:1'] },
    ],
  ],
  ['Pad', [3, 2], [{ op: 'Pad', inputs: ['x', 'p'] }], { p: { ints: [0, 0, 1, 2, 0, 1], shape: [3, 2] } }],
  [
    'PadV2',
    [3, 2],
    [{ op: 'PadV2', inputs: ['x', 'p', 'v'] }],
    { p: { ints: [0, 0, 1, 2, 0, 1], shape: [3, 2] }, v: { floats: [0.5], shape: [] } },
  ],
  [
    'MirrorPad',
    [3, 4],
    [{ op: 'MirrorPad', inputs: ['x', 'p'], attributes: { mode: 'REFLECT' } }],
    { p: { ints: [0, 0, 1, 2, 0, 1], shape: [3, 2] } },
  ],
  ['Tile', [3], [{ op: 'Tile', inputs: ['x', 'times'] }], { times: ints(1, 2) }],
  ['ReverseV2', [3, 4], [{ op: 'ReverseV2', inputs: ['x', 'axes'] }], { axes: ints(1) }],
  [
    'GatherV2',
    [4, 3],
    [{ op: 'GatherV2', inputs: ['x', 'at', 'axis'], attributes: { batch_dims: 0 } }],
    { at: ints(2, 0), axis: whole(1) },
  ],
  [
    'an embedding of words',
    [3],
    [
      { op: 'Floor' },
      { op: 'Cast', inputs: ['n0'], attributes: { SrcT: 'DT_FLOAT', DstT: 'DT_INT32' } },
      { op: 'GatherV2', inputs: ['w', 'n1', 'axis'] },
    ],
    { w: weight(5, 2), axis: whole(0) },
  ],
  [
    'SelectV2 of Greater',
    [3],
    [{ op: 'Greater', inputs: ['x', 'w'] }, { op: 'Exp' }, { op: 'SelectV2', inputs: ['n0', 'x', 'n1'] }],
    { w: weight(3) },
  ],
  [
    'LeakyRelu',
    [3],
    [
      { op: 'Sub', inputs: ['x', 'w'] },
      { op: 'LeakyRelu', inputs: ['n0'], attributes: { alpha: { float: 0.3 } } },
    ],
    { w: weight(3) },
  ],
  [
    'ResizeBilinear',
    [3, 4, 2],
    [{ op: 'ResizeBilinear', inputs: ['x', 'size'], attributes: { align_corners: false, half_pixel_centers: true } }],
    { size: ints(5, 6) },
  ],
  [
    'ResizeNearestNeighbor',
    [3, 4, 2],
    [
      {
        op: 'ResizeNearestNeighbor',
        inputs: ['x', 'size'],
        attributes: { align_corners: false, half_pixel_centers: false },
      },
    ],
    { size: ints(6, 8) },
  ],
  [
    'Conv2DBackpropInput',
    [3, 3, 2],
    [{ op: 'Conv2DBackpropInput', inputs: ['size', 'w', 'x'], attributes: { ...window, strides: [1, 2, 2, 1] } }],
    { w: weight(3, 3, 4, 2), size: ints(2, 6, 6, 4) },
  ],
]
