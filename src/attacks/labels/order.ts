import { unrolls } from '../../client/shared/unroll'
import type { TargetSettings } from '../../client/target-options'
import { DlgError } from '../../errors/dlg-error'

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
