import type { Node, Op } from '../../graph'
import * as g from '../../graph'

/**
 * What a model's output means to a cross-entropy. `auto` takes an output that is visibly made of a soft-max or sigmoid, and
 * visibly in [0, 1], for probabilities, and any other for logits.
 */
export type OutputKind = 'auto' | 'logits' | 'probabilities'

/** Operations that move elements and do nothing else. */
const MOVES: ReadonlySet<Op> = new Set<Op>(['reshape', 'transpose', 'broadcast', 'slice', 'reverse', 'concat'])

/**
 * The scores before the activation that ends a model, of the shape of the output; undefined where the output are
 * probabilities without such scores. What moves the activation's elements (a transpose, a flattening) moves the scores
 * alike.
 */
export function scoresOf(output: Node, activation: 'sigmoid' | 'softmax', kind: OutputKind): Node | undefined {
  if (kind === 'logits') return output
  const ends = activationsOf(output, activation)
  if (ends) return g.substitute([output], new Map(ends.map((end) => [end, end.inputs[0]])))[0]
  return kind === 'probabilities' || areProbabilities(output) ? undefined : output
}

/** The activations behind nothing but moves, when all elements of the node come from one. */
function activationsOf(node: Node, activation: 'sigmoid' | 'softmax'): Node[] | undefined {
  if (node.op === activation) return [node]
  if (!MOVES.has(node.op) || (activation === 'softmax' && !keepsRows(node))) return undefined
  const found = node.inputs.map((n) => activationsOf(n, activation))
  return found.every((ends) => ends !== undefined) ? found.flat() : undefined
}

/** Whether the last axis of a move is that of what it moves, so that a soft-max of the moved scores is the moved soft-max. */
function keepsRows(node: Node): boolean {
  const last = node.shape.length - 1
  if (node.op === 'transpose') return node.attributes.permutation[last] === last
  return node.inputs.every((n) => n.shape[n.shape.length - 1] === node.shape[last])
}

/** By how much rounding may put a mean of many terms above 1. */
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

/** The smallest normal float32: what a logarithm sees of a probability that rounding has made 0. */
const TINY = 2 ** -126

/** log p, finite at p = 0. */
export const stableLog = (p: Node): Node => g.log(g.maximum(p, g.scalar(p.graph, TINY)))
