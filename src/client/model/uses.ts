import { type Node, reachable } from '../../graph'

/**
 * How many operations read a weight, in the computation of `outputs`. Views of the weight (reshaped, broadcast or transposed)
 * stand for the weight itself.
 *
 * A closed form divides the gradient of one use. The gradient of a weight with several uses is the sum over them, and no
 * division takes such a sum apart.
 */
export function usesOf(weight: Node, outputs: readonly Node[]): number {
  const readers = new Map<Node, Node[]>()
  for (const node of reachable(outputs))
    for (const source of node.inputs) readers.set(source, [...(readers.get(source) ?? []), node])
  const count = (node: Node): number =>
    (readers.get(node) ?? []).reduce((sum, reader) => sum + (isView(reader) ? count(reader) : 1), 0)
  return count(weight)
}

const isView = ({ op }: Node): boolean => op === 'reshape' || op === 'broadcast' || op === 'transpose'
