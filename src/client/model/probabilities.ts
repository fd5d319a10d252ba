import type { Node } from '../../graph'
import * as g from '../../graph'

/** What means of many terms may exceed 1 by. */
const ROUNDING = 1e-9

/**
 * Whether an output visibly lies in [0, 1]: it is made of soft-maxes and sigmoids by moves, clipping, complements, products
 * and means.
 */
export function areProbabilities(output: Node): boolean {
  const bounds = new Map<Node, number>()
  for (const node of g.reachable([output]))
    bounds.set(
      node,
      upperBound(
        node,
        node.inputs.map((n) => bounds.get(n)!),
      ),
    )
  return bounds.get(output)! <= 1 + ROUNDING
}

/** The greatest value of a node that is never negative; Infinity where neither is known. */
function upperBound(node: Node, of: readonly number[]): number {
  const value = g.uniformValue(node)
  if (value !== undefined) return value >= 0 ? value : Infinity
  switch (node.op) {
    case 'sigmoid':
    case 'softmax':
      return 1
    case 'reshape':
    case 'transpose':
    case 'broadcast':
    case 'slice':
    case 'pad':
    case 'reverse':
    case 'concat':
    case 'max':
    case 'maximum':
      return Math.max(...of)
    case 'minimum':
      return of.includes(Infinity) ? Infinity : Math.min(...of)
    case 'mul':
      return of[0] * of[1]
    case 'add':
      return of[0] + of[1]
    case 'sum':
      return (of[0] * g.sizeOf(node.inputs[0].shape)) / g.sizeOf(node.shape)
    case 'sub':
      return g.uniformValue(node.inputs[0]) === 1 && of[1] <= 1 ? 1 : Infinity
    default:
      return Infinity
  }
}
