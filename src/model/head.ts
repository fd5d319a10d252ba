import type { Node } from '../graph'

/** The dense layer that makes the class scores: logits = features · weight + bias. Positions among the trained weights. */
export interface Head {
  /** Of the [features, classes] matrix. */
  readonly weight?: number
  readonly bias?: number
}

/** Recognises the last dense layer from the shape of the graph, whatever the layers are called. */
export function findHead(logits: Node, trained: readonly Node[]): Head {
  const position = (node: Node): number | undefined => {
    const at = trained.indexOf(strip(node))
    return at >= 0 ? at : undefined
  }
  const product = (node: Node): number | undefined => {
    const inner = strip(node)
    return inner.op === 'matMul' ? position(inner.inputs[1]) : undefined
  }
  const end = strip(logits)
  if (end.op !== 'add') return { weight: product(end) }
  const [a, b] = end.inputs
  return product(a) !== undefined
    ? { weight: product(a), bias: position(b) }
    : { weight: product(b), bias: position(a) }
}

const strip = (node: Node): Node => (node.op === 'reshape' || node.op === 'broadcast' ? strip(node.inputs[0]) : node)
