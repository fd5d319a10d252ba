import { logitsOf } from '../../client/model/criterion'
import { weightParameter } from '../../client/model/gradient'
import { findHead, turnedWeight } from '../../client/model/head'
import type { TrainedOutput } from '../../client/model/outputs'
import { usesOf } from '../../client/model/uses'
import type { Target } from '../../client/target'
import * as g from '../../graph'
import { transposed } from '../../numbers/norms'
import type { Values } from '../../numbers/values'
import type { LabelDecision, LabelStrategy } from './strategy'

/**
 * Asks a strategy for the labels of one output. It sees the gradient and the values of the last dense layer, where the model
 * ends in one, as if the loss of this output were the only one.
 *
 * @param all the outputs with a loss: a weight that another one reads too is no last layer
 * @throws DlgError `labels` where the strategy's assumptions do not hold
 */
export function decideLabels(
  strategy: LabelStrategy,
  { name, node: output, criterion, weight }: TrainedOutput,
  { trained, dataGradients: gradients, weights, settings: { batchSize, reduction } }: Target,
  all: readonly { readonly node: g.Node }[],
): LabelDecision {
  const nodes = trained.map((w) => g.parameter(output.graph, weightParameter(w), w.shape))
  const logits = logitsOf(output) ?? output
  const found = findHead(logits, nodes)
  const turned = turnedWeight(logits, nodes)
  const outputs = all.map((one) => one.node)
  const reused = [found.weight ?? turned, found.bias].filter(
    (at) => at !== undefined && usesOf(nodes[at], outputs) > 1,
  ) as number[]
  const alone = (at: number | undefined) => (at !== undefined && reused.includes(at) ? undefined : at)
  const head = { weight: alone(found.weight ?? turned), bias: alone(found.bias) }
  /** As [features, classes]. */
  const upright = (values: Values | undefined, at: number | undefined): Values | undefined => {
    if (values === undefined || at === undefined || at !== turned) return values
    const [classes] = trained[at].shape.slice(-2)
    return transposed(values, classes, values.length / classes)
  }
  const valuesOf = (at: number | undefined) =>
    at === undefined ? undefined : upright(weights.get(weightParameter(trained[at])), at)
  const gradientOf = (at: number | undefined) =>
    at === undefined ? undefined : upright(weight === 1 ? gradients[at] : gradients[at].map((v) => v / weight), at)
  return strategy.decide({
    batchSize,
    output: name,
    reduction,
    layer: { weight: valuesOf(head.weight), bias: valuesOf(found.bias) },
    criterion: criterion.name || 'a function',
    classes: output.shape[output.shape.length - 1],
    head: { weight: gradientOf(head.weight), bias: gradientOf(head.bias) },
    ...(reused.length > 0 && {
      reused: `${reused.map((at) => `'${trained[at].name}'`).join(' and ')} of the last layer is used elsewhere too, and its gradient is a sum over the uses`,
    }),
  })
}
