import { type Node, unshaped } from '../../graph'

/** The dense layer that makes the class scores: logits = features · weight + bias. Positions among the trained weights. */
export interface ScoreLayer {
  /** Position of the [features, classes] matrix; undefined where the model keeps it as [classes, features]. */
  readonly weight?: number
  readonly bias?: number
}

/**
 * The weight of the last dense layer where the model keeps it as [classes, features], as a position among the trained weights;
 * undefined where it is kept the other way, or where there is no such layer.
 */
export function turnedWeight(logits: Node, trained: readonly Node[]): number | undefined {
  const end = unshaped(logits)
  for (const product of end.op === 'add' ? end.inputs : [end]) {
    const inner = unshaped(product)
    const factor = inner.op === 'matMul' ? unshaped(inner.inputs[1]) : undefined
    const at = factor?.op === 'transpose' ? trained.indexOf(unshaped(factor.inputs[0])) : -1
    if (at >= 0) return at
  }
  return undefined
}

/** Recognises the last dense layer from the shape of the graph, whatever the layers are called. */
export function findHead(logits: Node, trained: readonly Node[]): ScoreLayer {
  const position = (node: Node): number | undefined => {
    const at = trained.indexOf(unshaped(node))
    return at >= 0 ? at : undefined
  }
  const factor = (node: Node): Node | undefined => {
    const inner = unshaped(node)
    return inner.op === 'matMul' ? unshaped(inner.inputs[1]) : undefined
  }
  const isProduct = (node: Node): boolean => {
    const w = factor(node)
    return w !== undefined && position(w.op === 'transpose' ? w.inputs[0] : w) !== undefined
  }
  const weight = (node: Node): number | undefined => {
    const w = factor(node)
    return w && position(w)
  }
  const end = unshaped(logits)
  if (end.op !== 'add') return { weight: weight(end) }
  const [a, b] = end.inputs
  if (isProduct(a)) return { weight: weight(a), bias: position(b) }
  return isProduct(b) ? { weight: weight(b), bias: position(a) } : {}
}
