import { type BinaryOp, type Node, numbers, type Shape, sameShape, sizeOf, type UnaryOp } from '../../graph'
import { broadcastStrides, positions, type ReferenceKernel } from './kernel'

const mapValues = <K extends string, V, W>(table: Record<K, V>, f: (value: V) => W): Record<K, W> =>
  Object.fromEntries(Object.entries(table).map(([key, value]) => [key, f(value as V)])) as Record<K, W>

const unary = mapValues(
  numbers.unary,
  (f): ReferenceKernel<UnaryOp> =>
    (_, [x]) =>
      x.map((v) => f(v)),
)

const binary = mapValues(
  numbers.binary,
  (f): ReferenceKernel<BinaryOp> =>
    (node, inputs) => {
      const [a, b] = inputs.map((values, i) => expand(values, node.inputs[i].shape, node.shape))
      return a.map((v, i) => f(v, b[i]))
    },
)

/** Values repeated to a larger shape under NumPy's rule. */
export function expand(values: Float64Array, from: Shape, to: Shape): Float64Array {
  if (sameShape(from, to)) return values
  if (values.length === 1) return new Float64Array(sizeOf(to)).fill(values[0])
  const at = positions(to, broadcastStrides(from, to))
  const out = new Float64Array(at.length)
  for (let i = 0; i < out.length; i++) out[i] = values[at[i]]
  return out
}

export const elementwiseKernels = {
  ...(unary as { [K in UnaryOp]: ReferenceKernel<K> }),
  ...(binary as { [K in BinaryOp]: ReferenceKernel<K> }),
  add: (node: Node, inputs: readonly Float64Array[]) =>
    inputs
      .map((values, i) => expand(values, node.inputs[i].shape, node.shape))
      .reduce((a, b) => a.map((v, i) => v + b[i])),
  smoothMaximum: (node: Node, inputs: readonly Float64Array[]) => {
    const [a, b, beta] = inputs.map((values, i) => expand(values, node.inputs[i].shape, node.shape))
    return a.map((v, i) => numbers.smoothMaximum(v, b[i], beta[i]))
  },
  select: (node: Node, inputs: readonly Float64Array[]) => {
    const [mask, a, b] = inputs.map((values, i) => expand(values, node.inputs[i].shape, node.shape))
    return mask.map((m, i) => (m !== 0 ? a[i] : b[i]))
  },
}
