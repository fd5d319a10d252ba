import type { TracedGradient } from '../../client/model/gradient'
import type { Model } from '../../client/model/model'
import type { SharedGradients } from '../../client/shared/read-gradients'
import type { SharedUpdate } from '../../client/shared/shared-update'
import { openTarget } from '../../client/target'
import { type TargetOptions, targetOptions } from '../../client/target-options'
import { type OutputTargets, readTargets } from '../../client/target-values'
import { invalid, requireObject } from '../../errors/checks'
import { RESIDUAL } from '../../measure/residual'
import type { Steps } from '../../numbers/steps'
import type { Values } from '../../runtime/runtime'
import { paced, pauses } from '../contract/pause'
import { labelsToTry } from '../labels/infer-labels'
import { type Certificate, certifyAny, gradientOf, roundingOf } from './certificate'
import { hasSignsAlone } from './dense-gradient'
import { type DenseLayer, denseLayerIn, traceOfOne } from './first-dense'
import { AGREEMENT, type DenseInput, denseInput } from './invert-dense'

/** The data of one sample in row-major order, with what vouches for them. */
export interface ExactData extends Omit<DenseInput, 'status'> {
  readonly input: Float64Array
  /**
   * `exact`: two neurons or more agree on these data, their gradient is the shared one, and a mixture of several samples would
   * have shown. `unconfirmed`: at least one of these is not known; `reason` says which.
   */
  readonly status: 'exact' | 'unconfirmed'
  /** The status in one sentence. */
  readonly reason: string
  /** ‖g − g*‖ / ‖g*‖ of the data, and over the first layer alone where that is larger; undefined without labels. */
  readonly residual?: number
}

/** Options of `exactData`. The options of the target are among them. */
export interface ExactDataOptions extends TargetOptions {
  /** The class or the targets of the sample, for the proof. Default: the class is inferred from the last layer. */
  labels?: OutputTargets
}

/**
 * The data of one sample in closed form, where a model begins with a dense layer with bias: x̂ = ∂W ∂b / ‖∂b‖² (Geiping et al.
 * 2020, proposition 3.1). The layer is recognised by what it computes, whatever it is called. The data are called exact
 * after their gradient was recomputed and compared with everything that was shared.
 *
 * @param options how the client trains; the batch must be 1
 * @returns undefined where the model does not begin with such a layer, its weights are used elsewhere too, its gradient was not
 * shared or has signs alone, or its neurons disagree
 * @throws DlgError `invalid-option` for a larger batch, `invalid-data` for labels that do not fit, otherwise as
 * `deepLeakageFromGradients`
 */
export async function exactData(
  model: Model,
  shared: SharedGradients | SharedUpdate,
  options: ExactDataOptions = {},
): Promise<ExactData | undefined> {
  requireObject('options', options, 'an object', 'invalid-option')
  const { labels, ...told } = options
  const settings = targetOptions(told)
  if (settings.batchSize !== 1)
    throw invalid(`batchSize is ${settings.batchSize}; it must be 1: larger batches are for isolatedInputs`)
  const target = await openTarget(model, shared, settings)
  const known = labels === undefined ? undefined : await readTargets(labels)
  if (target.model.inputs.length !== 1 || target.searched.length !== 1) return undefined
  const layer = denseLayerIn(traceOfOne(target.model, settings))
  if (!layer || hasSignsAlone(gradientOf(layer, target.dataGradients))) return undefined
  const { agreement } = roundingOf(target, layer)
  const pause = pauses(() => true)
  const { input, deviation, status } = await paced(
    denseInput(gradientOf(layer, target.dataGradients), agreement),
    pause,
  )
  if (!input || status === 'mixture' || status === 'silent') return undefined
  const tried = known ? [known] : (await labelsToTry(target, pause)).map((labels) => ({ labels }))
  const found = { input, deviation }
  if (tried.length === 0)
    return { ...found, status: 'unconfirmed', reason: 'no rule gives the label; give it, so that a proof can be tried' }
  const { certificate } = await certifyAny(target, layer, input, tried, pause)
  const alone = status === 'unconfirmed' ? 'one neuron alone gives these data, and none checks it' : undefined
  const reason = doubtOf(certificate) ?? alone
  return {
    ...{ ...found, residual: certificate.residual, status: reason === undefined ? 'exact' : 'unconfirmed' },
    reason: reason ?? `the gradient of these data is the shared one up to ${certificate.residual.toExponential(1)}`,
  }
}

/** What keeps a certificate from being a proof; undefined where nothing does. */
export function doubtOf({ holds, showsMixtures, residual, floor, factor }: Certificate): string | undefined {
  if (!holds && factor !== undefined)
    return `the neurons agree on data whose gradient is the shared one times ${(1 / factor).toPrecision(3)}: what was shared may have a factor (scale: ${factor.toPrecision(3)}), or be a mixture of several samples`
  if (!holds)
    return `the neurons agree on data whose gradient is not the shared one (${residual.toExponential(1)}): the label is another, or it is a mixture of several samples`
  if (!showsMixtures)
    return `the gradient of these data is the shared one, and so it would be of the mean of several samples: ${floor > RESIDUAL ? `what was shared tells gradients apart from ${floor.toExponential(1)} on` : 'the model says nearly the same of all samples with this label'}`
  return undefined
}

/** The data where a search may begin: at least one neuron gives them, and none disagrees. */
export interface ClosedFormStart extends DenseInput {
  readonly input: Float64Array
  readonly layer: DenseLayer
}

/**
 * What the first dense layer of a traced model gives, without a proof.
 *
 * @param gradients in the order of the trained weights
 */
export function* exactDataIn(traced: TracedGradient, gradients: readonly Values[]): Steps<ClosedFormStart | undefined> {
  const layer = denseLayerIn(traced)
  if (!layer || hasSignsAlone(gradientOf(layer, gradients))) return undefined
  const { input, status, deviation } = yield* denseInput(gradientOf(layer, gradients), AGREEMENT)
  return input && (status === 'agreed' || status === 'unconfirmed') ? { input, status, deviation, layer } : undefined
}
