import { invalid, requireNodeList, requireNodes } from './checks'
import { type Node, reachable } from './node'
import { sameShape } from './shape'

/**
 * The outputs with some nodes replaced by others of the same shape: one computation over and over, on other arguments.
 *
 * A node that depends on none of them stays the same node. Nothing is simplified on the way, so that a gradient taken with respect to
 * a leaf is the gradient at whatever the leaf is replaced by.
 *
 * @throws DlgError `invalid-graph`
 */
export function substitute(outputs: readonly Node[], replacements: ReadonlyMap<Node, Node>): Node[] {
  requireNodeList('substitute', outputs)
  if (!(replacements instanceof Map)) throw invalid('substitute', 'replacements must be a Map from node to node')
  for (const [from, to] of replacements) {
    requireNodes('substitute', from, to, ...outputs.slice(0, 1))
    if (!sameShape(from.shape, to.shape))
      throw invalid(
        'substitute',
        `[${to.shape}] for [${from.shape}]; a replacement must have the shape of what it replaces`,
      )
  }
  const replaced = new Map<Node, Node>(replacements)
  for (const node of reachable(outputs)) {
    if (replaced.has(node)) continue
    const inputs = node.inputs.map((n) => replaced.get(n)!)
    const same = inputs.every((n, i) => n === node.inputs[i])
    replaced.set(node, same ? node : node.graph.intern(node.op, inputs, node.attributes, node.shape))
  }
  return outputs.map((n) => replaced.get(n)!)
}
