import * as tf from '@tensorflow/tfjs-core'
import { type OpCase, type T, weighted } from './case'

type F = (x: T, k: T, b: T) => T
const conv = (name: string, x: number[], k: number[], f: F, bias?: number): OpCase =>
  weighted(name, x, bias ? { k, b: [bias] } : { k }, (a, all) => f(a, all.k, all.b))
const image = [1, 5, 5, 2]
const filter = [3, 3, 2, 2]

export const convolutionCases: OpCase[] = [
  conv('conv1d same', [2, 5, 2], [3, 2, 2], (x, k) => tf.conv1d(x, k, 1, 'same')),
  conv('conv1d valid s2', [1, 6, 2], [3, 2, 2], (x, k) => tf.conv1d(x, k, 2, 'valid')),
  conv('conv2d 1x1', [1, 3, 3, 2], [1, 1, 2, 3], (x, k) => tf.conv2d(x, k, 1, 'valid')),
  conv('conv2d 3x3 same s1', [1, 4, 4, 2], filter, (x, k) => tf.conv2d(x, k, 1, 'same')),
  conv('conv2d 3x3 valid s1', image, filter, (x, k) => tf.conv2d(x, k, 1, 'valid')),
  conv('conv2d 3x3 same s2', image, filter, (x, k) => tf.conv2d(x, k, 2, 'same')),
  conv('conv2d 3x3 same s2 even', [1, 4, 6, 1], [3, 3, 1, 2], (x, k) => tf.conv2d(x, k, 2, 'same')),
  conv('conv2d 3x3 valid s2 (exact)', image, filter, (x, k) => tf.conv2d(x, k, 2, 'valid')),
  conv('conv2d 3x3 valid s2 (ragged 6x6)', [1, 6, 6, 1], [3, 3, 1, 2], (x, k) => tf.conv2d(x, k, 2, 'valid')),
  conv('conv2d 5x5 s2 same (LeNet DLG)', [1, 8, 8, 2], [5, 5, 2, 3], (x, k) => tf.conv2d(x, k, 2, 'same')),
  conv('conv2d pad=1 explicit', [1, 4, 4, 2], filter, (x, k) => tf.conv2d(x, k, 2, 1, 'NHWC', 1, 'floor')),
  conv(
    'conv2d explicit pad array',
    [1, 4, 4, 1],
    [3, 3, 1, 2],
    (x, k) =>
    tf.conv2d(x, k, 1, [[0, 0], [1, 2], [0, 1], [0, 0]]), // biome-ignore format: pairs
  ),
  conv('conv2d of a mask', [1, 4, 4, 2], filter, (x, k) =>
    tf.mul(tf.sum(tf.square(x)), tf.conv2d(tf.cast(tf.greater(x, 0.05), 'float32') as T, k, 1, 'same')),
  ),
  conv('conv2d dilation 2', [1, 6, 6, 1], [2, 3, 1, 2], (x, k) => tf.conv2d(x, k, 1, 'same', 'NHWC', 2)),
  conv('conv2d NCHW', [1, 2, 4, 4], filter, (x, k) => tf.conv2d(x, k, 1, 'same', 'NCHW')),
  conv('conv2d batch 2', [2, 4, 4, 2], filter, (x, k) => tf.conv2d(x, k, 1, 'valid')),
  weighted('conv2d -> sin -> conv2d', [1, 4, 4, 1], { k: [3, 3, 1, 2], l: [2, 2, 2, 1] }, (x, { k, l }) =>
    tf.conv2d(tf.sin(tf.conv2d(x, k, 1, 'same')), l, 1, 'valid'),
  ),
  weighted('conv2d -> sigmoid -> conv2d', [1, 4, 4, 1], { k: [3, 3, 1, 2], l: [2, 2, 2, 1] }, (x, { k, l }) =>
    tf.conv2d(tf.sigmoid(tf.conv2d(x, k, 1, 'same')), l, 2, 'valid'),
  ),
  conv('conv2dTranspose s1', [1, 3, 3, 2], [3, 3, 2, 2], (x, k) => tf.conv2dTranspose(x, k, [1, 3, 3, 2], 1, 'same')),
  conv('conv2dTranspose s2', [1, 3, 3, 2], [3, 3, 1, 2], (x, k) => tf.conv2dTranspose(x, k, [1, 6, 6, 1], 2, 'same')),
  conv('conv2dTranspose s2 valid', [1, 2, 2, 1], [3, 3, 2, 1], (x, k) =>
    tf.conv2dTranspose(x, k, [1, 5, 5, 2], 2, 'valid'),
  ),
  conv('depthwiseConv2d same s1', [1, 4, 4, 2], [3, 3, 2, 1], (x, k) => tf.depthwiseConv2d(x, k, 1, 'same')),
  conv('depthwiseConv2d valid s1 mult2', [2, 4, 4, 2], [3, 3, 2, 2], (x, k) => tf.depthwiseConv2d(x, k, 1, 'valid')),
  conv('depthwiseConv2d same s2', image, [3, 3, 2, 1], (x, k) => tf.depthwiseConv2d(x, k, 2, 'same')),
  conv('depthwiseConv2d dilation 2', image, [2, 2, 2, 1], (x, k) => tf.depthwiseConv2d(x, k, 1, 'same', 'NHWC', 2)),
  weighted('separableConv2d', [1, 4, 4, 2], { d: [3, 3, 2, 2], p: [1, 1, 4, 2] }, (x, { d, p }) =>
    tf.separableConv2d(x, d, p, 2, 'same'),
  ),
  conv('conv3d same', [1, 3, 3, 2, 1], [2, 2, 2, 1, 2], (x, k) => tf.conv3d(x, k, 1, 'same')),
  conv('conv3d valid s2', [1, 3, 4, 3, 1], [2, 2, 2, 1, 2], (x, k) => tf.conv3d(x, k, 2, 'valid')),
  conv('conv3dTranspose', [1, 2, 2, 1, 2], [2, 2, 2, 1, 2], (x, k) =>
    tf.conv3dTranspose(x, k, [1, 4, 4, 2, 1], 2, 'same'),
  ),
  ...(['linear', 'relu', 'sigmoid'] as const).map((activation) =>
    conv(
      `fused.conv2d +bias ${activation}`,
      [1, 4, 4, 1],
      [3, 3, 1, 2],
      (x, k, bias) => tf.fused.conv2d({ x, filter: k, strides: 1, pad: 'same', bias, activation }),
      2,
    ),
  ),
  ...(['linear', 'relu'] as const).map((activation) =>
    conv(
      `fused.depthwiseConv2d +bias ${activation}`,
      [1, 4, 4, 2],
      [3, 3, 2, 1],
      (x, k, bias) => tf.fused.depthwiseConv2d({ x, filter: k, strides: 1, pad: 'same', bias, activation }),
      2,
    ),
  ),
]
