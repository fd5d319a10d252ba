import { backend_util } from '@tensorflow/tfjs-core'
import type { ConvGeometry, Node } from '../../graph'
import * as g from '../../graph'
import { activate } from './activation'
import type { KernelAttributes, TraceKernels } from './kernel'

/** [N, …, C] to [N, C, …]. */
const channelsFirst = (x: Node): Node => {
  const rank = x.shape.length
  return g.transpose(x, [0, rank - 1, ...g.range(rank - 2).map((i) => i + 1)])
}

/** [N, C, …] to [N, …, C]. */
export const channelsLast = (x: Node): Node => {
  const rank = x.shape.length
  return g.transpose(x, [0, ...g.range(rank - 2).map((i) => i + 2), 1])
}

/** [N, C, …] whatever the data format. */
export const toFirst = (x: Node, dataFormat: string | undefined): Node =>
  dataFormat?.startsWith('NC') ? x : channelsFirst(x)
const fromFirst = (x: Node, dataFormat: string | undefined): Node =>
  dataFormat?.startsWith('NC') ? x : channelsLast(x)

/** Filters [..., I, O] to [O, I, ...]. */
const outputsFirst = (w: Node): Node => {
  const rank = w.shape.length
  return g.transpose(w, [rank - 1, rank - 2, ...g.range(rank - 2)])
}

/** The padding that gives `size` outputs; what a ragged end leaves over stays unread. */
export function geometryOf(
  input: readonly number[],
  filter: readonly number[],
  size: readonly number[],
  strides: readonly number[],
  dilations: readonly number[],
  padLow: readonly number[],
  groups = 1,
): ConvGeometry {
  const padHigh = input.map((n, i) => {
    const read = (size[i] - 1) * strides[i] + (filter[i] - 1) * dilations[i] + 1
    return Math.max(read - n - padLow[i], 0)
  })
  return { strides, dilations, padLow, padHigh, groups }
}

/** tfjs's own arithmetic for strides, padding and output size decides, so that both agree. */
function geometry2d(
  inShape: readonly number[],
  filterShape: readonly number[],
  a: KernelAttributes,
  depthwise = false,
): ConvGeometry {
  const format = backend_util.convertConv2DDataFormat(a.dataFormat ?? 'NHWC')
  const info = backend_util.computeConv2DInfo(
    [...inShape] as [number, number, number, number],
    [...filterShape] as [number, number, number, number],
    a.strides,
    a.dilations ?? 1,
    a.pad,
    a.dimRoundingMode,
    depthwise,
    format,
  )
  return geometryOf(
    [info.inHeight, info.inWidth],
    [info.filterHeight, info.filterWidth],
    [info.outHeight, info.outWidth],
    [info.strideHeight, info.strideWidth],
    [info.dilationHeight, info.dilationWidth],
    [info.padInfo.top, info.padInfo.left],
    depthwise ? info.inChannels : 1,
  )
}

function geometry3d(inShape: readonly number[], filterShape: readonly number[], a: KernelAttributes): ConvGeometry {
  type Five = [number, number, number, number, number]
  const info = backend_util.computeConv3DInfo(
    [...inShape] as Five,
    [...filterShape] as Five,
    a.strides,
    a.dilations ?? 1,
    a.pad,
  )
  return geometryOf(
    [info.inDepth, info.inHeight, info.inWidth],
    [info.filterDepth, info.filterHeight, info.filterWidth],
    [info.outDepth, info.outHeight, info.outWidth],
    [info.strideDepth, info.strideHeight, info.strideWidth],
    [info.dilationDepth, info.dilationHeight, info.dilationWidth],
    [info.padInfo.front, info.padInfo.top, info.padInfo.left],
  )
}

function conv2d(x: Node, filter: Node, a: KernelAttributes): Node {
  const geometry = geometry2d(x.shape, filter.shape, a)
  return fromFirst(g.conv(toFirst(x, a.dataFormat), outputsFirst(filter), geometry), a.dataFormat)
}

/** Each input channel has `multiplier` filters of its own: as many groups as channels. */
function depthwiseConv2d(x: Node, filter: Node, a: KernelAttributes): Node {
  const geometry = geometry2d(x.shape, filter.shape, a, true)
  const [h, w, channels, multiplier] = filter.shape
  const grouped = g.reshape(g.transpose(filter, [2, 3, 0, 1]), [channels * multiplier, 1, h, w])
  return fromFirst(g.conv(toFirst(x, a.dataFormat), grouped, geometry), a.dataFormat)
}

const firstShape = (shape: readonly number[], format?: string): number[] =>
  format?.startsWith('NC') ? [...shape] : [shape[0], shape[shape.length - 1], ...shape.slice(1, -1)]

export const convolutionKernels: TraceKernels = {
  Conv2D: ({ x, filter }, a) => conv2d(x, filter, a),
  FusedConv2D: ({ x, filter, bias, preluActivationWeights }, a) =>
    activate(
      withBias(conv2d(x, filter, a), bias, a.dataFormat),
      a.activation,
      preluActivationWeights,
      a.leakyreluAlpha,
    ),
  DepthwiseConv2dNative: ({ x, filter }, a) => depthwiseConv2d(x, filter, a),
  FusedDepthwiseConv2D: ({ x, filter, bias, preluActivationWeights }, a) =>
    activate(
      withBias(depthwiseConv2d(x, filter, a), bias, a.dataFormat),
      a.activation,
      preluActivationWeights,
      a.leakyreluAlpha,
    ),
  Conv2DBackpropInput: ({ dy, filter }, a) => {
    const geometry = geometry2d(a.inputShape, filter.shape, a)
    const shape = firstShape(a.inputShape, a.dataFormat)
    return fromFirst(g.convInputGrad(toFirst(dy, a.dataFormat), outputsFirst(filter), geometry, shape), a.dataFormat)
  },
  Conv3D: ({ x, filter }, a) =>
    channelsLast(g.conv(channelsFirst(x), outputsFirst(filter), geometry3d(x.shape, filter.shape, a))),
  Conv3DBackpropInputV2: ({ dy, filter }, a) => {
    const geometry = geometry3d(a.inputShape, filter.shape, a)
    return channelsLast(g.convInputGrad(channelsFirst(dy), outputsFirst(filter), geometry, firstShape(a.inputShape)))
  },
}

function withBias(y: Node, bias: Node | undefined, dataFormat: string | undefined): Node {
  if (!bias) return y
  const perChannel = dataFormat?.startsWith('NC') && bias.shape.length === 1
  return g.add(y, perChannel ? g.reshape(bias, [bias.shape[0], 1, 1]) : bias)
}
