import {
  add,
  binary,
  div,
  exp,
  less,
  log,
  mul,
  neg,
  offset,
  pow,
  scale,
  select,
  sigmoid,
  sqrt,
  square,
  sub,
  unary,
} from './elementwise'
import { gather, scatterAdd } from './indexing'
import { fill, scalar } from './leaves'
import { conv, convFilterGrad, convInputGrad, matMul } from './linear'
import type { Node, Op, UnaryOp } from './node'
import { argmax, mean, oneHot, softmax, sum, sumTo } from './reduction'
import { inversePermutation } from './shape'
import { pad, slice, sliceAxis } from './slicing'
import { inverseDeviation, standardize, standardizeGrad } from './standardize'
import { broadcast, reshape, reverse, swapLast, transpose } from './structure'

/** The part of the cotangent g of node y that reaches input i; undefined where the derivative is zero everywhere. */
export type VjpRule<K extends Op> = (y: Node<K>, g: Node, i: number) => Node | undefined

type Derivative = (g: Node, x: Node, y: Node) => Node | undefined

const zero = () => undefined
const one = (x: Node): Node => scalar(x.graph, 1)

/** g · f′(x) for y = f(x). */
const derivatives: Record<UnaryOp, Derivative> = {
  neg: (g) => neg(g),
  exp: (g, _, y) => mul(g, y),
  log: (g, x) => div(g, x),
  sqrt: (g, _, y) => scale(div(g, y), 0.5),
  sigmoid: (g, _, y) => mul(g, mul(y, sub(one(y), y))),
  tanh: (g, _, y) => mul(g, sub(one(y), square(y))),
  relu: (g, x) => select(less(scalar(x.graph, 0), x), g, scalar(x.graph, 0)),
  softplus: (g, x) => mul(g, sigmoid(x)),
  abs: (g, x) => mul(g, unary('sign', x)),
  sign: zero,
  floor: zero,
  ceil: zero,
  round: zero,
  sin: (g, x) => mul(g, unary('cos', x)),
  cos: (g, x) => neg(mul(g, unary('sin', x))),
  tan: (g, _, y) => mul(g, offset(square(y), 1)),
  asin: (g, x) => div(g, sqrt(sub(one(x), square(x)))),
  acos: (g, x) => neg(div(g, sqrt(sub(one(x), square(x))))),
  atan: (g, x) => div(g, offset(square(x), 1)),
  sinh: (g, x) => mul(g, unary('cosh', x)),
  cosh: (g, x) => mul(g, unary('sinh', x)),
  asinh: (g, x) => div(g, sqrt(offset(square(x), 1))),
  acosh: (g, x) => div(g, sqrt(offset(square(x), -1))),
  atanh: (g, x) => div(g, sub(one(x), square(x))),
  erf: (g, x) => mul(g, scale(exp(neg(square(x))), 2 / Math.sqrt(Math.PI))),
  expm1: (g, _, y) => mul(g, offset(y, 1)),
  log1p: (g, x) => div(g, offset(x, 1)),
  gelu: (g, x) => mul(g, unary('geluDerivative', x)),
  geluDerivative: (g, x) => mul(g, unary('geluSecondDerivative', x)),
  // ((2 − x²) φ)′ = x (x² − 4) φ
  geluSecondDerivative: (g, x) => mul(g, mul(mul(x, offset(square(x), -4)), normalDensity(x))),
}

/** φ(x) = e^(−x²/2) / √(2π) */
const normalDensity = (x: Node): Node => scale(exp(scale(square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI))

const unaryRules = Object.fromEntries(
  Object.entries(derivatives).map(([op, d]) => [op, ((y, g) => d(g, y.inputs[0], y)) as VjpRule<UnaryOp>]),
) as { [K in UnaryOp]: VjpRule<K> }

/** Reduces a cotangent to the shape of the input it belongs to: the adjoint of implicit broadcasting. */
const unbroadcast = (g: Node, input: Node): Node => sumTo(g, input.shape)

/** Every primitive's vector–Jacobian product, written in primitives. */
export const vjp: { [K in Op]: VjpRule<K> } = {
  ...unaryRules,
  input: zero,
  parameter: zero,
  constant: zero,
  iota: zero,
  less: zero,
  equal: zero,
  argmax: zero,
  add: (y, g, i) => unbroadcast(g, y.inputs[i]),
  sub: (y, g, i) => unbroadcast(i === 0 ? g : neg(g), y.inputs[i]),
  mul: (y, g, i) => unbroadcast(mul(g, y.inputs[1 - i]), y.inputs[i]),
  div: (y, g, i) => {
    const [a, b] = y.inputs
    return i === 0 ? unbroadcast(div(g, b), a) : unbroadcast(neg(div(mul(g, y), b)), b)
  },
  pow: (y, g, i) => {
    const [a, b] = y.inputs
    if (i === 0) return unbroadcast(mul(g, mul(b, pow(a, offset(b, -1)))), a)
    // aᵇ log a, and 0 where a ≤ 0, as every framework has it
    const positive = less(scalar(a.graph, 0), a)
    return unbroadcast(mul(g, mul(y, log(select(positive, a, one(a))))), b)
  },
  // with u = βx, s = σ(u), σ′ = s (1 − s) and f(u) = s + u σ′, of which f′ = σ′ (2 + u (1 − 2s)): the three are x s, f(u) and β f′(u)
  swish: (y, g, i) => {
    const [x, beta] = y.inputs
    const slope = i === 0 ? binary('swishDerivative', x, beta) : mul(square(x), steepness(mul(beta, x)))
    return unbroadcast(mul(g, slope), y.inputs[i])
  },
  swishDerivative: (y, g, i) => {
    const [x, beta] = y.inputs
    const slope = i === 0 ? binary('swishSecondDerivative', x, beta) : mul(x, bend(mul(beta, x)))
    return unbroadcast(mul(g, slope), y.inputs[i])
  },
  // f″ = σ′ ((1 − 2s) (3 + u (1 − 2s)) − 2u σ′)
  swishSecondDerivative: (y, g, i) => {
    const [x, beta] = y.inputs
    const u = mul(beta, x)
    const [steep, tilt] = [steepness(u), tiltOf(u)]
    const third = mul(steep, sub(mul(tilt, offset(mul(u, tilt), 3)), scale(mul(u, steep), 2)))
    const slope = i === 0 ? mul(square(beta), third) : add(bend(u), mul(u, third))
    return unbroadcast(mul(g, slope), y.inputs[i])
  },
  // a + swish(d, β) with d = b − a
  smoothMaximum: (y, g, i) => {
    const [a, b, beta] = y.inputs
    const d = sub(b, a)
    if (i === 2) return unbroadcast(mul(g, mul(square(d), steepness(mul(beta, d)))), beta)
    const share = mul(g, binary('swishDerivative', d, beta))
    return unbroadcast(i === 1 ? share : sub(g, share), y.inputs[i])
  },
  maximum: (y, g, i) => unbroadcast(chooseGradient(less(y.inputs[0], y.inputs[1]), g, i === 1), y.inputs[i]),
  minimum: (y, g, i) => unbroadcast(chooseGradient(less(y.inputs[1], y.inputs[0]), g, i === 1), y.inputs[i]),
  select: (y, g, i) => (i === 0 ? undefined : unbroadcast(chooseGradient(y.inputs[0], g, i === 1), y.inputs[i])),
  reshape: (y, g) => reshape(g, y.inputs[0].shape),
  transpose: (y, g) => transpose(g, inversePermutation(y.attributes.permutation)),
  broadcast: (y, g) => unbroadcast(g, y.inputs[0]),
  slice: (y, g) => {
    const { start } = y.attributes
    return pad(
      g,
      start,
      y.inputs[0].shape.map((n, i) => n - start[i] - y.shape[i]),
    )
  },
  pad: (y, g) => slice(g, y.attributes.low, y.inputs[0].shape),
  reverse: (y, g) => reverse(g, y.attributes.axes),
  concat: (y, g, i) => {
    const { axis } = y.attributes
    const begin = y.inputs.slice(0, i).reduce((total, n) => total + n.shape[axis], 0)
    return sliceAxis(g, axis, begin, y.inputs[i].shape[axis])
  },
  sum: (y, g) => broadcast(g, y.inputs[0].shape),
  max: (y, g) => {
    const [x] = y.inputs
    const { axis } = y.attributes
    return select(oneHot(argmax(x, axis), axis, x.shape[axis]), g, fill(x.graph, 0, []))
  },
  softmax: (y, g) => mul(y, sub(g, sum(mul(g, y), [-1]))),
  logSoftmax: (y, g) => sub(g, mul(softmax(y.inputs[0]), sum(g, [-1]))),
  standardize: (y, g) => standardizeGrad(y.inputs[0], g, y.attributes.epsilon),
  // ∂r/∂x = −r² s / n
  inverseDeviation: (y, g) => {
    const [x] = y.inputs
    const s = standardize(x, y.attributes.epsilon)
    return scale(mul(mul(g, square(y)), s), -1 / x.shape[x.shape.length - 1])
  },
  // with y = J v: ∂⟨g, J v⟩/∂x = −r (mean(g·y) s + mean(s·v) J g + mean(s·g) y)
  standardizeGrad: (y, g, i) => {
    const [x, v] = y.inputs
    const { epsilon } = y.attributes
    const turned = standardizeGrad(x, g, epsilon)
    if (i === 1) return turned
    const s = standardize(x, epsilon)
    const along = (a: Node, b: Node, direction: Node) => mul(mean(mul(a, b), [x.shape.length - 1]), direction)
    const total = add(along(g, y, s), add(along(s, v, turned), along(s, g, y)))
    return neg(mul(inverseDeviation(x, epsilon), total))
  },
  matMul: (y, g, i) => {
    const [a, b] = y.inputs
    return i === 0 ? unbroadcast(matMul(g, swapLast(b)), a) : unbroadcast(matMul(swapLast(a), g), b)
  },
  gemm: (y, g, i) => {
    const [a, b, c] = y.inputs
    const { alpha, beta } = y.attributes
    if (i === 2) return scale(unbroadcast(g, c), beta)
    return scale(i === 0 ? unbroadcast(matMul(g, swapLast(b)), a) : unbroadcast(matMul(swapLast(a), g), b), alpha)
  },
  conv: (y, g, i) => {
    const [x, w, bias] = y.inputs
    if (i === 2)
      return reshape(
        sumTo(
          g,
          y.shape.map((n, axis) => (axis === 1 ? n : 1)),
        ),
        bias.shape,
      )
    return i === 0 ? convInputGrad(g, w, y.attributes, x.shape) : convFilterGrad(x, g, y.attributes, w.shape)
  },
  convInputGrad: (y, g, i) => {
    const [dy, w] = y.inputs
    return i === 0 ? conv(g, w, y.attributes) : convFilterGrad(g, dy, y.attributes, w.shape)
  },
  convFilterGrad: (y, g, i) => {
    const [x, dy] = y.inputs
    if (i === 2) return neg(reshape(g, y.inputs[2].shape))
    return i === 0 ? convInputGrad(dy, g, y.attributes, x.shape) : conv(x, g, y.attributes)
  },
  gather: (y, g, i) => (i === 0 ? scatterAdd(g, y.inputs[1], y.inputs[0].shape) : undefined),
  scatterAdd: (y, g, i) => (i === 0 ? gather(g, y.inputs[1]) : undefined),
}

/** σ′(u) = s (1 − s) */
const steepness = (u: Node): Node => mul(sigmoid(u), sub(one(u), sigmoid(u)))

/** 1 − 2 σ(u) */
const tiltOf = (u: Node): Node => sub(one(u), scale(sigmoid(u), 2))

/** f′(u) = σ′ (2 + u (1 − 2s)) */
const bend = (u: Node): Node => mul(steepness(u), offset(mul(u, tiltOf(u)), 2))

/** g where the mask says so, else 0. */
function chooseGradient(mask: Node, g: Node, where: boolean): Node {
  const nothing = scalar(g.graph, 0)
  return where ? select(mask, g, nothing) : select(mask, nothing, g)
}
