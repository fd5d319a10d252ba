import * as tf from '@tensorflow/tfjs-core'
import { type Shape, sameShape, sizeOf } from '../../graph'

/** wasm's arithmetic and padding (XNNPACK) read this many axes at most, and return garbage for more. */
const MOST_AXES = 6

type Binary = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor
type Padding = readonly [before: number, after: number]

export const broadcastTo = (x: tf.Tensor, shape: Shape): tf.Tensor =>
  sameShape(x.shape, shape) ? x : tf.broadcastTo(x, [...shape] as [number])

/** f(a, b) under broadcasting to `shape`; tensors of many axes are spread out and flattened first. */
export function elementwise(f: Binary, a: tf.Tensor, b: tf.Tensor, shape: Shape): tf.Tensor {
  if (shape.length <= MOST_AXES) return f(a, b)
  const flat = (x: tf.Tensor) => tf.reshape(broadcastTo(x, shape), [-1])
  return tf.reshape(f(flat(a), flat(b)), [...shape])
}

/** Zeros around x; a tensor of many axes is padded axis by axis, as [outer, n, inner]. */
export function pad(x: tf.Tensor, paddings: readonly Padding[]): tf.Tensor {
  if (x.shape.length <= MOST_AXES) return tf.pad(x, paddings as [number, number][])
  return paddings.reduce((t, [before, after], axis) => {
    if (before === 0 && after === 0) return t
    const { shape } = t
    const lines = tf.reshape(t, [sizeOf(shape.slice(0, axis)), shape[axis], sizeOf(shape.slice(axis + 1))])
    const longer = tf.pad(lines, [
      [0, 0],
      [before, after],
      [0, 0],
    ])
    return tf.reshape(longer, shape.with(axis, before + shape[axis] + after))
  }, x)
}
