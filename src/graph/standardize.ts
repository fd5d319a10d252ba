import { invalid, requireNodes, requireNumber } from './checks'
import { fill, uniformValue } from './leaves'
import type { Node } from './node'
import { sameShape } from './shape'

/**
 * (x − mean) / √(variance + ε) of each row of the last axis; the variance is divided by n. Layer normalization before its scale
 * and offset (Ba, Kiros, Hinton 2016, eq. 3). A quotient of that form becomes this node by itself.
 *
 * @param epsilon above 0
 * @throws DlgError `invalid-graph`
 */
export function standardize(x: Node, epsilon: number): Node {
  requireRows('standardize', epsilon, x)
  if (uniformValue(x) !== undefined || x.shape.at(-1) === 1) return fill(x.graph, 0, x.shape)
  return x.graph.intern('standardize', [x], { epsilon }, x.shape)
}

/**
 * 1 / √(variance + ε) of each row of the last axis, which stays with size 1.
 *
 * @param epsilon above 0
 * @throws DlgError `invalid-graph`
 */
export function inverseDeviation(x: Node, epsilon: number): Node {
  requireRows('inverseDeviation', epsilon, x)
  const shape = x.shape.with(-1, 1)
  if (uniformValue(x) !== undefined || x.shape.at(-1) === 1) return fill(x.graph, 1 / Math.sqrt(epsilon), shape)
  return x.graph.intern('inverseDeviation', [x], { epsilon }, shape)
}

/**
 * The derivative of `standardize(x)` along v, r · (v − mean v − s · mean(s·v)) with s = standardize(x), r = inverseDeviation(x).
 * It is symmetric: the cotangent v gives the same.
 *
 * @param v of the shape of x
 * @param epsilon above 0
 * @throws DlgError `invalid-graph`
 */
export function standardizeGrad(x: Node, v: Node, epsilon: number): Node {
  requireRows('standardizeGrad', epsilon, x, v)
  if (!sameShape(x.shape, v.shape))
    throw invalid('standardizeGrad', `v has shape [${v.shape}]; it must have that of x, [${x.shape}]`)
  if (uniformValue(v) !== undefined || x.shape.at(-1) === 1) return fill(x.graph, 0, x.shape)
  return x.graph.intern('standardizeGrad', [x, v], { epsilon }, x.shape)
}

function requireRows(operation: string, epsilon: number, ...nodes: readonly Node[]): void {
  requireNodes(operation, ...nodes)
  requireNumber(operation, 'epsilon', epsilon)
  if (!(epsilon > 0)) throw invalid(operation, `epsilon is ${epsilon}; it must be above 0`)
  if (nodes.some((n) => n.shape.length === 0)) throw invalid(operation, 'a scalar has no rows; x must have an axis')
}
