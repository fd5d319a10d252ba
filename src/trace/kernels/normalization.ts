import type { Node } from '../../graph'
import * as g from '../../graph'
import type { TraceKernels } from './kernel'

/** (x − mean) / √(variance + ε) · scale + offset. */
function batchNorm(
  x: Node,
  mean: Node,
  variance: Node,
  offset: Node | undefined,
  scale: Node | undefined,
  epsilon: number,
): Node {
  const deviation = g.sqrt(g.offset(variance, epsilon))
  const normalized = g.div(g.sub(x, mean), deviation)
  const scaled = scale ? g.mul(normalized, scale) : normalized
  return offset ? g.add(scaled, offset) : scaled
}

/** x / (bias + α Σ x²)^β, the sum over `radius` channels on both sides: a product with a band of ones. */
function localResponse(x: Node, radius: number, bias: number, alpha: number, beta: number): Node {
  const channels = x.shape[x.shape.length - 1]
  const row = g.reshape(g.iota(x.graph, channels), [channels, 1])
  const column = g.reshape(g.iota(x.graph, channels), [1, channels])
  const band = g.less(g.abs(g.sub(row, column)), g.scalar(x.graph, radius + 0.5))
  const energy = g.matMul(g.square(x), band)
  return g.mul(x, g.pow(g.offset(g.scale(energy, alpha), bias), g.scalar(x.graph, -beta)))
}

export const normalizationKernels: TraceKernels = {
  FusedBatchNorm: ({ x, mean, variance, offset, scale }, { varianceEpsilon }) =>
    batchNorm(x, mean, variance, offset, scale, varianceEpsilon),
  LRN: ({ x }, { depthRadius, bias, alpha, beta }) => localResponse(x, depthRadius, bias, alpha, beta),
}
