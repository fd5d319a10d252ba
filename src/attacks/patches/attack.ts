import { tensor } from '@tensorflow/tfjs-core'
import type { Target } from '../../client/target'
import { DlgError } from '../../errors/dlg-error'
import { RESIDUAL, residualOf } from '../../measure/residual'
import { type Attack, outcome } from '../contract/attack'
import { checkLabels } from '../dense/attacks'
import { labelsIn } from '../labels/infer-labels'
import { embeddingIn, solvedIn } from './exact-patches'
import { refined } from './refine'

/** Options of patch inversion. */
export interface PatchInversionOptions {
  /** Class of the sample, where it is known. Default: inferred from the last layer. */
  readonly labels?: readonly number[]
}

/** Residual below which patches, some of whose directions are guessed, are near the client's. */
const NEAR = 0.1

/** Change of the data, in units of the difference of neighbours, that the gradient must tell for a proof. */
const TOLD = 0.1

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
  check: checkLabels,
  async refuses(target) {
    const embedding = await embeddingIn(target)
    return typeof embedding === 'string' ? embedding : undefined
  },
  async run(target, { labels: known }, control) {
    const started = performance.now()
    const end = (said: Parameters<typeof outcome>[3]) => outcome('patch-inversion', started, control, said)
    const solved = await solvedIn(target)
    if (typeof solved === 'string') return end({ status: 'failed', reason: solved })
    const { embedding, solution } = solved
    const { rank, unread, roughness } = solution
    const { patches, numbers } = embedding
    const open = patches - rank
    const tensorOf = (data: Float64Array) => tensor(Float32Array.from(data), [1, ...target.model.inputs[0].shape])
    const labels = known ?? labelsOrNone(target)
    const guessed = `${open} of ${patches} directions of the patches are guessed`
    if (!labels)
      return end({
        status: 'partial',
        reason: `the patches stand in the gradient; no rule gives the label, so that nothing proves them${open > 0 ? `; ${guessed}` : ''}`,
        found: { data: tensorOf(solution.data) },
        evidence: { rank },
      })
    const { signal, budget = {} } = control
    const { evaluations = Number.POSITIVE_INFINITY, milliseconds = Number.POSITIVE_INFINITY } = budget
    const affordable = open * numbers < evaluations
    const goesOn = () => !signal?.aborted && performance.now() - started < milliseconds
    const more = affordable ? await refined(target, solution, open * numbers, labels, goesOn) : undefined
    if (!goesOn() || !affordable)
      return end({
        status: 'cut',
        reason: `the patches stand in the gradient, and the search ended before a proof; ${guessed}`,
        found: { data: tensorOf(solution.data), labels },
        evidence: { rank },
      })
    const data = more?.data ?? solution.data
    const residual = more?.residual ?? (await residualOf(target, [Float32Array.from(data)], [{ labels }]))
    const floor = Math.max(RESIDUAL, 3 * Math.sqrt(target.rounding))
    const holds = residual <= floor
    // how far other data with a gradient as close could be
    const told = open === 0 || (more !== undefined && floor * more.sensitivity <= TOLD * roughness)
    const reasons = [
      `with label ${labels.join(', ')} the gradient of the patches found is ${residual.toExponential(1)} away from the shared one`,
      ...(open === 0
        ? []
        : [told ? `${open} of ${patches} directions of the patches stand in the rest of the gradient` : guessed]),
      ...(unread > 0 ? [`${unread} numbers are read by no patch`] : []),
    ]
    return end({
      status: holds
        ? unread > 0
          ? 'undetermined'
          : told
            ? 'proven'
            : 'matched'
        : open > 0 && residual < NEAR
          ? 'partial'
          : 'failed',
      reason: reasons.join('; '),
      found: { data: tensorOf(data), labels },
      evidence: { residual, floor, rank },
      work: more && { evaluations: more.evaluations },
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
