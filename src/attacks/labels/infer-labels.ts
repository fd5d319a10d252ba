import { traceGradient } from '../../client/model/gradient'
import type { Model } from '../../client/model/model'
import type { SharedGradients } from '../../client/shared/read-gradients'
import type { SharedUpdate } from '../../client/shared/shared-update'
import { openTarget, type Target } from '../../client/target'
import { type TargetOptions, targetOptions } from '../../client/target-options'
import { DlgError } from '../../errors/dlg-error'
import * as g from '../../graph'
import { decideLabels } from './decide'
import { infer } from './infer'
import { requireOrder } from './order'
import type { LabelInference } from './strategy'

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
  return labelsIn(await openTarget(model, shared, targetOptions(options)))
}

/** The labels of the first output with a loss. @throws DlgError `labels` where no rule applies, and why */
export function labelsIn(target: Target): InferredLabels {
  const strategy = infer()
  requireOrder(strategy, target.settings)
  const { outputs } = traceGradient(
    target.model,
    target.settings,
    (output, { name }) => g.input(output.graph, `target ${name}`, output.shape),
    target.kinds,
  )
  const decision = decideLabels(strategy, outputs[0], target, outputs)
  if (decision.kind === 'known' && decision.inferred) return { labels: [...decision.labels], ...decision.inferred }
  throw new DlgError('labels', `no rule infers the labels of '${outputs[0].name}'`)
}
