import * as tf from '@tensorflow/tfjs-core'
import { type ConvGeometry, range, type Shape } from '../../graph'
import { pad, slice, spreadOut } from './axes'

/** One direction of the slide: what a plain convolution needs once padding is applied. */
interface Slide {
  strides: readonly number[]
  dilations: readonly number[]
  low: readonly number[]
  high: readonly number[]
}

const spaceOf = (shape: Shape): number[] => shape.slice(2)

/** Cross-correlation of x [N, C, …] with w [O, C / groups, …]. */
export function conv(x: tf.Tensor, w: tf.Tensor, g: ConvGeometry): tf.Tensor {
  const slide = { strides: g.strides, dilations: g.dilations, low: g.padLow, high: g.padHigh }
  if (g.groups === 1) return correlate(x, w, slide)
  if (w.shape[1] === 1) return correlateDepthwise(x, w, slide)
  const xs = tf.split(x, g.groups, 1)
  return tf.concat(
    tf.split(w, g.groups, 0).map((part, i) => correlate(xs[i], part, slide)),
    1,
  )
}

/** The full correlation of y, its elements spread by the strides, with the flipped filter. */
export function convInputGrad(y: tf.Tensor, w: tf.Tensor, g: ConvGeometry, shape: Shape): tf.Tensor {
  const spread = spreadOut(y, [0, 0, ...g.strides.map((s) => s - 1)])
  const extent = spaceOf(w.shape).map((k, i) => (k - 1) * g.dilations[i])
  const low = extent.map((e, i) => e - g.padLow[i])
  const high = spaceOf(shape).map((n, i) => n + extent[i] - low[i] - spread.shape[i + 2]!)
  const slide = { strides: g.strides.map(() => 1), dilations: g.dilations, low, high }
  const space = spaceOf(w.shape).map((_, i) => i + 2)
  const flipped = tf.reverse(w, space)
  const back = (part: tf.Tensor, filter: tf.Tensor) => correlate(part, tf.transpose(filter, [1, 0, ...space]), slide)
  if (g.groups === 1) return back(spread, flipped)
  if (w.shape[1] === 1) {
    const each = correlateDepthwise(spread, flipped, slide)
    const [batch, outputs, ...size] = each.shape
    return tf.sum(tf.reshape(each, [batch, g.groups, outputs / g.groups, ...size]), 2)
  }
  const parts = tf.split(spread, g.groups, 1)
  return tf.concat(
    tf.split(flipped, g.groups, 0).map((filter, i) => back(parts[i], filter)),
    1,
  )
}

/** The correlation of x with y, batch and channels swapped, strides as dilations, read up to the filter's size. */
export function convFilterGrad(x: tf.Tensor, y: tf.Tensor, g: ConvGeometry, shape: Shape): tf.Tensor {
  const size = spaceOf(y.shape)
  const high = spaceOf(shape).map(
    (k, i) => (k - 1) * g.dilations[i] + (size[i] - 1) * g.strides[i] + 1 - x.shape[i + 2]! - g.padLow[i],
  )
  const slide = { strides: g.dilations, dilations: g.strides, low: g.padLow, high }
  const swap = [1, 0, ...size.map((_, i) => i + 2)]
  const whole = (a: tf.Tensor, b: tf.Tensor) =>
    tf.transpose(correlate(tf.transpose(a, swap), tf.transpose(b, swap), slide), swap)
  if (g.groups === 1) return whole(x, y)
  if (shape[1] === 1) return depthwiseFilterGrad(x, y, slide, shape)
  const xs = tf.split(x, g.groups, 1)
  return tf.concat(
    tf.split(y, g.groups, 1).map((part, i) => whole(xs[i], part)),
    0,
  )
}

/** Every pair of sample and channel is a channel of one depthwise correlation; samples are summed. */
function depthwiseFilterGrad(x: tf.Tensor, y: tf.Tensor, slide: Slide, shape: Shape): tf.Tensor {
  const [batch, channels, ...space] = x.shape
  const filters = tf.reshape(y, [y.shape[0] * y.shape[1]!, 1, ...spaceOf(y.shape)])
  const each = correlateDepthwise(tf.reshape(x, [1, batch * channels, ...space]), filters, slide)
  return tf.reshape(tf.sum(tf.reshape(each, [batch, ...shape]), 0), [...shape])
}

/** Padding and the other layout around tfjs's convolution; ranks 1 and 3 go through conv2d and conv3d. */
function correlate(x: tf.Tensor, w: tf.Tensor, slide: Slide): tf.Tensor {
  return along(x, w, slide, (a, b, strides, dilations) =>
    strides.length === 3
      ? tf.conv3d(a as tf.Tensor5D, b as tf.Tensor5D, strides as Three, 'valid', 'NDHWC', dilations as Three)
      : tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, strides as Two, 'valid', 'NHWC', dilations as Two),
  )
}

type Two = [number, number]
type Three = [number, number, number]

/** Filters [C · m, 1, …]: each channel of x meets its own m filters. */
function correlateDepthwise(x: tf.Tensor, w: tf.Tensor, slide: Slide): tf.Tensor {
  const channels = x.shape[1]!
  const [outputs, , ...space] = w.shape
  if (space.length > 2) {
    const xs = tf.split(x, channels, 1)
    return tf.concat(
      tf.split(w, channels, 0).map((part, i) => correlate(xs[i], part, slide)),
      1,
    )
  }
  const multiplied = tf.transpose(tf.reshape(w, [channels, outputs / channels, ...space]), [
    1,
    0,
    ...space.map((_, i) => i + 2),
  ])
  // tfjs wants [h, w, channel, multiplier]
  return along(x, multiplied, slide, (a, b, strides, dilations) =>
    tf.depthwiseConv2d(a as tf.Tensor4D, b as tf.Tensor4D, strides as Two, 'valid', 'NHWC', dilations as Two),
  )
}

type Plain = (x: tf.Tensor, w: tf.Tensor, strides: number[], dilations: number[]) => tf.Tensor

function along(x: tf.Tensor, w: tf.Tensor, slide: Slide, run: Plain): tf.Tensor {
  const line = x.shape.length === 3
  const lift = (t: tf.Tensor) => (line ? tf.expandDims(t, 2) : t)
  const lead = <T>(values: readonly T[], first: T): T[] => (line ? [first, ...values] : [...values])
  const strides = lead(slide.strides, 1)
  const dilations = lead(slide.dilations, 1)
  const padded = padOrCrop(lift(x), lead(slide.low, 0), lead(slide.high, 0))
  const rank = padded.shape.length
  const toLast = [0, ...range(rank - 2).map((i) => i + 2), 1]
  const filter = tf.transpose(lift(w), [...range(rank - 2).map((i) => i + 2), 1, 0])
  // tfjs has no strides and dilations at once: every place is computed and the strides pick
  const both = strides.some((s) => s > 1) && dilations.some((d) => d > 1)
  const dense = run(tf.transpose(padded, toLast), filter, both ? strides.map(() => 1) : strides, dilations)
  const first = tf.transpose(dense, [0, rank - 1, ...range(rank - 2).map((i) => i + 1)])
  const picked = both
    ? tf.stridedSlice(
        first,
        first.shape.map(() => 0),
        first.shape,
        [1, 1, ...strides],
      )
    : first
  return line ? tf.squeeze(picked, [2]) : picked
}

/** Zeros around the spatial axes; a negative amount crops. */
function padOrCrop(x: tf.Tensor, low: readonly number[], high: readonly number[]): tf.Tensor {
  const start = [0, 0, ...low.map((n) => Math.max(-n, 0))]
  const size = x.shape.map((n, i) => n - start[i] - (i < 2 ? 0 : Math.max(-high[i - 2], 0)))
  const cropped = size.every((n, i) => n === x.shape[i]) ? x : slice(x, start, size as number[])
  const paddings = cropped.shape.map(
    (_, i) => (i < 2 ? [0, 0] : [Math.max(low[i - 2], 0), Math.max(high[i - 2], 0)]) as Two,
  )
  return paddings.every(([a, b]) => a === 0 && b === 0) ? cropped : pad(cropped, paddings)
}
