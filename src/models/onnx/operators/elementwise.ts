import { countOf } from '../../../errors/counted'
import * as g from '../../../graph'
import { kernels } from '../../../trace'
import { type Call, type Operator, type Operators, of, type Value } from '../call'
import type { NumberKind } from '../tensor-values'

const unary =
  (op: g.UnaryOp): Operator =>
  (call) =>
    g.unary(op, call.x())

const binary =
  (f: (a: g.Node, b: g.Node) => g.Node): Operator =>
  (call) =>
    f(call.x(0), call.x(1))

/** The operator of the recorder of that name, with a and b. */
const traced = (name: string): Operator => binary((a, b) => kernels[name]({ a, b }, {}, a.graph) as g.Node)

const boolean =
  (operator: Operator): Operator =>
  (call) => ({ node: operator(call) as g.Node, kind: 'boolean' })

/** An operator of any number of inputs, under broadcasting. */
const many =
  (f: (a: g.Node, b: g.Node) => g.Node): Operator =>
  (call) =>
    call.inputs.map((_, i) => call.x(i)).reduce(f)

const truncate = (x: g.Node): g.Node => g.mul(g.unary('sign', x), g.unary('floor', g.abs(x)))

/** x where it is above 0, else y. */
const above = (x: g.Node, positive: g.Node, y: g.Node): g.Node => g.select(g.less(of(x, 0), x), positive, y)
/** e^x − 1 where x is below 0; the exponent is kept from overflowing where it is not used. */
const expm1 = (x: g.Node): g.Node => g.unary('expm1', g.minimum(x, of(x, 0)))
/** At the limit itself the slope is that of the limit, 0, as PyTorch has it for relu6. */
const clip = (x: g.Node, low: number, high: number): g.Node => g.minimum(of(x, high), g.maximum(of(x, low), x))
/** The larger of two, and of two equal ones the half of each: so PyTorch shares out the slope. */
const larger = (a: g.Node, b: g.Node): g.Node => half(g.add(g.maximum(a, b), g.maximum(b, a)))
const smaller = (a: g.Node, b: g.Node): g.Node => half(g.add(g.minimum(a, b), g.minimum(b, a)))
const half = (x: g.Node): g.Node => g.scale(x, 0.5)

/** x Φ(x), or its approximation √(2/π)(x + 0.044715 x³) under tanh (Hendrycks and Gimpel 2016). */
function gelu(call: Call): g.Node {
  const x = call.x()
  if (call.text('approximate', 'none') === 'none')
    return g.mul(half(x), g.offset(g.unary('erf', g.scale(x, Math.SQRT1_2)), 1))
  const cubic = g.add(x, g.scale(g.mul(x, g.square(x)), 0.044715))
  return g.mul(half(x), g.offset(g.unary('tanh', g.scale(cubic, Math.sqrt(2 / Math.PI))), 1))
}

/** Limits are attributes before version 11 of the operators, and inputs since. At a limit the slope is 0, as in `clip`. */
function clipped(call: Call): g.Node {
  const x = call.x()
  const limit = (name: string, i: number, otherwise: number): g.Node =>
    call.opset < 11 ? of(x, call.number(name, otherwise)) : (call.optional(i) ?? of(x, otherwise))
  const [low, high] = [limit('min', 1, Number.NEGATIVE_INFINITY), limit('max', 2, Number.POSITIVE_INFINITY)]
  const isOpen = (node: g.Node) => Math.abs(g.uniformValue(node) ?? 0) >= 3.4e38
  const bounded = isOpen(low) ? x : g.maximum(low, x)
  return isOpen(high) ? bounded : g.minimum(high, bounded)
}

/** Over one axis; before version 13 over all axes from that one on, as one. */
const overAxis =
  (f: (x: g.Node) => g.Node): Operator =>
  (call) => {
    const x = call.x()
    const rank = x.shape.length
    const given = call.integer('axis', call.opset < 13 ? 1 : -1)
    const axis = given < 0 ? given + rank : given
    if (!(axis >= 0 && axis < Math.max(rank, 1)))
      throw call.wrong(`axis is ${given}; the input has ${countOf(rank, 'axis', 'axes')}`)
    if (call.opset < 13) {
      const rows = g.sizeOf(x.shape.slice(0, axis))
      return g.reshape(f(g.reshape(x, [rows, g.sizeOf(x.shape) / rows])), x.shape)
    }
    const swap = g.range(rank).map((i) => (i === axis ? rank - 1 : i === rank - 1 ? axis : i))
    return g.transpose(f(g.transpose(x, swap)), swap)
  }

const divide: Operator = (call) => {
  const quotient = g.div(call.x(0), call.x(1))
  return call.kind(0) === 'float' ? quotient : truncate(quotient)
}

/** The sign of the divisor for integers, that of the dividend with `fmod`. */
const modulo: Operator = (call) => {
  const [a, b] = [call.x(0), call.x(1)]
  const round = call.integer('fmod', 0) ? truncate : (x: g.Node) => g.unary('floor', x)
  return g.sub(a, g.mul(b, round(g.div(a, b))))
}

/** ONNX's numbers for types that a cast gives. */
const FLOATS: ReadonlySet<number> = new Set([1, 10, 11, 16])

/** Floats stay as they are: the attack computes in one precision. */
export function castTo(x: g.Node, from: NumberKind, to: NumberKind): Value {
  if (to === 'boolean' && from !== 'boolean') return { node: g.sub(of(x, 1), g.equal(x, of(x, 0))), kind: to }
  return { node: to === 'integer' && from === 'float' ? truncate(x) : x, kind: to }
}

const cast: Operator = (call) => {
  const to = call.integer('to', 1)
  if (to === 8) throw call.refuse('makes text; a model of numbers is needed')
  return castTo(call.x(), call.kind(0), FLOATS.has(to) ? 'float' : to === 9 ? 'boolean' : 'integer')
}

/** A mask is random: a gradient with one is that of no function. */
const dropout: Operator = (call) => {
  const x = call.x()
  const mode = call.optional(2)
  const random = call.training || (mode !== undefined && g.uniformValue(mode) !== 0)
  const ratio = call.opset < 12 ? call.number('ratio', 0.5) : (call.known(1)?.[0] ?? 0.5)
  if (random && ratio > 0)
    throw call.refuse(
      'draws a random mask in training mode; export the model in evaluation mode (model.eval()), and set training to false',
    )
  return [x, { node: g.fill(call.graph, 1, x.shape), kind: 'boolean' }]
}

const hardSigmoid = (x: g.Node, alpha: number, beta: number): g.Node => clip(g.offset(g.scale(x, alpha), beta), 0, 1)
const logistic = (x: g.Node): g.Node => g.unary('sigmoid', x)
const not = (x: g.Node): g.Node => g.equal(x, of(x, 0))

export const elementwiseOperators: Operators = {
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
  // none of ONNX's: tf2onnx leaves it in the GELU of Keras 3
  Erfc: (call) => g.sub(of(call.x(), 1), g.unary('erf', call.x())),
  Exp: unary('exp'),
  Floor: unary('floor'),
  Log: unary('log'),
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
  Identity: (call) => call.x(),
  Reciprocal: (call) => g.div(of(call.x(), 1), call.x()),
  Add: binary(g.add),
  Sub: binary(g.sub),
  Mul: binary(g.mul),
  Div: divide,
  Pow: binary(g.pow),
  Mod: modulo,
  Sum: many(g.add),
  Max: many(larger),
  Min: many(smaller),
  Mean: (call) => g.scale(call.inputs.map((_, i) => call.x(i)).reduce(g.add), 1 / call.inputs.length),
  LeakyRelu: (call) => above(call.x(), call.x(), g.scale(call.x(), call.number('alpha', 0.01))),
  PRelu: (call) => above(call.x(0), call.x(0), g.mul(call.x(1), call.x(0))),
  Elu: (call) => above(call.x(), call.x(), g.scale(expm1(call.x()), call.number('alpha', 1))),
  Celu: (call) => {
    const [x, alpha] = [call.x(), call.number('alpha', 1)]
    return above(x, x, g.scale(expm1(g.scale(x, 1 / alpha)), alpha))
  },
  Selu: (call) => {
    const [x, gamma] = [call.x(), call.number('gamma', 1.0507009873554805)]
    return g.scale(above(x, x, g.scale(expm1(x), call.number('alpha', 1.6732632423543772))), gamma)
  },
  ThresholdedRelu: (call) => {
    const x = call.x()
    return g.select(g.less(of(x, call.number('alpha', 1)), x), x, of(x, 0))
  },
  HardSigmoid: (call) => hardSigmoid(call.x(), call.number('alpha', 0.2), call.number('beta', 0.5)),
  HardSwish: (call) => g.mul(call.x(), hardSigmoid(call.x(), 1 / 6, 0.5)),
  Softsign: (call) => g.div(call.x(), g.offset(g.abs(call.x()), 1)),
  Mish: (call) => g.mul(call.x(), g.unary('tanh', g.unary('softplus', call.x()))),
  Swish: (call) => g.mul(call.x(), logistic(g.scale(call.x(), call.number('alpha', 1)))),
  Gelu: gelu,
  Clip: clipped,
  Softmax: overAxis(g.softmax),
  LogSoftmax: overAxis(g.logSoftmax),
  Less: boolean(traced('Less')),
  LessOrEqual: boolean(traced('LessEqual')),
  Greater: boolean(traced('Greater')),
  GreaterOrEqual: boolean(traced('GreaterEqual')),
  Equal: boolean(traced('Equal')),
  And: boolean(traced('LogicalAnd')),
  Or: boolean(traced('LogicalOr')),
  Xor: boolean(traced('LogicalXor')),
  Not: boolean((call) => not(call.x())),
  IsNaN: boolean((call) => not(g.equal(call.x(), call.x()))),
  IsInf: boolean((call) => {
    const x = call.x()
    const [up, down] = [call.integer('detect_positive', 1), call.integer('detect_negative', 1)]
    const infinite = up ? (down ? g.abs(x) : x) : g.neg(x)
    return up || down ? g.equal(infinite, of(x, Number.POSITIVE_INFINITY)) : g.fill(call.graph, 0, x.shape)
  }),
  Where: (call) => ({ node: g.select(call.x(0), call.x(1), call.x(2)), kind: call.kind(1) }),
  Cast: cast,
  CastLike: (call) => castTo(call.x(), call.kind(0), call.kind(1)),
  Dropout: dropout,
}
