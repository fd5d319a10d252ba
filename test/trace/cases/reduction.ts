import * as tf from '@tensorflow/tfjs-core'
import { each, moved, type OpCase, type T } from './case'

const positive = { low: 0.4, high: 1.6 }
/** What is not yet bent by the reduction is bent after it. */
const reduced = (name: string, f: (z: T) => T, options: Partial<OpCase> = {}): OpCase =>
  moved(name, options.x ?? [3, 4], f, options)

export const reductionCases: OpCase[] = [
  each('softmax', (z) => tf.softmax(z)),
  each('softmax', (z) => tf.softmax(tf.transpose(z), 1), { name: 'softmax of a transpose' }),
  each('logSoftmax', (z) => tf.square(tf.logSoftmax(z))),
  each('logSoftmax axis 0 by transpose', (z) => tf.square(tf.transpose(tf.logSoftmax(tf.transpose(z))))),
  each('softmax of a mask', (z) => tf.square(tf.mul(z, tf.softmax(tf.cast(tf.greater(z, 0), 'float32')))), {
    away: 0.2,
  }),
  each('logSoftmax of a mask', (z) => tf.square(tf.mul(z, tf.logSoftmax(tf.cast(tf.greater(z, 0), 'float32')))), {
    away: 0.2,
  }),
  each('logSumExp', (z) => tf.logSumExp(z, 1)),
  each('softmax hand', (z) => {
    const e = tf.exp(tf.sub(z, tf.max(z, 1, true)))
    return tf.div(e, tf.sum(e, 1, true))
  }),
  reduced('sum', (z) => tf.sum(z, [1])),
  reduced('sum of a product with a factor of lower rank', (z) => tf.sum(tf.mul(z, tf.tensor1d([1, 2, 3, 4])), -1), {
    x: [2, 3, 1],
  }),
  reduced('sum keepDims', (z) => tf.sum(z, -1, true)),
  reduced('mean', (z) => tf.mean(z, 0)),
  reduced('mean all', (z) => tf.mean(z)),
  reduced('max', (z) => tf.max(z, 1)),
  reduced('max two axes', (z) => tf.max(z, [0, 2], true), { x: [2, 3, 2] }),
  reduced('min', (z) => tf.min(z, 0)),
  reduced('prod', (z) => tf.prod(z, 1)),
  reduced('cumsum', (z) => tf.cumsum(z, 0)),
  reduced('cumsum exclusive reverse', (z) => tf.cumsum(z, 1, true, true), { x: [2, 3, 2] }),
  reduced('cumprod', (z) => tf.cumprod(z, 1), positive),
  reduced('cumprod exclusive reverse', (z) => tf.cumprod(z, 0, true, true), positive),
  reduced('norm L2', (z) => tf.norm(z)),
  reduced('norm L2 axis', (z) => tf.norm(z, 'euclidean', 1)),
  reduced('norm L1 axis', (z) => tf.norm(z, 1, [1]), { away: 0.2 }),
  reduced('moments.variance', (z) => tf.moments(z, [1]).variance),
  reduced('argMax (no-op path)', (z) => tf.mul(z, tf.add(tf.cast(tf.argMax(z, 0), 'float32'), tf.scalar(1)))),
  reduced('argMin', (z) => tf.mul(tf.transpose(z), tf.add(tf.cast(tf.argMin(z, 1), 'float32'), tf.scalar(1)))),
  reduced('all, any', (z) => {
    const mask = tf.greater(z, tf.scalar(0))
    return tf.mul(z, tf.add(tf.cast(tf.any(mask, 0), 'float32'), tf.cast(tf.all(mask, [0]), 'float32')))
  }),
  each('layernorm primitives (moments)', (z) => {
    const { mean, variance } = tf.moments(z, 1, true)
    return tf.square(tf.div(tf.sub(z, mean), tf.sqrt(tf.add(variance, tf.scalar(1e-3)))))
  }),
]
