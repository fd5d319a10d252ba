import { choice, knownNames } from '../../errors/checks'
import type { Node } from '../../graph'
import * as g from '../../graph'
import type { Reduction } from './criterion'

/** Checks the options of a criterion that have names. @throws DlgError `invalid-option` */
export function criterionOptions<T extends object>(name: string, options: T, names: readonly (keyof T & string)[]): T {
  knownNames(name, options, names)
  const { output, within } = options as { readonly output?: string; readonly within?: string }
  if (output !== undefined) choice('output', output, ['auto', 'logits', 'probabilities'])
  if (within !== undefined) choice('within', within, ['mean', 'sum'])
  return options
}

/** Values [batch, …] reduced to one per sample, [batch]. */
export function perSample(values: Node, reduction: Reduction = 'mean'): Node {
  const batch = values.shape[0]
  const axes = g.range(values.shape.length).slice(1)
  return g.reshape(reduction === 'mean' ? g.mean(values, axes) : g.sum(values, axes), [batch])
}
