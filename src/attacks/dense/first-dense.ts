import { type Node, reachable, unshaped } from '../../graph'

/** A dense layer with bias that reads the data themselves: positions among the trained weights. */
export interface FirstDense {
  readonly weight: number
  readonly bias: number
  /** Whether the weight is kept as [out, in]. */
  readonly transposed: boolean
}

/**
 * Recognises, in a traced graph, a dense layer with bias over one flat row of data: data · W + b, whatever the layers are
 * called, with nothing but reshapes between. There x̂ = ∂W ∂b / ‖∂b‖² is the data of one sample.
 *
 * @param data of one sample, [1, ...inputShape]
 * @param outputs where to look: the model's output, or its loss
 */
export function firstDense(data: Node, trained: readonly Node[], outputs: readonly Node[]): FirstDense | undefined {
  if (data.shape[0] !== 1) return undefined
  const position = (node: Node): number => trained.indexOf(unshaped(node))
  for (const sum of reachable(outputs)) {
    if (sum.op !== 'add') continue
    const [a, b] = sum.inputs
    for (const [product, term] of [
      [a, b],
      [b, a],
    ]) {
      const layer = weightOf(unshaped(product), data, position)
      const bias = position(term)
      if (layer && bias >= 0) return { ...layer, bias }
    }
  }
  return undefined
}

/** The weight of a product with the data as one row. */
function weightOf(node: Node, data: Node, position: (node: Node) => number) {
  if (node.op !== 'matMul') return undefined
  const [row, factor] = node.inputs
  const [rows, columns] = row.shape.slice(-2)
  // one row only: a layer over many places of a sample mixes them as it would mix samples
  if (unshaped(row) !== data || rows !== 1 || columns !== data.shape.reduce((a, b) => a * b, 1)) return undefined
  const inner = unshaped(factor)
  const transposed = inner.op === 'transpose'
  const weight = position(transposed ? inner.inputs[0] : inner)
  return weight < 0 ? undefined : { weight, transposed }
}
