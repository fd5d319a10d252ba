import type { TracedGradient } from '../../client/model/gradient'
import type { Model } from '../../client/model/model'
import type { SharedGradients } from '../../client/shared/read-gradients'
import type { SharedUpdate } from '../../client/shared/shared-update'
import { openTarget, type Target } from '../../client/target'
import { type TargetOptions, targetOptions } from '../../client/target-options'
import { invalid } from '../../errors/checks'
import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import { type Pause, paced, pauses, restBy } from '../contract/pause'
import { traceOfOne } from '../dense/first-dense'
import { type PatchEmbedding, patchEmbedding } from './patch-embedding'
import { FLOAT32, solvePatches } from './solve'

/** The data of one sample as a vision transformer's patches. */
export interface ExactPatches {
  /** The image: numbers of one sample in row-major order. */
  readonly data: Float64Array
  /** Number of patches. */
  readonly patches: number
  /**
   * In how many directions of the patches' space the gradient gives them beyond its noise. Below `patches`, the others are
   * guessed: neighbouring numbers differ little there.
   */
  readonly rank: number
  /** Numbers of the data that no patch reads; they are the mean of the others. */
  readonly unread: number
  /** Names of the weight that embeds patches, and of the positions that are added. */
  readonly weight: string
  readonly positions: string
}

/**
 * The data of one sample in closed form, where a model begins with patches that are embedded by one linear map and a trained
 * position embedding is added: Xᵀ = ∂L/∂W · pinv(∂L/∂P). A vision transformer's gradient of its positions is that of its first
 * block's input (Lu et al. 2022, APRIL, Appendix), so that the gradient of the embedding is a linear system for the patches.
 *
 * The embedding is recognised by what it computes: a convolution or a dense layer over patches of any size, with or without bias
 * and class token. Everything comes back where the embedding is at least as wide as there are patches. A normalisation of the
 * embedded patches at the beginning of every block takes one direction, which is guessed.
 *
 * @param options how the client trains; the batch must be 1
 * @returns undefined where the model does not begin so, or the gradients it needs were not shared or are zero
 * @throws DlgError `invalid-option` for a larger batch, otherwise as `deepLeakageFromGradients`
 */
export async function exactPatches(
  model: Model,
  shared: SharedGradients | SharedUpdate,
  options: TargetOptions = {},
): Promise<ExactPatches | undefined> {
  const settings = targetOptions(options)
  if (settings.batchSize !== 1)
    throw invalid(`batchSize is ${settings.batchSize}; it must be 1: the positions feel the sum over a batch`)
  const found = await exactPatchesIn(
    await openTarget(model, shared, settings),
    pauses(() => true),
  )
  return typeof found === 'string' ? undefined : found
}

/** As {@link exactPatches}, of what an attacker has; or why the attack does not apply. @throws CUT */
export async function exactPatchesIn(
  target: Target,
  pause: Pause,
  traced?: TracedGradient,
): Promise<ExactPatches | string> {
  const solved = await solvedIn(target, pause, traced)
  if (typeof solved === 'string') return solved
  const { embedding, solution } = solved
  const { data, rank, unread } = solution
  const [weight, positions] = [embedding.weight, embedding.positions].map((at) => target.trained[at].name)
  return { data, rank, unread, patches: embedding.patches, weight, positions }
}

/** The embedding with what its gradient says, or why the attack does not apply. @throws CUT */
export async function solvedIn(target: Target, pause: Pause, traced?: TracedGradient) {
  const embedding = await embeddingIn(target, pause, traced)
  if (typeof embedding === 'string') return embedding
  const solution = await solutionIn(embedding, target, pause)
  return solution ? { embedding, solution } : 'the gradient of the positions or of the patches is zero'
}

/** What the gradient says of the patches of an embedding; undefined where it is zero. @throws CUT */
export async function solutionIn(embedding: PatchEmbedding, target: Target, pause: Pause) {
  const { dataGradients: gradients, rounding, model } = target
  const felt = await embedding.felt(gradients[embedding.positions])
  const noise = Math.max(FLOAT32, Math.sqrt(rounding))
  const steps = solvePatches(embedding, felt, gradients[embedding.weight], model.inputs[0].shape, noise)
  return paced(steps, pause)
}

/** The embedding, or why there is none. Nothing is solved. @throws CUT */
export async function embeddingIn(target: Target, pause: Pause, traced?: TracedGradient) {
  const { model, searched, settings, weights } = target
  if (model.inputs.length !== 1 || searched.length !== 1)
    return `the model has ${countOf(model.inputs.length, 'input')}; the patches must be those of the only one`
  if (settings.batchSize !== 1)
    return `the batch has ${countOf(settings.batchSize, 'sample')}; the positions feel the sum over them`
  try {
    const one = traced ?? traceOfOne(model, settings)
    return await patchEmbedding(one, new Map([...one.captured, ...weights]), restBy(pause))
  } catch (error) {
    if (error instanceof DlgError) return `the model is not traced on one sample: ${error.message}`
    throw error
  }
}
