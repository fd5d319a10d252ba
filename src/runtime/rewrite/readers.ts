import { type Node, reachable } from '../../graph'

/** Who reads a node: nodes, one that reads it twice twice, and `'output'`. */
export type Readers = ReadonlyMap<Node, readonly (Node | 'output')[]>

/** The readers of all nodes that the outputs need. */
export function readersOf(outputs: readonly Node[]): Readers {
  const readers = new Map<Node, (Node | 'output')[]>()
  const read = (node: Node, reader: Node | 'output') => {
    const list = readers.get(node)
    if (list) list.push(reader)
    else readers.set(node, [reader])
  }
  for (const node of reachable(outputs)) for (const input of node.inputs) read(input, node)
  for (const node of outputs) read(node, 'output')
  return readers
}

/** The node over other inputs. */
export function rebuilt(node: Node, inputs: readonly Node[]): Node {
  if (inputs.every((n, i) => n === node.inputs[i])) return node
  return node.graph.intern(node.op, inputs, node.attributes, node.shape)
}

/** The outputs with each node replaced, inputs before users; `replace` is given the node over replaced inputs, and as it was. */
export function rebuiltAll(outputs: readonly Node[], replace: (node: Node, before: Node) => Node): Node[] {
  const made = new Map<Node, Node>()
  for (const node of reachable(outputs))
    made.set(node, node.varying ? replace(rebuilt(node, node.inputs.map((n) => made.get(n)!)), node) : node) // biome-ignore format: one line
  return outputs.map((n) => made.get(n)!)
}
