import { logitsOf } from '../../client/model/criterion'
import { weightParameter } from '../../client/model/gradient'
import { findHead } from '../../client/model/head'
import type { TrainedOutput } from '../../client/model/outputs'
import type { Target } from '../../client/target'
import * as g from '../../graph'
import type { LabelDecision, LabelStrategy } from './strategy'

/**
 * Asks a strategy for the labels of one output. It sees the gradient and the values of the last dense layer, where the model
 * ends in one, as if the loss of this output were the only one.
 *
 * @throws DlgError `labels` where the strategy's assumptions do not hold
 */
export function decideLabels(
  strategy: LabelStrategy,
  { name, node: output, criterion, weight }: TrainedOutput,
  { trained, dataGradients: gradients, weights, settings: { batchSize, reduction } }: Target,
): LabelDecision {
  const nodes = trained.map((w) => g.parameter(output.graph, weightParameter(w), w.shape))
  const head = findHead(logitsOf(output) ?? output, nodes)
  const valuesOf = (at: number | undefined) =>
    at === undefined ? undefined : weights.get(weightParameter(trained[at]))
  const gradientOf = (at: number | undefined) =>
    at === undefined || weight === 1 ? gradients[at ?? -1] : gradients[at].map((v) => v / weight)
  return strategy.decide({
    batchSize,
    output: name,
    reduction,
    layer: { weight: valuesOf(head.weight), bias: valuesOf(head.bias) },
    criterion: criterion.name || 'a function',
    classes: output.shape[output.shape.length - 1],
    head: { weight: gradientOf(head.weight), bias: gradientOf(head.bias) },
  })
}
