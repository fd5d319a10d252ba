import * as tf from '@tensorflow/tfjs-core'
import { broadcastShapes, type Node, type Op, type Shape, sameShape, sizeOf, type UnaryOp } from '../../graph'
import { meanOf, operands, squeezedSum, summedSquare, swapsLast } from '../plan'
import { broadcastTo, elementwise, pad, slice, where } from './axes'
import { conv, convFilterGrad, convInputGrad } from './convolution'

type Kernel<K extends Op> = (node: Node<K>, inputs: tf.Tensor[]) => tf.Tensor

/** The integral Φ and the density φ of the normal distribution. */
const normal = (x: tf.Tensor): tf.Tensor => tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5)
const density = (x: tf.Tensor): tf.Tensor => tf.mul(tf.exp(tf.mul(tf.square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI))

/** s + u s (1 − s) and s (1 − s) (2 + u (1 − 2s)) with s = σ(u). */
const rising = (u: tf.Tensor): tf.Tensor => tf.mul(tf.sigmoid(u), tf.add(1, tf.mul(u, tf.sigmoid(tf.neg(u)))))
const bending = (u: tf.Tensor): tf.Tensor => {
  const [s, rest] = [tf.sigmoid(u), tf.sigmoid(tf.neg(u))]
  return tf.mul(tf.mul(s, rest), tf.add(2, tf.mul(u, tf.sub(rest, s))))
}

const unary: Record<UnaryOp, (x: tf.Tensor) => tf.Tensor> = {
  neg: tf.neg,
  exp: tf.exp,
  log: tf.log,
  sqrt: tf.sqrt,
  sigmoid: tf.sigmoid,
  tanh: tf.tanh,
  relu: tf.relu,
  softplus: tf.softplus,
  abs: tf.abs,
  sign: tf.sign,
  floor: tf.floor,
  ceil: tf.ceil,
  round: tf.round,
  sin: tf.sin,
  cos: tf.cos,
  tan: tf.tan,
  asin: tf.asin,
  acos: tf.acos,
  atan: tf.atan,
  sinh: tf.sinh,
  cosh: tf.cosh,
  asinh: tf.asinh,
  acosh: tf.acosh,
  atanh: tf.atanh,
  erf: tf.erf,
  expm1: tf.expm1,
  log1p: tf.log1p,
  gelu: (x) => tf.mul(x, normal(x)),
  geluDerivative: (x) => tf.add(normal(x), tf.mul(x, density(x))),
  geluSecondDerivative: (x) => tf.mul(tf.sub(2, tf.square(x)), density(x)),
}

const unaryKernels = Object.fromEntries(
  Object.entries(unary).map(([op, f]) => [op, (_: Node, [x]: tf.Tensor[]) => f(x)]),
) as unknown as { [K in UnaryOp]: Kernel<K> }

/** Masks stay boolean tensors until anything but a selection reads them. */
const float = (x: tf.Tensor): tf.Tensor => (x.dtype === 'float32' ? x : tf.cast(x, 'float32'))

/** wasm broadcasts only the four basic operations: the others get operands of equal shape. */
const explicit =
  (f: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor) =>
  (node: Node, [a, b]: tf.Tensor[]): tf.Tensor =>
    f(broadcastTo(a, node.shape), broadcastTo(b, node.shape))

const implicit =
  (f: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor) =>
  (node: Node, [a, b]: tf.Tensor[]): tf.Tensor =>
    elementwise(f, a, b, node.shape)

const kernels: { [K in Exclude<Op, 'input' | 'parameter' | 'standardizeGrad'>]: Kernel<K> } = {
  ...unaryKernels,
  constant: (node) => tf.tensor([...node.attributes.values], [...node.shape], 'float32'),
  iota: (node) => tf.range(0, node.attributes.size, 1, 'float32'),
  add: (node, [first, ...rest]) => rest.reduce((a, b) => elementwise(tf.add, a, b, node.shape), first),
  sub: implicit(tf.sub),
  mul: (node, [a, b]) => {
    const mean = meanOf(node)
    return mean ? tf.mean(a, [...mean.attributes.axes], true) : elementwise(tf.mul, a, b, node.shape)
  },
  div: implicit(tf.div),
  pow: explicit(tf.pow),
  maximum: explicit(tf.maximum),
  minimum: explicit(tf.minimum),
  less: explicit(tf.less),
  equal: explicit(tf.equal),
  // only where nothing of them varies: what runs is written out
  swish: explicit((x, beta) => tf.mul(x, tf.sigmoid(tf.mul(x, beta)))),
  swishDerivative: explicit((x, beta) => rising(tf.mul(x, beta))),
  swishSecondDerivative: explicit((x, beta) => tf.mul(beta, bending(tf.mul(x, beta)))),
  smoothMaximum: (node, inputs) => {
    const [a, b, beta] = inputs.map((x) => broadcastTo(x, node.shape))
    const u = tf.mul(beta, tf.sub(b, a))
    return tf.add(tf.mul(tf.sigmoid(u), b), tf.mul(tf.sigmoid(tf.neg(u)), a))
  },
  select: (node, [mask, a, b]) =>
    where(
      broadcastTo(mask.dtype === 'bool' ? mask : tf.notEqual(mask, tf.zerosLike(mask)), node.shape),
      broadcastTo(float(a), node.shape),
      broadcastTo(float(b), node.shape),
    ),
  reshape: (node, [x]) => {
    const squeezed = squeezedSum(node)
    return tf.reshape(squeezed ? sum(squeezed.total, x) : x, [...node.shape])
  },
  transpose: (node, [x]) => tf.transpose(x, [...node.attributes.permutation]),
  broadcast: (node, [x]) => broadcastTo(x, node.shape),
  slice: (node, [x]) => slice(x, node.attributes.start, node.shape),
  pad: (node, [x]) =>
    pad(
      x,
      node.attributes.low.map((n, i) => [n, node.attributes.high[i]]),
    ),
  reverse: (node, [x]) => tf.reverse(x, [...node.attributes.axes]),
  concat: (node, inputs) => tf.concat(inputs, node.attributes.axis),
  sum: (node, [x]) => sum(node, x),
  max: (node, [x]) => tf.max(x, node.attributes.axis, true),
  argmax: (node, [x]) => tf.reshape(float(tf.argMax(x, node.attributes.axis)), [...node.shape]),
  softmax: (_, [x]) => tf.softmax(x),
  logSoftmax: (_, [x]) => tf.logSoftmax(x),
  standardize: (node, [x]) => {
    const { deviation, inverse } = momentsOf(x, node.attributes.epsilon)
    return tf.mul(deviation, inverse)
  },
  inverseDeviation: (node, [x]) => momentsOf(x, node.attributes.epsilon).inverse,
  matMul: (node, [a, b]) => product(node, a, b),
  gemm: (node, [a, b, c]) => {
    const { alpha, beta } = node.attributes
    const scaled = (x: tf.Tensor, factor: number) => (factor === 1 ? x : tf.mul(x, factor))
    const whole = scaled(product(node, a, b), alpha)
    return c ? elementwise(tf.add, whole, scaled(c, beta), node.shape) : whole
  },
  conv: (node, [x, w, bias]) => {
    const plain = conv(x, w, node.attributes)
    return bias ? tf.add(plain, tf.reshape(bias, [-1, ...node.shape.slice(2).map(() => 1)])) : plain
  },
  convInputGrad: (node, [y, w]) => convInputGrad(y, w, node.attributes, node.shape),
  convFilterGrad: (node, [x, y, known]) => {
    const gradient = convFilterGrad(x, y, node.attributes, node.shape)
    return known ? tf.sub(gradient, tf.reshape(known, [...node.shape])) : gradient
  },
  gather: (_, [table, indices]) => tf.gather(table, tf.cast(indices, 'int32')),
  scatterAdd: (node, [rows, indices]) => scatterAdd(rows, tf.cast(indices, 'int32') as tf.Tensor1D, node.shape),
}

/** x − mean, and 1 / √(variance + ε), over the last axis. */
function momentsOf(x: tf.Tensor, epsilon: number): { deviation: tf.Tensor; inverse: tf.Tensor } {
  const deviation = tf.sub(x, tf.mean(x, -1, true))
  return { deviation, inverse: tf.rsqrt(tf.add(tf.mean(tf.square(deviation), -1, true), epsilon)) }
}

/** The product of the last two axes. */
function product(node: Node, a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  const [transposeA, transposeB] = node.inputs.map(swapsLast)
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2))
  const plain =
    [a, b].some((t) => sizeOf(t.shape.slice(0, -2)) === 1) || sameShape(a.shape.slice(0, -2), b.shape.slice(0, -2))
  const whole = (t: tf.Tensor) => (plain ? t : broadcastTo(t, [...batch, ...t.shape.slice(-2)]))
  const right = ownData(whole(b), operands(node)[1])
  return tf.reshape(tf.matMul(whole(a), right, transposeA, transposeB), [...node.shape])
}

function sum(node: Node<'sum'>, source: tf.Tensor): tf.Tensor {
  return tf.sum(summedSquare(node) ? tf.square(source) : source, [...node.attributes.axes], true)
}

/**
 * wasm keeps a prepared right factor by its data, whatever its shape: a reshaped view would meet the operator of another
 * shape and write out of bounds. A copy has data of its own.
 */
function ownData(value: tf.Tensor, node: Node): tf.Tensor {
  const view = node.op === 'reshape' && tf.getBackend() === 'wasm'
  return view
    ? tf.slice(
        value,
        value.shape.map(() => 0),
        value.shape,
      )
    : value
}

/** Computes a node; `tensorOf` gives the tensors it reads. */
export function compute(node: Node, tensorOf: (node: Node) => tf.Tensor): tf.Tensor {
  const kernel = kernels[node.op as keyof typeof kernels] as Kernel<Op>
  const inputs = operands(node).map(tensorOf)
  return kernel(node, node.op === 'select' ? inputs : inputs.map(float))
}

/** Where a backend has no segment sum, the sum is a product with the one-hot matrix of the indices. */
function scatterAdd(rows: tf.Tensor, indices: tf.Tensor1D, shape: Shape): tf.Tensor {
  if (tf.getKernel('UnsortedSegmentSum', tf.getBackend())) return tf.unsortedSegmentSum(rows, indices, shape[0])
  const flat = tf.reshape(rows, [indices.shape[0], -1])
  const places = tf.cast(tf.oneHot(indices, shape[0]), 'float32') as tf.Tensor2D
  return tf.reshape(tf.matMul(places, flat as tf.Tensor2D, true), [...shape])
}
