import { backend_util } from '@tensorflow/tfjs-core'
import type { ConvGeometry, Node } from '../../graph'
import * as g from '../../graph'
import { channelsLast, geometryOf, toFirst } from './convolution'
import type { KernelAttributes, TraceKernels } from './kernel'

/** A window that slides over the spatial axes of [N, C, …]. */
export interface Pool {
  readonly window: readonly number[]
  readonly geometry: ConvGeometry
}

function pool2d(x: Node, a: KernelAttributes): Pool {
  type Four = [number, number, number, number]
  const info = backend_util.computePool2DInfo(
    [...x.shape] as Four,
    a.filterSize,
    a.strides,
    1,
    a.pad,
    a.dimRoundingMode,
  )
  const window = [info.effectiveFilterHeight, info.effectiveFilterWidth]
  const geometry = geometryOf(
    [info.inHeight, info.inWidth],
    window,
    [info.outHeight, info.outWidth],
    [info.strideHeight, info.strideWidth],
    [1, 1],
    [info.padInfo.top, info.padInfo.left],
  )
  return { window, geometry }
}

function pool3d(x: Node, a: KernelAttributes): Pool {
  type Five = [number, number, number, number, number]
  const info = backend_util.computePool3DInfo(
    [...x.shape] as Five,
    a.filterSize,
    a.strides,
    1,
    a.pad,
    a.dimRoundingMode,
    a.dataFormat,
  )
  const window = [info.effectiveFilterDepth, info.effectiveFilterHeight, info.effectiveFilterWidth]
  const geometry = geometryOf(
    [info.inDepth, info.inHeight, info.inWidth],
    window,
    [info.outDepth, info.outHeight, info.outWidth],
    [info.strideDepth, info.strideHeight, info.strideWidth],
    [1, 1, 1],
    [info.padInfo.front, info.padInfo.top, info.padInfo.left],
  )
  return { window, geometry }
}

/**
 * The maximum of shifted views, one axis after the other: maxima are separable, and pairwise maxima have derivatives of
 * every order. Ties go to the first element in row-major order.
 *
 * The maximum of rectified numbers is the rectified maximum, derivatives included: where a maximum is not above 0, nothing
 * passes either way. So a ReLU before is taken after, on what is left of the image.
 */
export function maxPool(x: Node, pool: Pool): Node {
  if (x.op === 'relu') return g.relu(maxPool(x.inputs[0], pool))
  if (x.op === 'transpose' && x.inputs[0].op === 'relu')
    return g.relu(maxPool(g.transpose(x.inputs[0].inputs[0], x.attributes.permutation), pool))
  const { strides, padLow, padHigh, dilations } = pool.geometry
  return g
    .range(pool.window.length)
    .reverse()
    .reduce<Node>((y, k) => maxAlong(y, k + 2, pool.window[k], strides[k], padLow[k], padHigh[k], dilations[k]), x)
}

function maxAlong(
  x: Node,
  axis: number,
  window: number,
  stride: number,
  low: number,
  high: number,
  dilation: number,
): Node {
  const at = (n: number) => x.shape.map((_, i) => (i === axis ? n : 0))
  // what is outside the image never wins
  const padded = g.surround(x, at(low), at(high), Number.NEGATIVE_INFINITY)
  const n = padded.shape[axis]
  const count = Math.floor((n - (window - 1) * dilation - 1) / stride) + 1
  const views = g.range(window).map((offset) => {
    const start = padded.shape.map((_, i) => (i === axis ? offset * dilation : 0))
    const size = padded.shape.map((d, i) => (i === axis ? count : d))
    const step = padded.shape.map((_, i) => (i === axis ? stride : 1))
    return g.slice(padded, start, size, step)
  })
  return views.reduce(g.maximum)
}

/**
 * Sums of windows divided by the number of elements inside the image, and inside a border around it where the padding counts.
 *
 * @param border how many elements of padding count, before and after each spatial axis
 */
export function averagePool(
  x: Node,
  { window, geometry }: Pool,
  border: readonly (readonly [low: number, high: number])[] = window.map(() => [0, 0]),
): Node {
  const [batch, channels, ...space] = x.shape
  const exact = window.every((k, i) => k === geometry.strides[i] && space[i] % k === 0)
  const unpadded = [...geometry.padLow, ...geometry.padHigh].every((p) => p === 0)
  if (exact && unpadded) {
    const blocks = g.reshape(x, [batch, channels, ...space.flatMap((n, i) => [n / window[i], window[i]])])
    const within = window.map((_, i) => 3 + 2 * i)
    return g.reshape(g.mean(blocks, within), [batch, channels, ...space.map((n, i) => n / window[i])])
  }
  const ones = g.fill(x.graph, 1, [1, 1, ...window])
  const total = g.conv(g.reshape(x, [batch * channels, 1, ...space]), ones, geometry)
  const size = total.shape.slice(2)
  const count = g.constant(x.graph, counts(space, window, size, geometry, border), [1, 1, ...size])
  return g.reshape(g.div(total, count), [batch, channels, ...size])
}

/** How many elements of each window lie inside the image. */
function counts(
  space: readonly number[],
  window: readonly number[],
  size: readonly number[],
  geometry: ConvGeometry,
  border: readonly (readonly [low: number, high: number])[],
): number[] {
  return size.reduce<number[]>(
    (all, places, i) => {
      const along = g.range(places).map((at) => {
        const start = at * geometry.strides[i] - geometry.padLow[i]
        const [low, high] = border[i]
        return Math.min(start + window[i], space[i] + high) - Math.max(start, -low)
      })
      return all.flatMap((c) => along.map((n) => c * n))
    },
    [1],
  )
}

export const poolingKernels: TraceKernels = {
  MaxPool: ({ x }, a) => channelsLast(maxPool(toFirst(x, 'NHWC'), pool2d(x, a))),
  AvgPool: ({ x }, a) => channelsLast(averagePool(toFirst(x, 'NHWC'), pool2d(x, a))),
  MaxPool3D: ({ x }, a) => channelsLast(maxPool(toFirst(x, 'NDHWC'), pool3d(x, a))),
  AvgPool3D: ({ x }, a) => channelsLast(averagePool(toFirst(x, 'NDHWC'), pool3d(x, a))),
}
