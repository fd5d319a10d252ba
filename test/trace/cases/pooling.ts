import * as tf from '@tensorflow/tfjs-core'
import { moved, type OpCase } from './case'

export const poolingCases: OpCase[] = [
  moved('avgPool 2x2 s2', [1, 4, 4, 1], (z) => tf.avgPool(z, 2, 2, 'valid')),
  // tfjs's own gradient of 'same' divides by the whole window; its forward, which is all that is traced, is right
  moved('avgPool 3x3 s1 same', [1, 4, 4, 1], (z) => tf.avgPool(z, 3, 1, 'same')),
  moved('avgPool 3x3 s2 same', [1, 5, 4, 1], (z) => tf.avgPool(z, 3, 2, 'same')),
  moved('avgPool 2x2 s2 ragged 5x5', [1, 5, 5, 1], (z) => tf.avgPool(z, 2, 2, 'valid')),
  moved('avgPool overlapping, 2 channels', [2, 3, 3, 2], (z) => tf.avgPool(z, 2, 1, 'valid')),
  moved('avgPool pad 1', [1, 4, 4, 1], (z) => tf.avgPool(z, 3, 2, 1, 'floor')),
  moved('maxPool 2x2 s2', [1, 4, 4, 1], (z) => tf.maxPool(z, 2, 2, 'valid')),
  moved('maxPool 3x3 s1 same', [1, 4, 4, 1], (z) => tf.maxPool(z, 3, 1, 'same')),
  moved('maxPool 3x3 s2 same (overlap)', [1, 5, 4, 1], (z) => tf.maxPool(z, 3, 2, 'same')),
  moved('maxPool 2x2 s2 ragged 5x5', [1, 5, 5, 1], (z) => tf.maxPool(z, 2, 2, 'valid')),
  moved('maxPool of negative numbers, same', [1, 3, 3, 2], (z) => tf.maxPool(z, 2, 2, 'same'), {
    low: -1.2,
    high: -0.2,
  }),
  moved('avgPool3d', [1, 4, 2, 2, 1], (z) => tf.avgPool3d(z, 2, 2, 'valid')),
  moved('avgPool3d same', [1, 3, 2, 2, 1], (z) => tf.avgPool3d(z, 2, 1, 'same')),
  moved('maxPool 3x3 s3', [1, 6, 6, 1], (z) => tf.maxPool(z, 3, 3, 'valid')),
  moved('maxPool 2x2 s3 (gaps)', [2, 8, 5, 2], (z) => tf.maxPool(z, 2, 3, 'valid')),
  moved('maxPool of relu', [2, 4, 4, 2], (z) => tf.maxPool(tf.relu(tf.add(z, 0.1)), 2, 2, 'valid')),
  moved('maxPool3d', [1, 4, 2, 2, 1], (z) => tf.maxPool3d(z, 2, 2, 'valid')),
  moved('tf.pool max', [1, 5, 4, 1], (z) => tf.pool(z, [2, 2], 'max', 'valid', 2)),
  moved('tf.pool avg', [1, 4, 4, 1], (z) => tf.pool(z, [2, 2], 'avg', 'same', 1)),
  moved('global avg (mean [1,2])', [1, 3, 3, 2], (z) => tf.mean(z, [1, 2])),
  moved('global max (max [1,2])', [1, 3, 3, 2], (z) => tf.max(z, [1, 2])),
]
