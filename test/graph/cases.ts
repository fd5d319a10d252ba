import * as g from '../../src/graph'

type Node = g.Node
/** A small graph over every primitive, with inputs away from kinks and poles. */
export interface Case {
  name: string
  build: (...x: Node[]) => Node
  shapes: g.Shape[]
  /** Range of the inputs, away from kinks and poles. */
  low?: number
  high?: number
}

const unary: [g.UnaryOp, number?, number?][] = [
  ['neg'],
  ['exp'],
  ['log', 0.3, 2],
  ['sqrt', 0.3, 2],
  ['sigmoid', -3, 3],
  ['tanh'],
  ['relu'],
  ['softplus', -3, 3],
  ['abs'],
  ['sin'],
  ['cos'],
  ['tan'],
  ['asin', -0.8, 0.8],
  ['acos', -0.8, 0.8],
  ['atan'],
  ['sinh'],
  ['cosh'],
  ['asinh'],
  ['acosh', 1.3, 3],
  ['atanh', -0.8, 0.8],
  ['erf', -3, 3],
  ['expm1'],
  ['log1p', -0.5, 2],
  ['gelu', -3, 3],
  ['geluDerivative', -3, 3],
  ['geluSecondDerivative', -3, 3],
]
const flat: g.UnaryOp[] = ['sign', 'floor', 'ceil', 'round']

const geometry = (o: Partial<g.ConvGeometry> & { rank?: number } = {}): g.ConvGeometry => {
  const all = (n: number) => new Array<number>(o.rank ?? 2).fill(n)
  return { strides: all(1), padLow: all(0), padHigh: all(0), dilations: all(1), groups: 1, ...o }
}
const conv = (name: string, x: g.Shape, w: g.Shape, geo: g.ConvGeometry): Case[] => {
  const y = [x[0], w[0], ...g.convOutputSize(x.slice(2), w.slice(2), geo)]
  return [
    { name: `conv ${name}`, build: (a, b) => g.conv(a, b, geo), shapes: [x, w] },
    { name: `conv with a bias ${name}`, build: (a, b, c) => g.conv(a, b, geo, c), shapes: [x, w, [w[0]]] },
    { name: `convInputGrad ${name}`, build: (a, b) => g.convInputGrad(a, b, geo, x), shapes: [y, w] },
    { name: `convFilterGrad ${name}`, build: (a, b) => g.convFilterGrad(a, b, geo, w), shapes: [x, y] },
  ]
}

// a product with a smooth function of the input makes the second order of a linear primitive visible
const bend = (x: Node): Node => g.mul(x, g.sigmoid(x))

export const cases: Case[] = [
  ...unary.map(([op, low, high]): Case => ({ name: op, build: (x) => g.unary(op, x), shapes: [[2, 3]], low, high })),
  ...flat.map((op): Case => ({ name: op, build: (x) => g.mul(x, g.unary(op, x)), shapes: [[7]], low: 0.1, high: 0.4 })),
  ...(['add', 'sub', 'mul', 'div', 'pow'] as const).flatMap((op): Case[] => [
    {
      name: op,
      build: (a, b) => g.binary(op, a, b),
      shapes: [
        [2, 3],
        [2, 3],
      ],
      low: 0.4,
      high: 2,
    },
    {
      name: `${op} broadcasting`,
      build: (a, b) => g.binary(op, a, b),
      shapes: [
        [2, 1, 3],
        [4, 1],
      ],
      low: 0.4,
      high: 2,
    },
    { name: `${op} with a scalar`, build: (a, b) => g.binary(op, a, b), shapes: [[2, 3], []], low: 0.4, high: 2 },
  ]),
  ...(['swish', 'swishDerivative', 'swishSecondDerivative'] as const).flatMap((op): Case[] =>
    [[2, 3], [3], []].map((shape) => ({
      name: `${op}, β of [${shape}]`,
      build: (x, beta) => g.binary(op, x, beta),
      shapes: [[2, 3], shape],
      low: -3,
      high: 3,
    })),
  ),
  ...[[2, 3], []].map(
    (shape): Case => ({
      name: `smoothMaximum, β of [${shape}]`,
      build: (a, b, beta) => g.smoothMaximum(a, b, beta),
      shapes: [[2, 3], [3], shape],
      low: -2,
      high: 2,
    }),
  ),
  ...[2, 3, -1, 0.5, -0.5, 1.7, 0].map(
    (n): Case => ({ name: `pow ${n}`, build: (x) => g.pow(x, g.scalar(x.graph, n)), shapes: [[5]], low: 0.4, high: 2 }),
  ),
  ...(['maximum', 'minimum'] as const).map(
    (op): Case => ({ name: op, build: (a, b) => g.square(g.binary(op, a, b)), shapes: [[2, 3], [3]] }),
  ),
  { name: 'less', build: (a, b) => g.mul(a, g.less(a, b)), shapes: [[6], [6]] },
  { name: 'equal', build: (a, b) => g.mul(a, g.sub(b, g.equal(a, b))), shapes: [[6], [6]] },
  { name: 'select', build: (a, b) => g.select(g.less(a, b), bend(a), g.mul(a, b)), shapes: [[2, 3], [3]] },
  {
    name: 'single numbers beside a last axis of one',
    build: (a, b, c) => {
      const mask = g.less(a, g.scalar(a.graph, 0.1))
      return g.select(mask, g.mul(g.offset(bend(a), 0.5), b), g.maximum(g.div(a, c), g.scalar(a.graph, 0.9)))
    },
    shapes: [[2, 3, 1], [], [1]],
    low: 0.05,
    high: 1,
  },
  {
    name: 'reshapes beneath arithmetic',
    build: (a, b) => {
      const [x, y] = [a, b].map((n) => g.reshape(bend(n), [6]))
      return g.mul(g.sub(x, g.iota(a.graph, 6)), g.add(x, g.maximum(y, g.scalar(a.graph, 0.05))))
    },
    shapes: [
      [2, 3],
      [2, 3],
    ],
  },
  {
    name: 'quotient by what does not vary',
    build: (a) => g.square(g.div(g.neg(bend(a)), g.offset(g.iota(a.graph, 3), 1))),
    shapes: [[2, 3]],
  },
  {
    name: 'sum and difference of equal multiples',
    build: (a, b) => {
      const [x, y] = [g.scale(bend(a), 0.3), g.scale(bend(b), 0.3)]
      return g.mul(g.add(x, y), g.sub(x, y))
    },
    shapes: [[4], [4]],
  },
  { name: 'reshape', build: (x) => g.reshape(bend(x), [3, 2]), shapes: [[2, 3]] },
  {
    name: 'transpose',
    build: (x, y) => g.mul(g.transpose(bend(x), [2, 0, 1]), g.transpose(y, [2, 0, 1])),
    shapes: [
      [2, 3, 4],
      [2, 3, 4],
    ],
  },
  {
    name: 'transpose against another',
    build: (x, y) => g.mul(g.transpose(x, [1, 0]), y),
    shapes: [
      [2, 3],
      [3, 2],
    ],
  },
  { name: 'broadcast', build: (x) => g.broadcast(bend(x), [2, 4, 3]), shapes: [[4, 1]] },
  { name: 'slice', build: (x) => g.slice(bend(x), [1, 0], [2, 3], [2, 1]), shapes: [[5, 4]] },
  { name: 'pad', build: (x) => g.pad(bend(x), [1, 0], [2, 1], [1, 2]), shapes: [[3, 2]] },
  ...[
    { name: 'slice of blocks', start: [0, 1], size: [4, 3], step: [1, 2] },
    { name: 'slice across blocks', start: [0, 2], size: [4, 3], step: [1, 2] },
    { name: 'slice beyond the last block', start: [1, 0], size: [2, 4], step: [2, 2] },
  ].map(
    ({ name, start, size, step }): Case => ({
      name,
      build: (x) => g.slice(bend(x), start, size, step),
      shapes: [[4, 7]],
    }),
  ),
  {
    name: 'columns joined again',
    build: (x) => {
      const y = bend(x)
      const column = (k: number) => g.slice(y, [0, k], [2, 3], [1, 3])
      return g.mul(g.mul(column(0), column(2)), g.exp(column(1)))
    },
    shapes: [[2, 9]],
  },
  { name: 'slice of a slice', build: (x) => g.sliceAxis(g.sliceAxis(bend(x), 0, 1, 3), 0, 1, 2), shapes: [[5, 2]] },
  { name: 'slice of a pad', build: (x) => g.slice(g.pad(bend(x), [2, 0], [1, 0]), [3, 1], [2, 1]), shapes: [[4, 3]] },
  {
    name: 'slice of a concat',
    build: (a, b) => g.sliceAxis(g.concat([bend(a), b], 1), 1, 4, 1),
    shapes: [
      [2, 3],
      [2, 2],
    ],
  },
  { name: 'surround', build: (x) => g.surround(bend(x), [1, 0], [2, 1], 0.5), shapes: [[3, 2]] },
  {
    name: 'either of two choices',
    build: (a, b) => {
      const mask = g.less(a, b)
      const nothing = g.scalar(a.graph, 0)
      return g.add(g.select(mask, nothing, bend(a)), g.select(mask, g.mul(a, b), nothing))
    },
    shapes: [[6], [6]],
  },
  {
    name: 'reverse',
    build: (x, y) => g.mul(g.reverse(bend(x), [1]), y),
    shapes: [
      [2, 3],
      [2, 3],
    ],
  },
  {
    name: 'concat',
    build: (a, b) => g.square(g.concat([bend(a), b, a], 1)),
    shapes: [
      [2, 3],
      [2, 1],
    ],
  },
  { name: 'sum', build: (x) => g.square(g.sum(bend(x), [0, 2])), shapes: [[2, 3, 2]] },
  {
    name: 'sum of a product',
    build: (a, b) => g.sum(g.mul(bend(a), b), [1]),
    shapes: [
      [2, 3],
      [2, 1],
    ],
  },
  {
    name: 'sum of a quotient',
    build: (a, b) => g.sum(g.div(bend(a), b), [1]),
    shapes: [
      [2, 3],
      [2, 1],
    ],
    low: 0.5,
    high: 2,
  },
  { name: 'sum of a broadcast', build: (a) => g.square(g.sum(g.broadcast(a, [2, 3, 4]), [0, 2])), shapes: [[3, 1]] },
  { name: 'mean', build: (x) => g.square(g.mean(x, [1])), shapes: [[2, 3]] },
  { name: 'moments', build: (x) => g.moments(x, [0]).variance, shapes: [[4, 2]] },
  { name: 'max', build: (x) => g.square(g.max(x, [0, 1])), shapes: [[3, 4]] },
  { name: 'min', build: (x) => g.square(g.min(x, [1])), shapes: [[3, 4]] },
  { name: 'argmax', build: (x) => g.mul(x, g.argmax(x, 1)), shapes: [[3, 4]] },
  { name: 'softmax', build: g.softmax, shapes: [[3, 4]] },
  { name: 'logSoftmax', build: g.logSoftmax, shapes: [[3, 4]] },
  { name: 'standardize', build: (x) => g.mul(x, g.standardize(x, 1e-2)), shapes: [[3, 5]] },
  { name: 'standardize two numbers', build: (x) => g.standardize(x, 0.5), shapes: [[2, 2, 2]] },
  { name: 'inverseDeviation', build: (x) => g.inverseDeviation(x, 1e-2), shapes: [[2, 2, 4]] },
  {
    name: 'standardizeGrad',
    build: (x, v) => g.standardizeGrad(x, v, 1e-2),
    shapes: [
      [3, 5],
      [3, 5],
    ],
  },
  {
    name: 'layer normalization by hand',
    build: (x, scale, offset) => {
      const { mean, variance } = g.moments(x, [2])
      const rows = g.div(g.sub(x, mean), g.sqrt(g.offset(variance, 1e-3)))
      return g.tanh(g.add(g.mul(rows, scale), offset))
    },
    shapes: [[2, 3, 4], [4], [4]],
  },
  {
    name: 'softmax by hand',
    build: (x) => {
      const e = g.exp(g.sub(x, g.max(x, [1])))
      return g.div(e, g.sum(e, [1]))
    },
    shapes: [[3, 4]],
  },
  {
    name: 'matMul',
    build: g.matMul,
    shapes: [
      [2, 3],
      [3, 4],
    ],
  },
  {
    name: 'gemm',
    build: (a, b, c) => g.gemm(bend(a), b, 0.5, c, -2),
    shapes: [
      [2, 3],
      [3, 4],
      [1, 4],
    ],
  },
  {
    name: 'gemm batched',
    build: (a, b) => g.gemm(bend(a), b, -0.5),
    shapes: [
      [2, 2, 3],
      [2, 3, 2],
    ],
  },
  {
    name: 'convFilterGrad less what is known',
    build: (x, y, w) => g.convFilterGrad(bend(x), y, geometry(), [2, 2, 2, 2], w),
    shapes: [
      [1, 2, 3, 3],
      [1, 2, 2, 2],
      [2, 2, 2, 2],
    ],
  },
  {
    name: 'convFilterGrad less what is known, in rows',
    build: (x, y, w) => g.convFilterGrad(bend(x), y, geometry(), [2, 2, 2, 2], w),
    shapes: [
      [1, 2, 3, 3],
      [1, 2, 2, 2],
      [2, 8],
    ],
  },
  {
    name: 'matMul batched',
    build: g.matMul,
    shapes: [
      [2, 1, 2, 3],
      [3, 3, 2],
    ],
  },
  { name: 'gather', build: (x) => g.gather(bend(x), g.constant(x.graph, [2, 0, 2, 1], [2, 2])), shapes: [[3, 2]] },
  {
    name: 'scatterAdd',
    build: (x) => g.square(g.scatterAdd(bend(x), g.constant(x.graph, [2, 0, 2, 1], [2, 2]), [4, 3])),
    shapes: [[2, 2, 3]],
  },
  ...conv('3×3', [2, 2, 4, 4], [3, 2, 3, 3], geometry()),
  ...conv('same, stride 2', [1, 2, 5, 6], [2, 2, 3, 3], geometry({ strides: [2, 2], padLow: [1, 0], padHigh: [1, 1] })),
  ...conv('ragged stride 2', [1, 1, 6, 6], [2, 1, 3, 3], geometry({ strides: [2, 2] })),
  ...conv('dilated', [1, 2, 6, 6], [1, 2, 2, 3], geometry({ dilations: [2, 2], padLow: [1, 2], padHigh: [0, 2] })),
  ...conv(
    'stride 3, dilated',
    [1, 1, 9, 8],
    [1, 1, 2, 2],
    geometry({ strides: [3, 2], dilations: [2, 3], padLow: [1, 0], padHigh: [0, 1] }),
  ),
  ...conv('grouped', [1, 4, 3, 3], [6, 2, 2, 2], geometry({ groups: 2 })),
  ...conv('depthwise', [2, 3, 4, 4], [6, 1, 2, 2], geometry({ groups: 3, strides: [2, 2] })),
  ...conv('1-d', [2, 2, 6], [3, 2, 3], geometry({ rank: 1, padLow: [2], padHigh: [0] })),
  ...conv('3-d', [1, 1, 3, 3, 3], [2, 1, 2, 2, 2], geometry({ rank: 3, padHigh: [1, 1, 1] })),
]
