import * as tf from '@tensorflow/tfjs-core'
import { type Shape, sameShape, sizeOf } from '../../graph'

/** wasm's arithmetic (XNNPACK) reads this many axes at most, and returns garbage for more. */
const MOST_AXES = 6

/** Above this many axes webgl cannot pad, choose or repeat, and webgpu's shader does not compile, which leaves garbage without an error. */
const MOST_ON_GPU = 4

type Binary = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor
type Padding = readonly [before: number, after: number]

/** x repeated to a shape; a tensor of many axes is repeated axis by axis. */
export function broadcastTo(x: tf.Tensor, shape: Shape): tf.Tensor {
  if (sameShape(x.shape, shape)) return x
  if (shape.length <= MOST_ON_GPU) return tf.broadcastTo(x, [...shape] as [number])
  const whole = tf.reshape(x, [...shape.slice(x.shape.length).map(() => 1), ...x.shape])
  return shape.reduce((t, n, axis) => {
    if (t.shape[axis] === n) return t
    const lines = around(t, axis)
    return tf.reshape(tf.broadcastTo(lines, [lines.shape[0], n, lines.shape[2]]), t.shape.with(axis, n))
  }, whole)
}

/** a where the mask is true, and b elsewhere; all of one shape. */
export function where(mask: tf.Tensor, a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  if (mask.shape.length <= MOST_ON_GPU) return tf.where(mask, a, b)
  const flat = (t: tf.Tensor) => tf.reshape(t, [-1])
  return tf.reshape(tf.where(flat(mask), flat(a), flat(b)), mask.shape)
}

/** f(a, b) under broadcasting to `shape`; tensors of many axes are spread out and flattened first. */
export function elementwise(f: Binary, a: tf.Tensor, b: tf.Tensor, shape: Shape): tf.Tensor {
  if (shape.length <= MOST_AXES) return f(a, b)
  const flat = (x: tf.Tensor) => tf.reshape(broadcastTo(x, shape), [-1])
  return tf.reshape(f(flat(a), flat(b)), [...shape])
}

/** An axis and what is around it, as [outer, n, inner]. */
const around = (x: tf.Tensor, axis: number): tf.Tensor3D =>
  tf.reshape(x, [sizeOf(x.shape.slice(0, axis)), x.shape[axis], sizeOf(x.shape.slice(axis + 1))])

/** Zeros around x; a tensor of many axes is padded axis by axis. */
export function pad(x: tf.Tensor, paddings: readonly Padding[]): tf.Tensor {
  if (x.shape.length <= MOST_ON_GPU) return tf.pad(x, paddings as [number, number][])
  return paddings.reduce((t, [before, after], axis) => {
    if (before === 0 && after === 0) return t
    const longer = tf.pad(around(t, axis), [
      [0, 0],
      [before, after],
      [0, 0],
    ])
    return tf.reshape(longer, t.shape.with(axis, before + t.shape[axis] + after))
  }, x)
}

/** `size` elements of each axis from `start` on; a tensor of many axes is cut axis by axis. */
export function slice(x: tf.Tensor, start: readonly number[], size: Shape): tf.Tensor {
  if (x.shape.length <= MOST_ON_GPU) return tf.slice(x, [...start], [...size])
  return size.reduce((t, n, axis) => {
    if (n === t.shape[axis]) return t
    const lines = around(t, axis)
    const part = tf.slice(lines, [0, start[axis], 0], [lines.shape[0], n, lines.shape[2]])
    return tf.reshape(part, t.shape.with(axis, n))
  }, x)
}

/** Zeros between the elements of each axis. */
export function spreadOut(x: tf.Tensor, interior: readonly number[]): tf.Tensor {
  return interior.reduce((t, zeros, axis) => {
    const n = t.shape[axis]
    if (zeros === 0 || n === 1) return t
    const { shape } = t
    const columns = tf.reshape(t, [sizeOf(shape.slice(0, axis + 1)), 1, sizeOf(shape.slice(axis + 1))])
    const wide = tf.pad(columns, [
      [0, 0],
      [0, zeros],
      [0, 0],
    ])
    return slice(
      tf.reshape(wide, shape.with(axis, n * (zeros + 1))),
      shape.map(() => 0),
      shape.with(axis, n + (n - 1) * zeros),
    )
  }, x)
}
