import type { Node, UnaryOp } from '../../graph'
import * as g from '../../graph'
import type { TraceKernel, TraceKernels } from './kernel'

const of = (x: Node, value: number): Node => g.scalar(x.graph, value)
const unary =
  (op: UnaryOp): TraceKernel =>
  ({ x }) =>
    g.unary(op, x)
const not = (x: Node): Node => g.sub(of(x, 1), x)
const notZero = (x: Node): Node => not(g.equal(x, of(x, 0)))

/** x for x ≥ 0, e^x − 1 below; the exponent is kept from overflowing where it is not used. */
export const elu = (x: Node): Node => g.select(g.less(of(x, 0), x), x, g.unary('expm1', g.minimum(x, of(x, 0))))

export const leakyRelu = (x: Node, alpha: number): Node => g.select(g.less(of(x, 0), x), x, g.scale(x, alpha))
export const prelu = (x: Node, alpha: Node): Node => g.select(g.less(x, of(x, 0)), g.mul(alpha, x), x)
export const relu6 = (x: Node): Node => g.minimum(g.relu(x), of(x, 6))

const SELU_SCALE = 1.0507009873554805
const SELU_SCALE_ALPHA = 1.7580993408473768
const selu = (x: Node): Node =>
  g.select(
    g.less(of(x, 0), x),
    g.scale(x, SELU_SCALE),
    g.scale(g.unary('expm1', g.minimum(x, of(x, 0))), SELU_SCALE_ALPHA),
  )

/** Angle of the point (x, y), from the principal value of atan(y / x). */
function atan2(y: Node, x: Node): Node {
  const onAxis = g.equal(x, of(x, 0))
  const principal = g.unary('atan', g.div(y, g.select(onAxis, of(x, 1), x)))
  const sign = g.select(g.less(y, of(y, 0)), of(y, -1), of(y, 1))
  const turned = g.select(g.less(x, of(x, 0)), g.add(principal, g.scale(sign, Math.PI)), principal)
  // beside the vertical axis, atan(y / x) = ±π/2 − atan(x / y)
  const vertical = g.equal(y, of(y, 0))
  const upright = g.sub(
    g.scale(g.unary('sign', y), Math.PI / 2),
    g.unary('atan', g.div(x, g.select(vertical, of(y, 1), y))),
  )
  return g.select(onAxis, upright, turned)
}

const mod = (a: Node, b: Node): Node => g.sub(a, g.mul(b, g.unary('floor', g.div(a, b))))
const infinite = (x: Node): Node => g.equal(g.abs(x), of(x, Number.POSITIVE_INFINITY))
const nan = (x: Node): Node => not(g.equal(x, x))

export const elementwiseKernels: TraceKernels = {
  Abs: unary('abs'),
  Acos: unary('acos'),
  Acosh: unary('acosh'),
  Asin: unary('asin'),
  Asinh: unary('asinh'),
  Atan: unary('atan'),
  Atanh: unary('atanh'),
  Ceil: unary('ceil'),
  Cos: unary('cos'),
  Cosh: unary('cosh'),
  Erf: unary('erf'),
  Exp: unary('exp'),
  Expm1: unary('expm1'),
  Floor: unary('floor'),
  Log: unary('log'),
  Log1p: unary('log1p'),
  Neg: unary('neg'),
  Relu: unary('relu'),
  Round: unary('round'),
  Sigmoid: unary('sigmoid'),
  Sign: unary('sign'),
  Sin: unary('sin'),
  Sinh: unary('sinh'),
  Softplus: unary('softplus'),
  Sqrt: unary('sqrt'),
  Tan: unary('tan'),
  Tanh: unary('tanh'),
  Reciprocal: ({ x }) => g.div(of(x, 1), x),
  Rsqrt: ({ x }) => g.div(of(x, 1), g.sqrt(x)),
  Square: ({ x }) => g.square(x),
  Elu: ({ x }) => elu(x),
  Selu: ({ x }) => selu(x),
  Relu6: ({ x }) => relu6(x),
  LeakyRelu: ({ x }, { alpha }) => leakyRelu(x, alpha),
  Prelu: ({ x, alpha }) => prelu(x, alpha),
  ClipByValue: ({ x }, { clipValueMin, clipValueMax }) =>
    g.minimum(g.maximum(x, of(x, clipValueMin)), of(x, clipValueMax)),
  Step: ({ x }, { alpha }) => g.select(g.less(of(x, 0), x), of(x, 1), of(x, alpha)),
  Add: ({ a, b }) => g.add(a, b),
  AddN: (inputs) => Object.values(inputs).reduce(g.add),
  Sub: ({ a, b }) => g.sub(a, b),
  Multiply: ({ a, b }) => g.mul(a, b),
  RealDiv: ({ a, b }) => g.div(a, b),
  FloorDiv: ({ a, b }) => g.unary('floor', g.div(a, b)),
  Mod: ({ a, b }) => mod(a, b),
  Pow: ({ a, b }) => g.pow(a, b),
  Maximum: ({ a, b }) => g.maximum(a, b),
  Minimum: ({ a, b }) => g.minimum(a, b),
  SquaredDifference: ({ a, b }) => g.square(g.sub(a, b)),
  Atan2: ({ a, b }) => atan2(a, b),
  Less: ({ a, b }) => g.less(a, b),
  Greater: ({ a, b }) => g.less(b, a),
  LessEqual: ({ a, b }) => g.maximum(g.less(a, b), g.equal(a, b)),
  GreaterEqual: ({ a, b }) => g.maximum(g.less(b, a), g.equal(a, b)),
  Equal: ({ a, b }) => g.equal(a, b),
  NotEqual: ({ a, b }) => not(g.equal(a, b)),
  LogicalAnd: ({ a, b }) => g.mul(notZero(a), notZero(b)),
  LogicalOr: ({ a, b }) => g.maximum(notZero(a), notZero(b)),
  LogicalXor: ({ a, b }) => not(g.equal(notZero(a), notZero(b))),
  LogicalNot: ({ x }) => g.equal(x, of(x, 0)),
  IsNan: ({ x }) => nan(x),
  IsInf: ({ x }) => infinite(x),
  IsFinite: ({ x }) => not(g.maximum(nan(x), infinite(x))),
  Select: ({ condition, t, e }) => g.select(condition, t, e),
}
