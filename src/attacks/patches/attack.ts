import { tensor } from '@tensorflow/tfjs-core'
import type { Target } from '../../client/target'
import { DlgError } from '../../errors/dlg-error'
import { RESIDUAL, residualOf } from '../../measure/residual'
import { type Attack, outcome } from '../contract/attack'
import { labelsIn } from '../labels/infer-labels'
import { embeddingIn, exactPatchesIn } from './exact-patches'

/** Options of patch inversion. */
export interface PatchInversionOptions {
  /** Class of the sample, where it is known. Default: inferred from the last layer. */
  readonly labels?: readonly number[]
}

/** Residual below which patches, some of whose directions are guessed, are near the client's. */
const NEAR = 0.1

/** One sample in closed form, where the model begins as a vision transformer does. `exactPatches` is its own door. */
export const patchInversion: Attack<PatchInversionOptions> = {
  name: 'patch-inversion',
  source: 'Lu et al. 2022, APRIL: Finding the Achilles’ Heel on Privacy for Vision Transformers',
  leaks: 'data',
  needs: {
    sees: 'the gradients of the patch embedding and of the positions, and of the rest for a proof',
    batch: 'one sample',
    model: 'begins with patches embedded by one linear map, to which trained positions are added',
    labels: 'none: inferred for the proof',
  },
  async refuses(target) {
    const embedding = await embeddingIn(target)
    return typeof embedding === 'string' ? embedding : undefined
  },
  async run(target, { labels: known }, control) {
    const started = performance.now()
    const end = (said: Parameters<typeof outcome>[3]) => outcome('patch-inversion', started, control, said)
    const found = await exactPatchesIn(target)
    if (typeof found === 'string') return end({ status: 'failed', reason: found })
    const { rank, patches, unread } = found
    const input = Float32Array.from(found.data)
    const labels = known ?? labelsOrNone(target)
    const data = tensor(input, [1, ...target.model.inputs[0].shape])
    const open = [
      ...(rank < patches ? [`${patches - rank} of ${patches} directions of the patches are guessed`] : []),
      ...(unread > 0 ? [`${unread} numbers are read by no patch`] : []),
    ]
    if (!labels)
      return end({
        status: 'partial',
        reason: [
          'the patches stand in the gradient; no rule gives the label, so that nothing proves them',
          ...open,
        ].join('; '),
        found: { data },
        evidence: { rank },
      })
    const residual = await residualOf(target, [input], [{ labels }])
    const floor = Math.max(RESIDUAL, 3 * Math.sqrt(target.rounding))
    const holds = residual <= floor
    const says = `with label ${labels.join(', ')} the gradient of the patches found is ${residual.toExponential(1)} away from the shared one`
    return end({
      status: holds
        ? open.length === 0
          ? 'proven'
          : unread > 0
            ? 'undetermined'
            : 'matched'
        : open.length > 0 && residual < NEAR
          ? 'partial'
          : 'failed',
      reason: [says, ...open].join('; '),
      found: { data, labels },
      evidence: { residual, floor, rank },
    })
  },
}

function labelsOrNone(target: Target): readonly number[] | undefined {
  try {
    return labelsIn(target).labels
  } catch (error) {
    if (error instanceof DlgError && error.code === 'labels') return undefined
    throw error
  }
}
