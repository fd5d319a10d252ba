import type { Node } from '../../graph'
import * as g from '../../graph'
import type { Reduction } from './criterion'

/** Values [batch, …] reduced to one per sample, [batch]. */
export function perSample(values: Node, reduction: Reduction = 'mean'): Node {
  const batch = values.shape[0]
  const axes = g.range(values.shape.length).slice(1)
  return g.reshape(reduction === 'mean' ? g.mean(values, axes) : g.sum(values, axes), [batch])
}
