import { random } from '../../../src/numbers/random'
import type { Attribute, GraphSpec, NodeSpec, TensorSpec } from './write-onnx'

/** One operator, or a few, on random numbers. */
export interface OperatorCase {
  /** In front of its names where cases are run together. */
  readonly id: string
  readonly name: string
  readonly spec: GraphSpec
  readonly opset: number
  readonly inputs: Readonly<Record<string, { readonly dims: readonly number[]; readonly values: Float64Array }>>
}

type Operand =
  | readonly number[]
  | { readonly ints: readonly number[]; readonly dims?: readonly number[] }
  | TensorSpec
  | undefined

interface Options {
  readonly opset?: number
  /** The range of the random data. */
  readonly range?: readonly [low: number, high: number]
  readonly outputs?: number
  readonly title?: string
}

let seed = 1

const numbers = (count: number, [low, high]: readonly [number, number]): Float64Array => {
  const source = random(seed++)
  return Float64Array.from({ length: count }, () => Math.fround(low + (high - low) * source.uniform()))
}

const sizeOf = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1)

const isShape = (operand: Operand): operand is readonly number[] => Array.isArray(operand)

/** The first operand is the data; the others are weights of a shape, whole numbers or given tensors. */
function one(
  op: string,
  operands: readonly Operand[],
  attributes: Readonly<Record<string, Attribute>> = {},
  { opset = 17, range = [-1.5, 1.5], outputs = 1, title = '' }: Options = {},
): OperatorCase {
  const [first, ...rest] = operands as [readonly number[], ...Operand[]]
  const initializers: Record<string, TensorSpec> = {}
  const names = rest.map((operand, i) => {
    if (operand === undefined) return ''
    const name = !isShape(operand) && ('ints' in operand || operand.dims.length === 0) ? `onnx::c${i}` : `w${i}`
    initializers[name] = isShape(operand)
      ? { dims: operand, values: [...numbers(sizeOf(operand), range)] }
      : 'ints' in operand
        ? { dims: operand.dims ?? [operand.ints.length], values: operand.ints, type: 7 }
        : operand
    return name
  })
  const out = Array.from({ length: outputs }, (_, i) => `y${i}`)
  const node: NodeSpec = { op, inputs: ['x', ...names], outputs: out, attributes, name: 'the node' }
  return {
    id: `case${seed++}.`,
    name: `${op}${opset === 17 ? '' : ` (version ${opset})`} [${first}] ${title || JSON.stringify(attributes)}`,
    spec: { nodes: [node], initializers, inputs: { x: first }, outputs: out },
    opset,
    inputs: { x: { dims: first, values: numbers(sizeOf(first), range) } },
  }
}

/** Nodes by hand. */
function several(
  name: string,
  dims: readonly number[],
  nodes: readonly NodeSpec[],
  initializers: Readonly<Record<string, TensorSpec>> = {},
  opset = 17,
): OperatorCase {
  return {
    id: `case${seed++}.`,
    name,
    spec: { nodes, initializers, inputs: { x: dims }, outputs: ['y'] },
    opset,
    inputs: { x: { dims, values: numbers(sizeOf(dims), [-1.5, 1.5]) } },
  }
}

const scalar = (value: number): TensorSpec => ({ dims: [], values: [value] })
const positive = { range: [0.3, 2] } as const
const small = { range: [-0.9, 0.9] } as const

const unary = [
  'Abs',
  'Neg',
  'Exp',
  'Erf',
  'Relu',
  'Sigmoid',
  'Tanh',
  'Softplus',
  'Softsign',
  'HardSwish',
  'Floor',
  'Ceil',
  'Round',
  'Sign',
  'Sin',
  'Cos',
  'Sinh',
  'Cosh',
  'Asinh',
  'Atan',
  'Identity',
]

export const cases: readonly OperatorCase[] = [
  ...unary.map((op) => one(op, [[3, 4]])),
  ...['Log', 'Sqrt', 'Reciprocal'].map((op) => one(op, [[3, 4]], {}, positive)),
  ...['Asin', 'Acos', 'Atanh', 'Tan'].map((op) => one(op, [[3, 4]], {}, small)),
  one('Acosh', [[3, 4]], {}, { range: [1.1, 3] }),
  one('LeakyRelu', [[3, 4]], { alpha: { float: 0.2 } }),
  one('Elu', [[3, 4]], { alpha: { float: 0.7 } }),
  one('Selu', [[3, 4]]),
  one('Celu', [[3, 4]], { alpha: { float: 1.3 } }),
  one('ThresholdedRelu', [[3, 4]], { alpha: { float: 0.3 } }),
  one('PRelu', [
    [3, 4, 2],
    [4, 1],
  ]),
  one('HardSigmoid', [[3, 4]], { alpha: { float: 0.3 } }),
  one('Mish', [[3, 4]], {}, { opset: 18 }),
  one('Gelu', [[3, 4]], {}, { opset: 20 }),
  one('Gelu', [[3, 4]], { approximate: 'tanh' }, { opset: 20 }),
  one('Clip', [[3, 4], scalar(-0.5), scalar(0.75)]),
  one('Clip', [[3, 4], undefined, scalar(0.75)]),
  one('Clip', [[3, 4]], { min: { float: -0.4 }, max: { float: 0.6 } }, { opset: 10 }),
  one('Softmax', [[2, 3, 4]], { axis: 1 }),
  one('Softmax', [[2, 3, 4]], { axis: 1 }, { opset: 11 }),
  one('LogSoftmax', [[2, 5]]),
  ...['Add', 'Sub', 'Mul'].map((op) => one(op, [[3, 4], [4]])),
  one(
    'Div',
    [
      [3, 4],
      [3, 1],
    ],
    {},
    positive,
  ),
  one('Pow', [[3, 4], scalar(2)]),
  one('Pow', [[3, 4], scalar(2.5)], {}, positive),
  one('Mod', [[3, 4], scalar(0.4)], { fmod: 1 }),
  ...['Sum', 'Max', 'Min', 'Mean'].map((op) => one(op, [[3, 4], [4], [3, 1]])),
  one('Gemm', [[3, 4], [5, 4], [5]], { transB: 1 }),
  one(
    'Gemm',
    [
      [4, 3],
      [4, 5],
      [3, 1],
    ],
    { transA: 1, alpha: { float: 0.5 }, beta: { float: 2 } },
  ),
  one('MatMul', [
    [2, 3, 4],
    [4, 5],
  ]),
  one('MatMul', [[4], [2, 4, 5]]),
  one('MatMul', [[2, 3, 4], [4]]),
  one(
    'Einsum',
    [
      [2, 3, 4],
      [5, 4],
    ],
    { equation: 'bij,kj->bik' },
  ),
  one(
    'Einsum',
    [
      [2, 3, 4],
      [2, 4, 5],
    ],
    { equation: 'bij, bjk' },
  ),
  one('Conv', [[2, 3, 8, 7], [4, 3, 3, 3], [4]], { pads: [1, 0, 2, 1], strides: [2, 1] }),
  one(
    'Conv',
    [
      [2, 4, 8, 8],
      [6, 2, 3, 2],
    ],
    { group: 2, dilations: [2, 1] },
  ),
  one(
    'Conv',
    [
      [2, 4, 7, 7],
      [4, 1, 3, 3],
    ],
    { group: 4, auto_pad: 'SAME_UPPER', strides: [2, 2] },
  ),
  one(
    'Conv',
    [
      [2, 2, 6, 6],
      [3, 2, 4, 4],
    ],
    { auto_pad: 'SAME_LOWER' },
  ),
  one('Conv', [[2, 3, 9], [4, 3, 3], [4]], { pads: [1, 1] }),
  one(
    'Conv',
    [
      [1, 2, 4, 4, 4],
      [3, 2, 2, 2, 2],
    ],
    {},
  ),
  one('ConvTranspose', [[2, 3, 4, 4], [3, 2, 3, 3], [2]], {
    strides: [2, 2],
    pads: [1, 1, 1, 1],
    output_padding: [1, 1],
  }),
  one('ConvTranspose', [[2, 4, 3, 3], [4, 3, 2, 2], [6]], { strides: [2, 2], group: 2 }),
  one(
    'ConvTranspose',
    [
      [2, 3, 4, 4],
      [3, 2, 3, 3],
    ],
    { dilations: [2, 2] },
  ),
  one(
    'ConvTranspose',
    [
      [2, 3, 4],
      [3, 2, 2],
    ],
    { strides: [3], output_padding: [2] },
  ),
  one('MaxPool', [[2, 3, 8, 7]], { kernel_shape: [3, 2], strides: [2, 2] }),
  one('MaxPool', [[2, 3, 8, 7]], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], ceil_mode: 1 }),
  one('MaxPool', [[2, 3, 9, 9]], { kernel_shape: [2, 3], dilations: [2, 3] }),
  one('MaxPool', [[2, 3, 9]], { kernel_shape: [2], strides: [2] }),
  one('AveragePool', [[2, 3, 8, 8]], { kernel_shape: [2, 2], strides: [2, 2] }),
  one('AveragePool', [[2, 3, 8, 7]], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
  one('AveragePool', [[2, 3, 8, 7]], {
    kernel_shape: [3, 3],
    strides: [2, 2],
    pads: [1, 1, 1, 1],
    count_include_pad: 1,
  }),
  one('AveragePool', [[2, 3, 8, 8]], { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }, { opset: 19 }),
  one('GlobalAveragePool', [[2, 3, 5, 4]]),
  one('GlobalMaxPool', [[2, 3, 5, 4]]),
  one('BatchNormalization', [[3, 4, 5, 2], [4], [4], [4], { dims: [4], values: [0.5, 1, 2, 0.7] }]),
  one('InstanceNormalization', [[3, 4, 5, 2], [4], [4]]),
  one('LayerNormalization', [[3, 4, 5], [5], [5]], { axis: -1 }),
  one(
    'LayerNormalization',
    [
      [3, 4, 5],
      [4, 5],
    ],
    { axis: 1, epsilon: { float: 0.1 } },
  ),
  one('GroupNormalization', [[3, 4, 5], [4], [4]], { num_groups: 2 }, { opset: 21 }),
  one('LpNormalization', [[3, 4, 5]], { axis: 1 }),
  one('LRN', [[2, 6, 3, 3]], { size: 3, alpha: { float: 0.1 } }),
  one('Flatten', [[2, 3, 4]], { axis: 2 }),
  one('Reshape', [[2, 3, 4], { ints: [0, -1] }]),
  one('Transpose', [[2, 3, 4]], { perm: [2, 0, 1] }),
  one('Squeeze', [[2, 1, 4], { ints: [1] }]),
  one('Squeeze', [[2, 1, 4]], { axes: [1] }, { opset: 11 }),
  one('Unsqueeze', [[2, 4], { ints: [0, -1] }]),
  one(
    'Concat',
    [
      [2, 3],
      [2, 4],
    ],
    { axis: 1 },
  ),
  one('Split', [[2, 7], { ints: [3, 4] }], { axis: 1 }, { outputs: 2 }),
  one('Split', [[2, 6]], { axis: 1 }, { outputs: 3 }),
  one('Slice', [[4, 9], { ints: [1, -2] }, { ints: [4, -1000] }, { ints: [0, 1] }, { ints: [2, -3] }]),
  one('Slice', [[4, 9], { ints: [1] }, { ints: [2 ** 62] }, { ints: [-1] }]),
  one('Slice', [[4, 9]], { starts: [1], ends: [3], axes: [1] }, { opset: 9 }),
  one('Slice', [[4, 3], { ints: [-9] }, { ints: [-9] }, { ints: [0] }, { ints: [-2] }], {}, { title: 'from before' }),
  one(
    'Slice',
    [[4, 5], { ints: [-2] }, { ints: [2 ** 31 - 1] }, { ints: [1] }, { ints: [-1] }],
    {},
    { title: 'to all' },
  ),
  one('Pad', [[2, 4], { ints: [0, 2, 1, 1] }, scalar(0.5)]),
  one('Pad', [[2, 5], { ints: [0, 2, 0, 3] }], { mode: 'reflect' }),
  one('Pad', [[2, 5], { ints: [0, 2, 0, 3] }], { mode: 'edge' }),
  one('Pad', [[2, 5], { ints: [0, -1, 0, -2] }]),
  one('Pad', [[2, 5], { ints: [0, 2, 0, 3] }], { mode: 'wrap' }, { opset: 19 }),
  one('Expand', [[3, 1], { ints: [2, 1, 4] }]),
  one('Tile', [[2, 3], { ints: [2, 3] }]),
  one('Gather', [[4, 3], { ints: [0, -1, 2, 2], dims: [2, 2] }], { axis: 0 }),
  one('Gather', [[4, 3], { ints: [-2], dims: [] }], { axis: 1 }),
  one('GatherElements', [[3, 3], { ints: [0, 2, 1, -1, 0, 1], dims: [2, 3] }], { axis: 0 }),
  one('GatherND', [[3, 4], { ints: [0, 1, 2, 3], dims: [2, 2] }]),
  one('GatherND', [[3, 4], { ints: [0, -1, -3, 2], dims: [2, 2] }]),
  one('GatherND', [[3, 4], { ints: [-1, 0], dims: [2, 1] }]),
  one('ScatterND', [[4, 3], { ints: [1, 3], dims: [2, 1] }, [2, 3]]),
  one('ScatterND', [[4, 3], { ints: [-1, 1, 0, -2], dims: [2, 2] }, [2]]),
  one('Trilu', [[4, 4], { ints: [1], dims: [] }], { upper: 1 }),
  one('Trilu', [[4, 4]], { upper: 0 }),
  one('DepthToSpace', [[1, 8, 2, 3]], { blocksize: 2 }),
  one('DepthToSpace', [[1, 8, 2, 3]], { blocksize: 2, mode: 'CRD' }),
  one('SpaceToDepth', [[1, 2, 4, 6]], { blocksize: 2 }),
  one('CumSum', [[3, 4], { ints: [1], dims: [] }], { reverse: 1 }),
  ...[
    'ReduceMean',
    'ReduceMax',
    'ReduceMin',
    'ReduceProd',
    'ReduceL1',
    'ReduceL2',
    'ReduceSumSquare',
    'ReduceLogSumExp',
  ].flatMap((op) => [
    one(op, [[2, 3, 4]], { axes: [1, -1], keepdims: 0 }),
    one(op, [[2, 3, 4], { ints: [1] }], {}, { opset: 18 }),
  ]),
  one('ReduceLogSum', [[2, 3, 4]], { axes: [1] }, positive),
  ...['ReduceSum', 'ReduceMean', 'ReduceL1', 'ReduceL2', 'ReduceSumSquare'].map((op) =>
    one(op, [[2, 3]], { noop_with_empty_axes: 1 }, { opset: 18, title: 'over no axis' }),
  ),
  one('ReduceSum', [[2, 3, 4], { ints: [0, 2] }], { keepdims: 0 }),
  one('ReduceMean', [[2, 3]], { keepdims: 0 }),
  one('Resize', [[1, 2, 3, 4], undefined, { dims: [4], values: [1, 1, 2, 2] }], {
    mode: 'nearest',
    coordinate_transformation_mode: 'asymmetric',
    nearest_mode: 'floor',
  }),
  one('Resize', [[1, 2, 3, 4], undefined, undefined, { ints: [1, 2, 7, 5] }], { mode: 'linear' }),
  one('Resize', [[1, 2, 4, 4], undefined, undefined, { ints: [1, 2, 7, 6] }], {
    mode: 'linear',
    coordinate_transformation_mode: 'align_corners',
  }),
  one('Resize', [[1, 2, 5, 5], undefined, undefined, { ints: [1, 2, 8, 9] }], {
    mode: 'cubic',
    coordinate_transformation_mode: 'pytorch_half_pixel',
  }),
  one('Upsample', [[1, 2, 3, 4], { dims: [4], values: [1, 1, 2, 2] }], { mode: 'nearest' }, { opset: 9 }),
  // factors that float32 does not hold
  ...(['nearest', 'linear'] as const).flatMap((mode) =>
    [
      [10, 0.7],
      [10, 1.3],
      [30, 1.1],
      [100, 0.29],
    ].map(([size, factor]) =>
      one(
        'Resize',
        [[1, 1, 1, size], undefined, { dims: [4], values: [1, 1, 1, factor] }],
        {
          mode,
          coordinate_transformation_mode: mode === 'nearest' ? 'asymmetric' : 'half_pixel',
          nearest_mode: 'floor',
        },
        { title: `${mode} by ${factor}` },
      ),
    ),
  ),
  one('Upsample', [[1, 1, 10, 10], { dims: [4], values: [1, 1, 1.3, 1.7] }], { mode: 'nearest' }, { opset: 9 }),
  one('Resize', [[1, 1, 1, 10], { dims: [4], values: [1, 1, 1, 0.65] }], { mode: 'nearest' }, { opset: 10 }),
  ...(['forward', 'reverse', 'bidirectional'] as const).flatMap((direction) => {
    const d = direction === 'bidirectional' ? 2 : 1
    return [
      one(
        'LSTM',
        [
          [4, 2, 3],
          [d, 20, 3],
          [d, 20, 5],
          [d, 40],
        ],
        { direction, hidden_size: 5 },
        { outputs: 3 },
      ),
      one(
        'GRU',
        [
          [4, 2, 3],
          [d, 15, 3],
          [d, 15, 5],
          [d, 30],
        ],
        { direction, hidden_size: 5, linear_before_reset: 1 },
        { outputs: 2 },
      ),
    ]
  }),
  one(
    'GRU',
    [
      [4, 2, 3],
      [1, 15, 3],
      [1, 15, 5],
      [1, 30],
    ],
    { hidden_size: 5 },
    { outputs: 2 },
  ),
  one(
    'RNN',
    [
      [4, 2, 3],
      [1, 5, 3],
      [1, 5, 5],
    ],
    { hidden_size: 5 },
    { outputs: 2 },
  ),
  one(
    'RNN',
    [
      [4, 2, 3],
      [2, 5, 3],
      [2, 5, 5],
    ],
    { hidden_size: 5, direction: 'bidirectional', activations: { strings: ['Relu', 'Relu'] } },
    { outputs: 2, title: 'with ReLU' },
  ),
  ...[
    [1, 1],
    [1, 0],
    [0, 1],
    [0, 0],
  ].map(([up, down]) =>
    several(
      `infinite numbers, ${up ? '' : 'not '}above and ${down ? '' : 'not '}below`,
      [2, 6],
      [
        { op: 'Div', inputs: ['x', 'onnx::signs'], outputs: ['d'] },
        { op: 'IsInf', inputs: ['d'], outputs: ['m'], attributes: { detect_positive: up, detect_negative: down } },
        { op: 'Where', inputs: ['m', 'x', 'onnx::other'], outputs: ['y'] },
      ],
      { 'onnx::signs': { dims: [6], values: [0, 1, 0, 2, 0, 0] }, 'onnx::other': scalar(0.25) },
    ),
  ),
  several(
    'shapes: the last axis split in two',
    [3, 8],
    [
      { op: 'Shape', inputs: ['x'], outputs: ['s'] },
      {
        op: 'Constant',
        inputs: [],
        outputs: ['0'],
        attributes: { value: { tensor: { dims: [1], values: [0], type: 7 } } },
      },
      {
        op: 'Constant',
        inputs: [],
        outputs: ['two'],
        attributes: { value: { tensor: { dims: [1], values: [2], type: 7 } } },
      },
      { op: 'Constant', inputs: [], outputs: ['one'], attributes: { value_int: 1 } },
      { op: 'Gather', inputs: ['s', '0'], outputs: ['batch'] },
      { op: 'Gather', inputs: ['s', 'one'], outputs: ['width'] },
      { op: 'Unsqueeze', inputs: ['width', '0'], outputs: ['w1'] },
      { op: 'Div', inputs: ['w1', 'two'], outputs: ['half'] },
      { op: 'Concat', inputs: ['batch', 'two', 'half'], outputs: ['shape'], attributes: { axis: 0 } },
      { op: 'Reshape', inputs: ['x', 'shape'], outputs: ['y'] },
    ],
  ),
  several(
    'one row per index by OneHot, indices from the end too',
    [4, 3],
    [
      {
        op: 'OneHot',
        inputs: ['onnx::at', 'onnx::depth', 'onnx::values'],
        outputs: ['rows'],
        attributes: { axis: -1 },
      },
      { op: 'MatMul', inputs: ['rows', 'w'], outputs: ['moved'] },
      { op: 'Add', inputs: ['x', 'moved'], outputs: ['y'] },
    ],
    {
      'onnx::at': { dims: [4], values: [0, 4, -1, 2], type: 7 },
      'onnx::depth': { dims: [], values: [5], type: 7 },
      'onnx::values': { dims: [2], values: [-0.5, 2] },
      w: { dims: [5, 3], values: [...numbers(15, [-1, 1])] },
    },
  ),
  several(
    'Greater, LessOrEqual, Or and Xor choose',
    [3, 4],
    [
      { op: 'Greater', inputs: ['x', 'onnx::high'], outputs: ['a'] },
      { op: 'LessOrEqual', inputs: ['x', 'onnx::low'], outputs: ['b'] },
      { op: 'Or', inputs: ['a', 'b'], outputs: ['c'] },
      { op: 'Xor', inputs: ['c', 'a'], outputs: ['d'] },
      { op: 'Mul', inputs: ['x', 'x'], outputs: ['square'] },
      { op: 'Where', inputs: ['d', 'square', 'x'], outputs: ['e'] },
      { op: 'Where', inputs: ['c', 'e', 'w'], outputs: ['y'] },
    ],
    { 'onnx::high': scalar(0.4), 'onnx::low': scalar(-0.3), w: { dims: [4], values: [0.1, -0.2, 0.3, 0.4] } },
  ),
  several(
    'a causal mask of the length',
    [4, 4],
    [
      { op: 'Shape', inputs: ['x'], outputs: ['s'] },
      {
        op: 'ConstantOfShape',
        inputs: ['s'],
        outputs: ['ones'],
        attributes: { value: { tensor: { dims: [1], values: [1], type: 7 } } },
      },
      { op: 'Trilu', inputs: ['ones'], outputs: ['lower'], attributes: { upper: 0 } },
      { op: 'Cast', inputs: ['lower'], outputs: ['mask'], attributes: { to: 9 } },
      { op: 'Where', inputs: ['mask', 'x', 'least'], outputs: ['y'] },
    ],
    { 'onnx::least': scalar(-1e4), least: scalar(-1e4) },
  ),
  several(
    'positions by Range, and their embedding',
    [4, 3],
    [
      { op: 'Shape', inputs: ['x'], outputs: ['n'], attributes: { start: 0, end: 1 } },
      { op: 'Squeeze', inputs: ['n'], outputs: ['length'] },
      { op: 'Range', inputs: ['zero', 'length', 'one'], outputs: ['positions'] },
      { op: 'Gather', inputs: ['table', 'positions'], outputs: ['rows'] },
      { op: 'Add', inputs: ['x', 'rows'], outputs: ['y'] },
    ],
    {
      zero: { dims: [], values: [0], type: 7 },
      one: { dims: [], values: [1], type: 7 },
      table: { dims: [6, 3], values: [...numbers(18, [-1, 1])] },
    },
  ),
  several(
    'a branch that shapes decide',
    [3, 1, 2],
    [
      { op: 'Shape', inputs: ['x'], outputs: ['n'], attributes: { start: 1, end: 2 } },
      { op: 'Squeeze', inputs: ['n'], outputs: ['size'] },
      { op: 'Equal', inputs: ['size', 'one'], outputs: ['single'] },
      {
        op: 'If',
        inputs: ['single'],
        outputs: ['y'],
        attributes: {
          then_branch: { graph: { nodes: [{ op: 'Neg', inputs: ['x'], outputs: ['a'] }], inputs: {}, outputs: ['a'] } },
          else_branch: { graph: { nodes: [{ op: 'Abs', inputs: ['x'], outputs: ['b'] }], inputs: {}, outputs: ['b'] } },
        },
      },
    ],
    { one: { dims: [], values: [1], type: 7 } },
  ),
  ...(['L1', 'L2', 'MAX'] as const).map((norm) =>
    several(
      `the ${norm} normaliser of scikit-learn`,
      [3, 4],
      [{ op: 'Normalizer', inputs: ['x'], outputs: ['y'], domain: 'ai.onnx.ml', attributes: { norm } }],
    ),
  ),
  several(
    'a linear regression of scikit-learn',
    [3, 2],
    [
      {
        op: 'LinearRegressor',
        inputs: ['x'],
        outputs: ['y'],
        domain: 'ai.onnx.ml',
        attributes: { coefficients: { floats: [0.5, -1] }, intercepts: { floats: [0.25] } },
      },
    ],
  ),
  several(
    'a loop of three steps, with the sum of all and a row for each',
    [2, 3],
    [
      {
        op: 'Loop',
        inputs: ['steps', '', 'x'],
        outputs: ['last', 'all'],
        attributes: {
          body: {
            graph: {
              nodes: [
                { op: 'Cast', inputs: ['i'], outputs: ['at'], attributes: { to: 1 } },
                { op: 'Add', inputs: ['h', 'at'], outputs: ['moved'] },
                { op: 'MatMul', inputs: ['moved', 'w'], outputs: ['next'] },
                { op: 'Sigmoid', inputs: ['next'], outputs: ['row'] },
                { op: 'Identity', inputs: ['go'], outputs: ['on'] },
              ],
              inputs: { i: [], go: [], h: [2, 3] },
              types: { i: 7, go: 9, on: 9 },
              outputs: ['on', 'next', 'row'],
            },
          },
        },
      },
      { op: 'ReduceSum', inputs: ['all', 'first'], outputs: ['rows'], attributes: { keepdims: 0 } },
      { op: 'Add', inputs: ['rows', 'last'], outputs: ['y'] },
    ],
    {
      steps: { dims: [], values: [3], type: 7 },
      first: { dims: [1], values: [0], type: 7 },
      w: { dims: [3, 3], values: [...numbers(9, [-1, 1])] },
    },
  ),
  several(
    'the scaler of scikit-learn',
    [3, 2],
    [
      {
        op: 'Scaler',
        inputs: ['x'],
        outputs: ['y'],
        domain: 'ai.onnx.ml',
        attributes: { offset: { floats: [0.5, -1] }, scale: { floats: [2, 0.25] } },
      },
    ],
  ),
  one(
    'Attention',
    [
      [2, 2, 3, 4],
      [2, 2, 3, 4],
      [2, 2, 3, 5],
    ],
    {},
    { opset: 23 },
  ),
  one(
    'Attention',
    [
      [2, 2, 3, 4],
      [2, 2, 3, 4],
      [2, 2, 3, 4],
    ],
    { is_causal: 1, scale: { float: 0.7 } },
    { opset: 23 },
  ),
  one(
    'Attention',
    [
      [2, 3, 8],
      [2, 4, 4],
      [2, 4, 4],
      [3, 4],
    ],
    { q_num_heads: 4, kv_num_heads: 2, softcap: { float: 1.5 } },
    { opset: 23 },
  ),
  one(
    'Attention',
    [[1, 2, 2, 4], [1, 2, 3, 4], [1, 2, 3, 4], { dims: [2, 3], values: [1, 0, 1, 0, 1, 1], type: 9 }],
    {},
    { opset: 23, title: 'a mask of truth' },
  ),
  several(
    'a sequence of equal parts, the last one smaller',
    [2, 5],
    [
      { op: 'SplitToSequence', inputs: ['x', 'two'], outputs: ['s'], attributes: { axis: 1 } },
      { op: 'SequenceAt', inputs: ['s', 'last'], outputs: ['a'] },
      { op: 'SequenceAt', inputs: ['s', 'first'], outputs: ['b'] },
      { op: 'Mul', inputs: ['a', 'b'], outputs: ['y'] },
    ],
    {
      two: { dims: [], values: [2], type: 7 },
      last: { dims: [], values: [-1], type: 7 },
      first: { dims: [], values: [0], type: 7 },
    },
  ),
  several(
    'a sequence without the axis, stacked at another',
    [3, 4],
    [
      { op: 'SplitToSequence', inputs: ['x'], outputs: ['s'], attributes: { keepdims: 0 } },
      { op: 'ConcatFromSequence', inputs: ['s'], outputs: ['y'], attributes: { axis: 1, new_axis: 1 } },
    ],
  ),
  several(
    'a sequence of given sizes, joined with another',
    [2, 6],
    [
      { op: 'SplitToSequence', inputs: ['x', 'sizes'], outputs: ['s'], attributes: { axis: -1 } },
      { op: 'SequenceAt', inputs: ['s', 'at'], outputs: ['a'] },
      { op: 'SequenceConstruct', inputs: ['a', 'x'], outputs: ['t'] },
      { op: 'ConcatFromSequence', inputs: ['t'], outputs: ['y'], attributes: { axis: 1 } },
    ],
    { sizes: { dims: [3], values: [1, 3, 2], type: 7 }, at: { dims: [], values: [1], type: 7 } },
  ),
  several('dropout in evaluation', [3, 4], [{ op: 'Dropout', inputs: ['x', 'ratio'], outputs: ['y'] }], {
    ratio: scalar(0.4),
  }),
  several(
    'comparisons as numbers',
    [3, 4],
    [
      { op: 'GreaterOrEqual', inputs: ['x', 'zero'], outputs: ['a'] },
      { op: 'Less', inputs: ['x', 'one'], outputs: ['b'] },
      { op: 'And', inputs: ['a', 'b'], outputs: ['c'] },
      { op: 'Not', inputs: ['c'], outputs: ['d'] },
      { op: 'Cast', inputs: ['d'], outputs: ['e'], attributes: { to: 1 } },
      { op: 'Mul', inputs: ['e', 'x'], outputs: ['y'] },
    ],
    { zero: scalar(0), one: scalar(1) },
  ),
  several(
    'integers divide as integers',
    [2, 3],
    [
      { op: 'Shape', inputs: ['x'], outputs: ['s'] },
      { op: 'Div', inputs: ['s', 'two'], outputs: ['half'] },
      { op: 'Cast', inputs: ['half'], outputs: ['f'], attributes: { to: 1 } },
      { op: 'ReduceSum', inputs: ['f'], outputs: ['sum'], attributes: { keepdims: 0 } },
      { op: 'Mul', inputs: ['x', 'sum'], outputs: ['y'] },
    ],
    { two: { dims: [], values: [2], type: 7 } },
  ),
]

/** Cases of one version as one graph. */
export function together(all: readonly OperatorCase[]): Pick<OperatorCase, 'spec' | 'inputs'> {
  const prefixed = <T>(id: string, map: Readonly<Record<string, T>> = {}) =>
    Object.entries(map).map(([name, value]) => [`${id}${name}`, value] as const)
  const within = (id: string, { nodes, ...rest }: GraphSpec): GraphSpec => ({
    ...rest,
    nodes: nodes.map((node, i) => ({
      ...node,
      name: `${id}${i}`,
      inputs: node.inputs.map((n) => n && `${id}${n}`),
      outputs: node.outputs.map((n) => `${id}${n}`),
      attributes: Object.fromEntries(
        Object.entries(node.attributes ?? {}).map(([name, value]) => [
          name,
          typeof value === 'object' && 'graph' in value ? { graph: within(id, value.graph) } : value,
        ]),
      ),
    })),
    inputs: Object.fromEntries(prefixed(id, rest.inputs)),
    outputs: rest.outputs.map((n) => `${id}${n}`),
    types: Object.fromEntries(prefixed(id, rest.types)),
  })
  return {
    spec: {
      nodes: all.flatMap(({ id, spec }) => within(id, spec).nodes),
      initializers: Object.fromEntries(all.flatMap(({ id, spec }) => prefixed(id, spec.initializers))),
      inputs: Object.fromEntries(all.flatMap(({ id, spec }) => prefixed(id, spec.inputs))),
      outputs: all.flatMap(({ id, spec }) => spec.outputs.map((n) => `${id}${n}`)),
    },
    inputs: Object.fromEntries(all.flatMap(({ id, inputs }) => prefixed(id, inputs))),
  }
}
