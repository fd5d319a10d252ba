import * as tf from '@tensorflow/tfjs-core'
import { each, type OpCase, type T, weighted } from './case'

const positive = { low: 0.4, high: 1.6 }
const kinked = { away: 0.25 }
const number = (value: number) => tf.scalar(value)
const half = (z: T) => tf.mul(z, number(0.5))
/** A step is seen through what it multiplies. */
const flat = (name: string, f: (z: T) => T): OpCase =>
  each(name, (z) => tf.mul(tf.square(z), tf.add(f(z), number(2))), { low: 0.15, high: 0.35 })

export const elementwiseCases: OpCase[] = [
  each('abs', (z) => tf.square(tf.add(tf.abs(z), z)), kinked),
  each('acos', (z) => tf.acos(half(z))),
  each('acosh', tf.acosh, { low: 1.8, high: 3 }),
  each('asin', (z) => tf.asin(half(z))),
  each('asinh', tf.asinh),
  each('atan', tf.atan),
  each('atanh', (z) => tf.atanh(half(z))),
  flat('ceil', tf.ceil),
  flat('floor', tf.floor),
  flat('round', tf.round),
  flat('sign', tf.sign),
  flat('step', (z) => tf.step(z, 0.1)),
  each('clipByValue', (z) => tf.square(tf.clipByValue(z, -0.5, 0.5)), { seed: 4 }),
  each('cos', tf.cos),
  each('cosh', tf.cosh),
  each('elu', tf.elu, kinked),
  each('erf', tf.erf),
  each('exp', tf.exp),
  each('expm1', tf.expm1),
  each('leakyRelu', (z) => tf.square(tf.leakyRelu(z, 0.1)), kinked),
  each('log', (z) => tf.square(tf.log(z)), positive),
  each('log1p', tf.log1p, { low: -0.5, high: 1 }),
  each('logSigmoid', tf.logSigmoid),
  each('neg', (z) => tf.exp(tf.neg(z))),
  each('pow(x,3)', (z) => tf.pow(z, 3)),
  each('pow(x,scalar 2)', (z) => tf.pow(z, number(2))),
  each('pow(2,x)', (z) => tf.pow(number(2), z)),
  each('pow(x,x) pos', (z) => tf.pow(z, z), positive),
  each('prelu(alpha const)', (z) => tf.square(tf.prelu(z, number(0.2))), kinked),
  each('reciprocal', tf.reciprocal, positive),
  each('relu', (z) => tf.square(tf.relu(z)), kinked),
  each('relu6', (z) => tf.square(tf.relu6(tf.mul(z, number(8)))), { away: 0.25, seed: 2 }),
  each('rsqrt', tf.rsqrt, positive),
  each('selu', tf.selu, kinked),
  each('sigmoid', tf.sigmoid),
  each('sin', tf.sin),
  each('sinh', tf.sinh),
  each('softplus', tf.softplus),
  each('sqrt', tf.sqrt, positive),
  each('square', tf.square),
  each('tan', tf.tan),
  each('tanh', tf.tanh),
  each('gelu tanh-form', (z) => {
    const inner = tf.mul(number(Math.sqrt(2 / Math.PI)), tf.add(z, tf.mul(number(0.044715), tf.pow(z, 3))))
    return tf.mul(half(z), tf.add(number(1), tf.tanh(inner)))
  }),
  each('gelu erf-form', (z) => tf.mul(half(z), tf.add(number(1), tf.erf(tf.div(z, number(Math.SQRT2)))))),
  each('swish x*sigmoid(x)', (z) => tf.mul(z, tf.sigmoid(z))),
  each('mish x*tanh(softplus)', (z) => tf.mul(z, tf.tanh(tf.softplus(z)))),
  each('clone/identity', (z) => tf.square(tf.clone(z))),
  each('cast float32', (z) => tf.square(tf.cast(z, 'float32'))),
  each('cast int32', (z) => tf.mul(tf.square(z), tf.cast(tf.cast(tf.mul(z, number(3)), 'int32'), 'float32')), {
    seed: 5,
  }),
  each('cast bool', (z) => tf.mul(tf.square(z), tf.cast(tf.cast(z, 'bool'), 'float32'))),
  each(
    'comparisons',
    (z) => {
      const masks = [
        tf.less(z, number(0)),
        tf.lessEqual(z, number(0.5)),
        tf.greater(z, number(-0.5)),
        tf.logicalAnd(tf.greaterEqual(z, number(0)), tf.notEqual(z, number(1))),
        tf.logicalOr(tf.equal(z, number(2)), tf.logicalNot(tf.isNaN(z))),
        tf.logicalXor(tf.isFinite(z), tf.isInf(z)),
      ]
      return tf.mul(tf.square(z), tf.addN(masks.map((m, i) => tf.mul(tf.cast(m, 'float32'), number(i + 1)))))
    },
    { seed: 3 },
  ),
]

const pair = (name: string, f: (x: T, w: T) => T, w: number[] = [3], options: Partial<OpCase> = {}): OpCase =>
  weighted(name, [2, 3], { w }, (x, all) => f(x, all.w), options)
const same = [2, 3]
const bothPositive = { low: 0.4, high: 1.4, scale: { low: 0.5, high: 1.6 } }
/** The larger of x and w, times w: where x is the larger, ∂L/∂w depends on it. */
const chosen = (choose: (x: T, w: T) => T) => (x: T, w: T) => tf.mul(choose(x, w), w)
const apart = { seed: 3, scale: { low: -0.8, high: 0.8, away: 0.3 } }

export const binaryCases: OpCase[] = [
  pair('add bcast', tf.add),
  pair('sub bcast', tf.sub),
  pair('mul bcast', tf.mul),
  pair('div bcast', tf.div, [3], bothPositive),
  pair('div w/x', (x, w) => tf.div(w, x), same, bothPositive),
  pair('maximum bcast', chosen(tf.maximum), [3], apart),
  pair('maximum same shape', chosen(tf.maximum), same, apart),
  pair('minimum same shape', chosen(tf.minimum), same, apart),
  pair('minimum bcast', chosen(tf.minimum), [2, 1], apart),
  pair('squaredDifference same', tf.squaredDifference, same),
  pair('squaredDifference bcast', tf.squaredDifference),
  pair('atan2', tf.atan2, same, { away: 0.2, scale: { low: -0.9, high: 0.9, away: 0.3 } }),
  pair('pow(x,w)', tf.pow, same, bothPositive),
  pair('pow(w,x)', (x, w) => tf.pow(w, x), same, bothPositive),
  pair('mod', (x, w) => tf.square(tf.mod(x, w)), same, { low: 0.9, high: 1.2, scale: { low: 0.3, high: 0.38 } }),
  pair('floorDiv', (x, w) => tf.mul(x, tf.add(tf.floorDiv(x, w), tf.square(w))), same, {
    low: 0.9,
    high: 1.2,
    scale: { low: 0.3, high: 0.38 },
  }),
  pair('addN', (x, w) => tf.addN([x, w, tf.mul(x, w)]), same),
  pair('prelu(alpha w)', (x, w) => tf.square(tf.prelu(x, w)), [3], { away: 0.2 }),
  pair('where', (x, w) => tf.where(tf.greater(x, number(0)), tf.mul(x, w), tf.square(w)), same, { away: 0.2 }),
  pair('where broadcasting', (x, w) => tf.where(tf.tensor2d([1, 0], [2, 1], 'bool'), tf.mul(x, w), w), [3]),
]
