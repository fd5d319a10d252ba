import type { Node } from '../graph'
import * as g from '../graph'

/** The loss a client trains with. */
export interface Criterion {
  readonly name: string
  /**
   * Loss of every sample, [batch].
   *
   * @param output what the model gives, [batch, …, classes]
   * @param target of the same shape: one-hot or soft labels, or regression targets
   */
  loss(output: Node, target: Node): Node
}

/** What a model's output means to a cross-entropy: `auto` recognises a soft-max at the end of the model. */
export type OutputKind = 'auto' | 'logits' | 'probabilities'

/** −Σ q log p over the classes, mean over further positions. A soft-max at the model's end is computed with the logarithm. */
export function crossEntropy(kind: OutputKind = 'auto'): Criterion {
  return {
    name: 'crossEntropy',
    loss(output, target) {
      const logits = logitsOf(output, kind)
      const logProbabilities = logits ? g.logSoftmax(logits) : g.log(output)
      return perSample(g.neg(g.sum(g.mul(target, logProbabilities), [-1])))
    },
  }
}

/** Mean of (y − t)² over everything but the batch. */
export function meanSquaredError(): Criterion {
  return { name: 'meanSquaredError', loss: (output, target) => perSample(g.square(g.sub(output, target))) }
}

/** The pre-soft-max scores [batch, …, classes], when the output has them. */
export function logitsOf(output: Node, kind: OutputKind = 'auto'): Node | undefined {
  if (kind === 'logits') return output
  if (output.op === 'softmax') return output.inputs[0]
  return kind === 'auto' ? output : undefined
}

function perSample(values: Node): Node {
  const batch = values.shape[0]
  const axes = g.range(values.shape.length).slice(1)
  return g.reshape(g.mean(values, axes), [batch])
}
