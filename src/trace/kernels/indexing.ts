import type { Node } from '../../graph'
import * as g from '../../graph'
import { axesOf, type TraceKernels } from './kernel'

/** Slices of x along `axis` at indices; the first `batchDims` axes of both go in pairs. */
function gatherAxis(x: Node, indices: Node, axis: number, batchDims: number): Node {
  const rank = x.shape.length
  const batch = x.shape.slice(0, batchDims)
  const between = g.range(axis - batchDims).map((i) => batchDims + i)
  const after = g.range(rank - axis - 1).map((i) => axis + 1 + i)
  const moved = g.transpose(x, [...g.range(batchDims), axis, ...between, ...after])
  const rows = g.reshape(moved, [g.sizeOf(batch) * x.shape[axis], ...moved.shape.slice(batchDims + 1)])
  const blocks = g.reshape(g.scale(g.iota(x.graph, g.sizeOf(batch)), x.shape[axis]), [
    ...batch,
    ...indices.shape.slice(batchDims).map(() => 1),
  ])
  const picked = g.gather(rows, batchDims > 0 ? g.add(indices, blocks) : indices)
  const many = indices.shape.length - batchDims
  return g.transpose(picked, [
    ...g.range(batchDims),
    ...between.map((_, i) => batchDims + many + i),
    ...g.range(many).map((i) => batchDims + i),
    ...after.map((_, i) => batchDims + many + between.length + i),
  ])
}

/** Row number of each index tuple in a tensor flattened over its first axes. */
function flatIndex(indices: Node, shape: readonly number[]): Node {
  const depth = indices.shape[indices.shape.length - 1]
  const strides = g.stridesOf(shape.slice(0, depth))
  const weighted = g.mul(indices, g.constant(indices.graph, strides, [depth]))
  return g.reshape(g.sum(weighted, [indices.shape.length - 1]), indices.shape.slice(0, -1))
}

export const indexingKernels: TraceKernels = {
  GatherV2: ({ x, indices }, { axis, batchDims }) =>
    gatherAxis(x, indices, axesOf(axis, x.shape.length)[0], batchDims ?? 0),
  GatherNd: ({ params, indices }) => {
    const depth = indices.shape[indices.shape.length - 1]
    const rows = g.reshape(params, [g.sizeOf(params.shape.slice(0, depth)), ...params.shape.slice(depth)])
    return g.gather(rows, flatIndex(indices, params.shape))
  },
  ScatterNd: ({ indices, updates }, { shape }) => {
    const depth = indices.shape[indices.shape.length - 1]
    const rows = [g.sizeOf(shape.slice(0, depth)), ...shape.slice(depth)]
    return g.reshape(g.scatterAdd(updates, flatIndex(indices, shape), rows), shape)
  },
  UnsortedSegmentSum: ({ x, segmentIds }, { numSegments }) =>
    g.scatterAdd(x, segmentIds, [numSegments, ...x.shape.slice(segmentIds.shape.length)]),
  OneHot: ({ indices }, { depth, onValue, offValue }) => {
    const at = g.reshape(indices, [...indices.shape, 1])
    const mask = g.oneHot(at, indices.shape.length, depth)
    return g.offset(g.scale(mask, onValue - offValue), offValue)
  },
}
