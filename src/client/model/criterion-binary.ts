import type { Node } from '../../graph'
import * as g from '../../graph'
import type { Criterion } from './criterion'
import type { ElementOptions } from './criterion-regression'
import { criterionOptions, perSample } from './per-sample'
import { type OutputKind, scoresOf } from './scores'
import { stableLog } from './stable-log'

/**
 * −t log p − (1 − t) log(1 − p) for every element of the output, targets t in [0, 1].
 *
 * A sigmoid at the model's end is computed with the logarithm, as log(1 + e^z) − t z, which neither overflows nor cancels.
 *
 * @param options what the output is, and how the elements of a sample become its loss
 * @throws DlgError `invalid-option`
 */
export function binaryCrossEntropy(options: ElementOptions & { readonly output?: OutputKind } = {}): Criterion {
  const { output: kind = 'auto', within = 'mean' } = criterionOptions('binaryCrossEntropy', options, [
    'output',
    'within',
  ])
  return {
    name: 'binaryCrossEntropy',
    targets: 'bits',
    loss(output, target) {
      const logits = scoresOf(output, 'sigmoid', kind)
      return perSample(logits ? fromLogits(logits, target) : fromProbabilities(output, target), within)
    },
  }
}

const fromLogits = (z: Node, t: Node): Node => g.sub(g.unary('softplus', z), g.mul(t, z))

function fromProbabilities(p: Node, t: Node): Node {
  const complement = (x: Node): Node => g.offset(g.neg(x), 1)
  return g.neg(g.add(g.mul(t, stableLog(p)), g.mul(complement(t), stableLog(complement(p)))))
}
