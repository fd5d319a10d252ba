import { logitsOf } from '../../client/model/criteria'
import { traceGradient, weightParameter } from '../../client/model/gradient'
import { findHead, turnedWeight } from '../../client/model/head'
import type { TrainedOutput } from '../../client/model/loss'
import type { Model } from '../../client/model/model'
import { usesOf } from '../../client/model/uses'
import type { SharedGradients } from '../../client/shared/read-gradients'
import type { SharedUpdate } from '../../client/shared/shared-update'
import { unrolls } from '../../client/shared/unroll'
import { openTarget, type Target } from '../../client/target'
import { type TargetOptions, type TargetSettings, targetOptions } from '../../client/target-options'
import { DlgError } from '../../errors/dlg-error'
import * as g from '../../graph'
import { transposed } from '../../numbers/norms'
import type { Steps } from '../../numbers/steps'
import type { Values } from '../../numbers/values'
import { donePaced, type Pause, pauses } from '../contract/pause'
import { infer } from './infer'
import type { LabelDecision, LabelInference, LabelStrategy } from './strategy'

/** Labels that stand in a gradient, and how sure they are. */
export interface InferredLabels extends LabelInference {
  /** A class for each sample, in the order of the classes: a batch has none of its own. */
  readonly labels: number[]
}

/**
 * The labels behind a shared gradient in closed form, without a search: what `labels: 'infer'` begins with.
 *
 * @param options how the client trains, and how many samples it averages; of a model with several outputs, the first with a loss
 * @throws DlgError `labels` where no rule applies, and why; otherwise as `deepLeakageFromGradients`
 */
export async function inferLabels(
  model: Model,
  shared: SharedGradients | SharedUpdate,
  options: TargetOptions = {},
): Promise<InferredLabels> {
  return labelsIn(
    await openTarget(model, shared, targetOptions(options)),
    pauses(() => true),
  )
}

/**
 * The labels of the first output with a loss.
 *
 * @param pause asked between the steps
 * @throws DlgError `labels` where no rule applies, and why; CUT
 */
export async function labelsIn(target: Target, pause: Pause): Promise<InferredLabels> {
  const { output, steps } = readingOf(target)
  const decision = await donePaced(steps, pause)
  if (decision.kind === 'known' && decision.inferred) return { labels: [...decision.labels], ...decision.inferred }
  throw new DlgError('labels', `no rule infers the labels of '${output}'`)
}

/** As {@link labelsIn}; undefined where no rule gives them. @throws CUT */
export async function labelsOrNone(target: Target, pause: Pause): Promise<InferredLabels | undefined> {
  try {
    return await labelsIn(target, pause)
  } catch (error) {
    if (error instanceof DlgError && error.code === 'labels') return undefined
    throw error
  }
}

/**
 * The labels with which a proof is tried: those that a rule gives. Behind a factor that nobody knows, the gradient of one sample with either
 * of two labels is the shared one, so that both are tried. None where no rule gives any.
 *
 * @throws CUT
 */
export async function labelsToTry(target: Target, pause: Pause): Promise<readonly (readonly number[])[]> {
  const read = await labelsOrNone(target, pause)
  if (read) return [read.labels, ...(read.others ? [read.others] : [])]
  const { batchSize, scale, positiveFactor } = target.settings
  if (batchSize !== 1 || scale !== 'auto' || positiveFactor) return []
  const [{ node, criterion }, ...others] = outputsOf(target)
  const isOneOfTwo = others.length === 0 && criterion.name === 'crossEntropy' && g.sizeOf(node.shape) === 2
  return isOneOfTwo ? [[0], [1]] : []
}

/** Begins to read the labels of the first output with a loss. @throws DlgError `labels` where it is plain that no rule applies, and why */
export function readingOf(target: Target): {
  readonly output: string
  readonly steps: ReturnType<typeof decideLabels>
} {
  const strategy = infer()
  requireOrder(strategy, target.settings)
  const outputs = outputsOf(target)
  return { output: outputs[0].name, steps: decideLabels(strategy, outputs[0], target, outputs) }
}

/** The outputs with a loss. */
const outputsOf = ({ model, settings, kinds }: Target): readonly TrainedOutput[] =>
  traceGradient(model, settings, (output, { name }) => g.input(output.graph, `target ${name}`, output.shape), kinds).outputs // biome-ignore format: one line

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
  {
    trained,
    dataGradients: gradients,
    weights,
    sampleLabels,
    settings: { batchSize, reduction, scale, positiveFactor },
  }: Target,
  all: readonly { readonly node: g.Node }[],
): LabelDecision | Steps<LabelDecision> {
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
    ...(scale === 'auto' && { anyFactor: positiveFactor ? 'positive' : 'either' }),
    ...(sampleLabels && { apart: sampleLabels }),
    ...(reused.length > 0 && {
      reused: `${reused.map((at) => `'${trained[at].name}'`).join(' and ')} of the last layer is used elsewhere too, and its gradient is a sum over the uses`,
    }),
  })
}

/** Inferred labels have no order, and which of them a local step has read matters. @throws DlgError `labels` */
export function requireOrder(
  choice: object,
  { update, batchSize }: Pick<TargetSettings, 'update' | 'batchSize'>,
): void {
  const inferred = 'decide' in choice && 'name' in choice && choice.name === 'infer'
  if (!inferred || !unrolls(update) || update.steps[0].size === batchSize) return
  throw new DlgError(
    'labels',
    "labels: 'infer' says which classes there are, not which local batch they were in; give the labels in the order in which the client read them, search them with 'joint', or take the approach 'surrogate' or 'one-step'",
  )
}
