import * as tf from '@tensorflow/tfjs-core'
import { type OpCase, type T, weighted } from './case'

const product = (name: string, x: number[], w: number[], f: (x: T, w: T) => T): OpCase =>
  weighted(name, x, { w }, (a, all) => f(a, all.w))

const fused = (name: string, activation?: string, bias = true): OpCase => ({
  ...weighted(`fused.matMul ${name}`, [2, 3], bias ? { w: [3, 4], b: [4] } : { w: [3, 4] }, (x, { w, b }) =>
    tf.fused.matMul({ a: x, b: w, bias: b, activation: activation as 'relu', leakyreluAlpha: 0.1 }),
  ),
  seed: 4,
})

export const productCases: OpCase[] = [
  product('matMul', [2, 3], [3, 2], tf.matMul),
  product('matMul tA', [3, 2], [3, 2], (x, w) => tf.matMul(x, w, true)),
  product('matMul tB', [2, 3], [2, 3], (x, w) => tf.matMul(x, w, false, true)),
  product('matMul tA tB', [3, 2], [4, 3], (x, w) => tf.matMul(x, w, true, true)),
  product('matMul 3D', [2, 2, 3], [2, 3, 2], tf.matMul),
  product('matMul 3D bcast [1,4,2]', [3, 2, 4], [1, 4, 2], tf.matMul),
  product('matMul 3D x 2D', [2, 2, 3], [3, 2], tf.matMul),
  {
    ...product('matMul 4D bcast both', [2, 1, 2, 3], [1, 3, 3, 2], tf.matMul),
    // tfjs multiplies three pairs only and gives 12 numbers for the shape [2, 3, 2, 2]
    right: (x, { w }) => tf.sin(tf.matMul(tf.tile(tf.sin(x), [1, 3, 1, 1]), tf.tile(w, [2, 1, 1, 1]))),
  },
  product('dot 1D', [4], [4], tf.dot),
  product('dot 2D', [2, 3], [3, 2], tf.dot),
  product('outerProduct', [3], [2], tf.outerProduct),
  product('einsum bij,jk->bik', [2, 2, 3], [3, 2], (x, w) => tf.einsum('bij,jk->bik', x, w)),
  product('einsum bhqd,bhkd->bhqk', [1, 2, 2, 3], [1, 2, 3, 3], (x, w) => tf.einsum('bhqd,bhkd->bhqk', x, w)),
  product('einsum ij->ji', [2, 3], [2, 3], (x, w) => tf.einsum('ij->ji', tf.mul(x, w))),
  fused('linear', 'linear', false),
  fused('+bias linear', 'linear'),
  fused('+bias relu', 'relu'),
  fused('+bias relu6', 'relu6'),
  fused('+bias elu', 'elu'),
  fused('+bias sigmoid', 'sigmoid'),
  fused('+bias leakyrelu', 'leakyrelu'),
  weighted('fused.matMul +bias prelu', [2, 3], { w: [3, 2], b: [2], a: [2] }, (x, { w, b, a }) =>
    tf.fused.matMul({ a: x, b: w, bias: b, activation: 'prelu', preluActivationWeights: a }),
  ),
  weighted('attention softmax(QK^T)V', [3, 4], { q: [4, 4], k: [4, 4], v: [4, 4] }, (x, { q, k, v }) => {
    const scores = tf.matMul(tf.matMul(x, q), tf.matMul(x, k), false, true)
    return tf.matMul(tf.softmax(tf.mul(scores, tf.scalar(0.5))), tf.matMul(x, v))
  }),
]
