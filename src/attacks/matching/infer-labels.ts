import type { Model } from '../../client/model/model'
import type { SharedGradients } from '../../client/shared/read-gradients'
import type { LabelInference } from '../labels'
import { leakageOptions } from './options/options'
import type { LeakageOptions } from './options/settings'
import { labelsOf } from './reconstruction'
import { traceShared } from './trace-shared'

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
  shared: SharedGradients,
  options: Omit<LeakageOptions, 'labels'> = {},
): Promise<InferredLabels> {
  const { point } = await traceShared(model, shared, leakageOptions({ ...options, labels: 'infer' }))
  const [reading] = point.targetsOf(new Float64Array(point.size))
  return { labels: labelsOf(reading), ...reading.inferred! }
}
