import { backend_util } from '@tensorflow/tfjs-core'
import type { ConvGeometry, Node } from '../../graph'
import * as g from '../../graph'
import { channelsLast, geometryOf, toFirst } from './convolution'
import type { KernelAttributes, TraceKernels } from './kernel'

interface Pool {
  window: number[]
  geometry: ConvGeometry
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

/** Below every value a network computes, and finite: it never wins a maximum and its products with 0 are 0. */
const LOWEST = -1e30

/**
 * The maximum of shifted views, one axis after the other: maxima are separable, and pairwise maxima have derivatives of
 * every order. Ties go to the first element in row-major order.
 */
function maxPool(x: Node, { window, geometry }: Pool): Node {
  return g
    .range(window.length)
    .reverse()
    .reduce((y, k) => maxAlong(y, k + 2, window[k], geometry.strides[k], geometry.padLow[k], geometry.padHigh[k]), x)
}

function maxAlong(x: Node, axis: number, window: number, stride: number, low: number, high: number): Node {
  const padded = padLowest(x, axis, low, high)
  const n = padded.shape[axis]
  const count = Math.floor((n - window) / stride) + 1
  const views = g.range(window).map((offset) => {
    const start = padded.shape.map((_, i) => (i === axis ? offset : 0))
    const size = padded.shape.map((d, i) => (i === axis ? count : d))
    const step = padded.shape.map((_, i) => (i === axis ? stride : 1))
    return g.slice(padded, start, size, step)
  })
  return views.reduce(g.maximum)
}

function padLowest(x: Node, axis: number, low: number, high: number): Node {
  if (low === 0 && high === 0) return x
  const lows = x.shape.map((_, i) => (i === axis ? low : 0))
  const highs = x.shape.map((_, i) => (i === axis ? high : 0))
  const line = g.fill(
    x.graph,
    1,
    x.shape.map((n, i) => (i === axis ? n : 1)),
  )
  const outside = g.sub(g.scalar(x.graph, 1), g.pad(line, lows, highs))
  return g.add(g.pad(x, lows, highs), g.scale(outside, LOWEST))
}

/** Sums of windows divided by the number of elements inside the image. */
function averagePool(x: Node, { window, geometry }: Pool): Node {
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
  const count = g.constant(x.graph, counts(space, window, size, geometry), [1, 1, ...size])
  return g.reshape(g.div(total, count), [batch, channels, ...size])
}

/** How many elements of each window lie inside the image. */
function counts(
  space: readonly number[],
  window: readonly number[],
  size: readonly number[],
  geometry: ConvGeometry,
): number[] {
  return size.reduce<number[]>(
    (all, places, i) => {
      const along = g.range(places).map((at) => {
        const start = at * geometry.strides[i] - geometry.padLow[i]
        return Math.min(start + window[i], space[i]) - Math.max(start, 0)
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
