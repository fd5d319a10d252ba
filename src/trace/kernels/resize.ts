import type { Graph, Node } from '../../graph'
import * as g from '../../graph'
import type { TraceKernels } from './kernel'

type Weights = (output: number, scale: number) => [index: number, weight: number][]

/** Resizing is linear and separable: rows and columns are multiplied by matrices of weights. */
function resize(
  images: Node,
  [height, width]: readonly [number, number],
  alignCorners: boolean,
  weights: (n: number) => Weights,
): Node {
  const [, h, w] = images.shape
  const rows = matrix(images.graph, h, height, alignCorners, weights(h))
  const columns = matrix(images.graph, w, width, alignCorners, weights(w))
  // [N, H, W, C] → [N, C, H, W], R · x · Cᵀ
  const first = g.transpose(images, [0, 3, 1, 2])
  return g.transpose(g.matMul(g.matMul(rows, first), g.swapLast(columns)), [0, 2, 3, 1])
}

/** [to, from] weights, built from the constant positions of what is read. */
function matrix(graph: Graph, from: number, to: number, alignCorners: boolean, weights: Weights): Node {
  const scale = alignCorners && to > 1 ? (from - 1) / (to - 1) : from / to
  const values = new Array<number>(from * to).fill(0)
  for (let i = 0; i < to; i++) for (const [j, weight] of weights(i, scale)) values[i * from + j] += weight
  return g.constant(graph, values, [to, from])
}

const clamp = (i: number, n: number): number => Math.min(Math.max(i, 0), n - 1)

const bilinear =
  (halfPixel: boolean) =>
  (n: number): Weights =>
  (i, scale) => {
    const at = halfPixel ? (i + 0.5) * scale - 0.5 : i * scale
    const low = Math.max(Math.floor(at), 0)
    const fraction = at - low
    return [
      [clamp(low, n), 1 - fraction],
      [clamp(Math.ceil(at), n), fraction],
    ]
  }

const nearest =
  (alignCorners: boolean, halfPixel: boolean) =>
  (n: number): Weights =>
  (i, scale) => {
    const at = halfPixel ? (i + 0.5) * scale : i * scale
    return [[clamp(alignCorners ? Math.round(at) : Math.floor(at), n), 1]]
  }

export const resizeKernels: TraceKernels = {
  ResizeBilinear: ({ images }, { size, alignCorners, halfPixelCenters }) =>
    resize(images, size, alignCorners, bilinear(halfPixelCenters)),
  ResizeNearestNeighbor: ({ images }, { size, alignCorners, halfPixelCenters }) =>
    resize(images, size, alignCorners, nearest(alignCorners, halfPixelCenters)),
}
