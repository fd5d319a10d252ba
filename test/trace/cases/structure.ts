import * as tf from '@tensorflow/tfjs-core'
import { moved, type OpCase, type T, weighted } from './case'

const int = (values: number[] | number[][]) => tf.tensor(values as number[], undefined, 'int32') as T

export const structureCases: OpCase[] = [
  moved('reshape', [2, 3], (z) => tf.reshape(z, [3, -1])),
  moved('transpose', [2, 3, 2], (z) => tf.transpose(z, [2, 0, 1])),
  moved('transpose of a broadcast', [3, 4], (z) =>
    tf.transpose(tf.mul(tf.expandDims(z, 0), tf.ones([2, 3, 4])), [0, 2, 1]),
  ),
  moved('pad', [2, 3], (z) => tf.pad(z, [[1, 0], [0, 2]], 0.3)), // biome-ignore format: pairs
  moved('mirrorPad reflect', [3, 3], (z) => tf.mirrorPad(z, [[1, 2], [2, 0]], 'reflect')), // biome-ignore format: pairs
  moved('mirrorPad symmetric', [3, 2], (z) => tf.mirrorPad(z, [[1, 2], [0, 2]], 'symmetric')), // biome-ignore format: pairs
  moved('slice', [3, 4], (z) => tf.slice(z, [1, 0], [2, -1])),
  moved('slice from a number', [3, 4], (z) => tf.slice(z, 1)),
  moved('slice of a short list', [3, 4], (z) => tf.slice(z, [1], [1])),
  moved('stridedSlice', [5, 4], (z) => tf.stridedSlice(z, [1, 3], [5, 0], [2, -2])),
  moved('stridedSlice masks', [3, 4, 2], (z) => tf.stridedSlice(z, [0, 1, 1], [0, 4, 2], [1, 2, 1], 1, 1, 0, 0, 4), {
    // tfjs forgets where an axis starts when another axis is shrunk away and a stride is not 1
    right: (x, { w }) => {
      const z = tf.sin(tf.mul(x, w))
      return tf.sin(
        tf.stack(
          [1, 3].map((i) => tf.reshape(tf.slice(z, [0, i, 1], [3, 1, 1]), [3])),
          1,
        ),
      )
    },
  }),
  moved('concat', [2, 3], (z) => tf.concat([z, tf.square(z), tf.ones([2, 1])], 1)),
  moved('split', [2, 4], (z) => {
    const [a, b] = tf.split(z, 2, 1)
    return tf.mul(a, b)
  }),
  moved('split uneven', [2, 4], (z) => {
    const [a, b] = tf.split(z, [1, 3], 1)
    return tf.mul(a, b)
  }),
  moved('stack', [2, 3], (z) => tf.stack([z, tf.square(z)], 1)),
  moved('stack last', [2, 3], (z) => tf.stack([z, tf.square(z)], -1)),
  moved('unstack', [2, 3], (z) => tf.mul(...(tf.unstack(z) as [T, T]))),
  moved('tile r3', [2, 1, 3], (z) => tf.tile(z, [2, 2, 1])),
  moved('tile r1', [4], (z) => tf.tile(z, [3])),
  moved('tile r5', [1, 2, 1, 2, 1], (z) => tf.tile(z, [2, 1, 2, 1, 2])),
  moved('reverse', [2, 3], (z) => tf.reverse(z, [-1])),
  moved('flipLeftRight', [1, 2, 3, 1], (z) => tf.image.flipLeftRight(z)),
  moved('expandDims', [2, 3], (z) => tf.mul(tf.expandDims(z, -1), tf.expandDims(z, 1))),
  moved('squeeze', [2, 1, 3], (z) => tf.squeeze(z, [1])),
  moved('broadcastTo', [2, 1], (z) => tf.broadcastTo(z, [2, 3])),
  moved('broadcastTo rank up', [2, 1], (z) => tf.broadcastTo(z, [4, 2, 3])),
  moved('gather axis0', [3, 2], (z) => tf.gather(z, int([2, 0, 2]), 0)),
  moved('gather axis1', [2, 3, 2], (z) => tf.gather(z, int([[2, 0], [1, 1]]), 1)), // biome-ignore format: pairs
  moved('gather batchDims=1', [2, 3, 2], (z) => tf.gather(z, int([[2, 0], [1, 1]]), 1, 1)), // biome-ignore format: pairs
  moved('gatherND', [3, 2, 2], (z) => tf.gatherND(z, int([[2, 1], [0, 0], [2, 1]]))), // biome-ignore format: pairs
  moved('scatterND', [3, 2], (z) => tf.scatterND(int([[1], [3], [1]]), z, [5, 2])), // biome-ignore format: pairs
  moved('unsortedSegmentSum', [4, 2], (z) => tf.unsortedSegmentSum(z, int([1, 0, 1, 2]), 4)),
  moved('spaceToBatchND', [1, 3, 4, 2], (z) => tf.spaceToBatchND(z, [2, 2], [[0, 1], [2, 0]])), // biome-ignore format: pairs
  moved('batchToSpaceND', [4, 2, 2, 1], (z) => tf.batchToSpaceND(z, [2, 2], [[0, 1], [1, 0]])), // biome-ignore format: pairs
  moved('depthToSpace', [1, 2, 1, 8], (z) => tf.depthToSpace(z, 2, 'NHWC')),
  moved('resizeBilinear', [1, 3, 2, 2], (z) => tf.image.resizeBilinear(z, [5, 4])),
  moved('resizeBilinear half pixel, smaller', [1, 4, 5, 1], (z) => tf.image.resizeBilinear(z, [3, 2], false, true)),
  moved('resizeNearestNeighbor', [1, 3, 2, 2], (z) => tf.image.resizeNearestNeighbor(z, [5, 4])),
  moved('resizeNearestNeighbor half pixel', [1, 3, 4, 1], (z) =>
    tf.image.resizeNearestNeighbor(z, [5, 3], false, true),
  ),
  moved('resizeNearestNeighbor alignCorners', [1, 3, 4, 1], (z) => tf.image.resizeNearestNeighbor(z, [5, 3], true)),
  moved('resizeBilinear alignCorners', [1, 3, 2, 1], (z) => tf.image.resizeBilinear(z, [4, 3], true)),
  weighted('embedding table as input (gather)', [4, 2], { w: [3, 2] }, (x, { w }) =>
    tf.mul(tf.gather(x, int([3, 0, 3])), w),
  ),
  weighted('embedding table as weight (gather)', [3, 2], { w: [4, 2] }, (x, { w }) =>
    tf.mul(tf.gather(w, int([3, 0, 3])), x),
  ),
  weighted('embedding oneHot matMul', [3, 2], { w: [4, 2] }, (x, { w }) =>
    tf.mul(tf.matMul(tf.oneHot(int([3, 0, 3]), 4, 1.5, 0.5, 'float32') as T, w), x),
  ),
  moved('fill, range, linspace, ones', [2, 3], (z) =>
    tf.addN([
      tf.mul(z, tf.add(tf.range(0, 6, 2, 'float32'), tf.onesLike(z))),
      tf.mul(tf.square(z), tf.linspace(0, 1, 3)),
      tf.mul(tf.sin(z), tf.fill([2, 3], 0.7)),
      tf.zerosLike(z),
    ]),
  ),
]
