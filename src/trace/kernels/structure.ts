import { slice_util } from '@tensorflow/tfjs-core'
import type { Node } from '../../graph'
import * as g from '../../graph'
import { axesOf, type TraceKernels } from './kernel'

function stridedSlice(x: Node, a: Record<string, number[] & number>): Node {
  const info = slice_util.sliceInfo(
    [...x.shape],
    a.begin,
    a.end,
    a.strides,
    a.beginMask,
    a.endMask,
    a.ellipsisMask,
    a.newAxisMask,
    a.shrinkAxisMask,
  )
  const backwards = info.strides.flatMap((s, axis) => (s < 0 ? [axis] : []))
  // a negative stride reads the reversed axis forwards
  const source = g.reverse(x, backwards)
  const start = info.begin.map((b, i) => (info.strides[i] < 0 ? x.shape[i] - 1 - b : b))
  const size = info.begin.map((b, i) => Math.ceil((info.end[i] - b) / info.strides[i]))
  return g.reshape(g.slice(source, start, size, info.strides.map(Math.abs)), info.finalShape)
}

/** Repeats the whole tensor along each axis. */
function tile(x: Node, reps: readonly number[]): Node {
  const split = x.shape.flatMap((n) => [1, n])
  const repeated = g.broadcast(
    g.reshape(x, split),
    x.shape.flatMap((n, i) => [reps[i], n]),
  )
  return g.reshape(
    repeated,
    x.shape.map((n, i) => n * reps[i]),
  )
}

/** Reflects the borders of one axis; `edge` is 1 when the border element itself is not repeated. */
function mirrorAxis(x: Node, axis: number, low: number, high: number, edge: number): Node {
  const n = x.shape[axis]
  const parts = [x]
  if (low > 0) parts.unshift(g.reverse(g.sliceAxis(x, axis, edge, low), [axis]))
  if (high > 0) parts.push(g.reverse(g.sliceAxis(x, axis, n - edge - high, high), [axis]))
  return g.concat(parts, axis)
}

const padWith = (x: Node, paddings: readonly (readonly number[])[], value: number): Node =>
  g.surround(
    x,
    paddings.map(([low]) => low),
    paddings.map(([, high]) => high),
    value,
  )

/** [b, h·s, w·s, …] blocks of `block` moved between batch and space; crops or pads as tfjs has it. */
function batchToSpace(x: Node, block: readonly number[], crops: readonly (readonly number[])[]): Node {
  const [batch, ...rest] = x.shape
  const m = block.length
  const outer = batch / g.sizeOf(block)
  const split = g.reshape(x, [...block, outer, ...rest])
  const order = [m, ...g.range(m).flatMap((i) => [m + 1 + i, i]), ...g.range(rest.length - m).map((i) => 2 * m + 1 + i)]
  const merged = g.reshape(g.transpose(split, order), [outer, ...rest.map((n, i) => (i < m ? n * block[i] : n))])
  const start = merged.shape.map((_, i) => (i >= 1 && i <= m ? crops[i - 1][0] : 0))
  const size = merged.shape.map((n, i) => (i >= 1 && i <= m ? n - crops[i - 1][0] - crops[i - 1][1] : n))
  return g.slice(merged, start, size)
}

function spaceToBatch(x: Node, block: readonly number[], paddings: readonly (readonly number[])[]): Node {
  const m = block.length
  const pads = x.shape.map((_, i) => (i >= 1 && i <= m ? paddings[i - 1] : [0, 0]))
  const padded = padWith(x, pads, 0)
  const [batch, ...rest] = padded.shape
  const split = g.reshape(padded, [batch, ...rest.flatMap((n, i) => (i < m ? [n / block[i], block[i]] : [n]))])
  const order = [
    ...g.range(m).map((i) => 2 * i + 2),
    0,
    ...g.range(m).map((i) => 2 * i + 1),
    ...g.range(rest.length - m).map((i) => 2 * m + 1 + i),
  ]
  return g.reshape(g.transpose(split, order), [
    batch * g.sizeOf(block),
    ...rest.map((n, i) => (i < m ? n / block[i] : n)),
  ])
}

function depthToSpace(x: Node, block: number, dataFormat: string): Node {
  const last = dataFormat !== 'NCHW'
  const [n, h, w, c] = last ? x.shape : [x.shape[0], x.shape[2], x.shape[3], x.shape[1]]
  const rows = last ? x : g.transpose(x, [0, 2, 3, 1])
  const depth = c / block ** 2
  const split = g.transpose(g.reshape(rows, [n, h, w, block, block, depth]), [0, 1, 3, 2, 4, 5])
  const out = g.reshape(split, [n, h * block, w * block, depth])
  return last ? out : g.transpose(out, [0, 3, 1, 2])
}

function split(x: Node, sizesOrCount: number | readonly number[], axis: number): Node[] {
  const total = x.shape[axis]
  const sizes =
    typeof sizesOrCount === 'number' ? new Array(sizesOrCount).fill(total / sizesOrCount) : [...sizesOrCount]
  const unknown = sizes.indexOf(-1)
  if (unknown >= 0) sizes[unknown] = total - sizes.reduce((a, b) => a + b, 1)
  let begin = 0
  return sizes.map((size) => {
    begin += size
    return g.sliceAxis(x, axis, begin - size, size)
  })
}

function pack(inputs: readonly Node[], axis: number): Node {
  const at = axis < 0 ? axis + inputs[0].shape.length + 1 : axis
  return g.concat(
    inputs.map((n) => g.reshape(n, n.shape.toSpliced(at, 0, 1))),
    at,
  )
}

export const structureKernels: TraceKernels = {
  Identity: ({ x }) => x,
  Reshape: ({ x }, { shape }) => {
    const known = (shape as number[]).reduce((product, n) => (n === -1 ? product : product * n), 1)
    return g.reshape(
      x,
      (shape as number[]).map((n) => (n === -1 ? g.sizeOf(x.shape) / known : n)),
    )
  },
  ExpandDims: ({ input }, { dim }) => {
    const at = dim < 0 ? dim + input.shape.length + 1 : dim
    return g.reshape(input, input.shape.toSpliced(at, 0, 1))
  },
  Transpose: ({ x }, { perm }) => g.transpose(x, perm),
  BroadcastTo: ({ x }, { shape }) => g.broadcast(x, shape),
  Tile: ({ x }, { reps }) => tile(x, reps),
  Slice: ({ x }, { begin, size }) => {
    // tfjs's own reading of numbers and short lists: they concern the first axes
    const [start, count] = slice_util.parseSliceParams({ shape: [...x.shape] } as never, begin, size)
    return g.slice(x, start, count)
  },
  StridedSlice: ({ x }, attributes) => stridedSlice(x, attributes),
  PadV2: ({ x }, { paddings, constantValue }) => padWith(x, paddings, constantValue ?? 0),
  MirrorPad: ({ x }, { paddings, mode }) =>
    (paddings as number[][]).reduce(
      (y, [low, high], axis) => mirrorAxis(y, axis, low, high, mode === 'reflect' ? 1 : 0),
      x,
    ),
  Reverse: ({ x }, { dims }) => g.reverse(x, axesOf(dims, x.shape.length)),
  FlipLeftRight: ({ image }) => g.reverse(image, [2]),
  Concat: (inputs, { axis }) => {
    const parts = Object.values(inputs).filter((n) => g.sizeOf(n.shape) > 0)
    return g.concat(parts, axesOf(axis, parts[0].shape.length)[0])
  },
  Pack: (inputs, { axis }) => pack(Object.values(inputs), axis),
  Unpack: ({ value }, { axis }) => {
    const at = axesOf(axis, value.shape.length)[0]
    const shape = value.shape.toSpliced(at, 1)
    return g.range(value.shape[at]).map((i) => g.reshape(g.sliceAxis(value, at, i, 1), shape))
  },
  SplitV: ({ x }, { numOrSizeSplits, axis }) => split(x, numOrSizeSplits, axesOf(axis, x.shape.length)[0]),
  BatchToSpaceND: ({ x }, { blockShape, crops }) => batchToSpace(x, blockShape, crops),
  SpaceToBatchND: ({ x }, { blockShape, paddings }) => spaceToBatch(x, blockShape, paddings),
  DepthToSpace: ({ x }, { blockSize, dataFormat }) => depthToSpace(x, blockSize, dataFormat),
  ZerosLike: ({ x }) => g.fill(x.graph, 0, x.shape),
  OnesLike: ({ x }) => g.fill(x.graph, 1, x.shape),
  Fill: (_, { shape, value }, graph) => g.fill(graph, value, shape),
  Range: (_, { start, stop, step }, graph) => {
    const count = Math.max(Math.ceil((stop - start) / step), 0)
    return g.offset(g.scale(g.iota(graph, count), step), start)
  },
  LinSpace: (_, { start, stop, num }, graph) =>
    g.offset(g.scale(g.iota(graph, num), num === 1 ? 0 : (stop - start) / (num - 1)), start),
}
