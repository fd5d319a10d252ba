import type { Node, Op } from '../../graph'
import * as g from '../../graph'
import { areProbabilities } from './probabilities'

/**
 * What a model's output means to a cross-entropy. `auto` takes an output that is visibly made of a soft-max or sigmoid, and
 * visibly in [0, 1], for probabilities, and any other for logits.
 */
export type OutputKind = 'auto' | 'logits' | 'probabilities'

/** What moves elements and does nothing else. */
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
