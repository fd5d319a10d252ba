import type { Node, Op } from '../../graph/index'
import type { TracedGradient } from './gradient'

const KINKS: Partial<Record<Op, string>> = {
  relu: 'ReLU',
  maximum: 'maxima, as in max-pooling or a clip',
  minimum: 'minima, as in a clip',
  max: 'maxima over an axis',
  abs: 'absolute values',
  less: 'comparisons',
  sign: 'signs',
  floor: 'rounding',
}

/**
 * The operations between data and outputs that are not smooth. Token ids cannot be moved: behind an embedding the path begins
 * at the rows of its table.
 */
export function kinksOf({ outputs }: Pick<TracedGradient, 'outputs'>): { kinks: string[]; from: string } {
  const kinks = new Set<string>()
  const seen = new Set<Node>()
  let tokens = false
  const visit = (node: Node): void => {
    if (!node.varying || seen.has(node)) return
    seen.add(node)
    const kink = KINKS[node.op]
    if (kink) kinks.add(kink)
    if (node.op === 'gather') tokens = true
    for (const source of node.op === 'gather' ? node.inputs.slice(0, 1) : node.inputs) visit(source)
  }
  for (const { node } of outputs) visit(node)
  return { kinks: [...kinks], from: tokens ? 'the rows of the embedding' : 'data' }
}
