import * as tf from '@tensorflow/tfjs-core'
import { type TracedGradient, traceGradient, weightParameter } from '../../client/model/gradient'
import type { Model, OpenModel } from '../../client/model/model'
import type { SharedGradients } from '../../client/shared/read-gradients'
import type { SharedUpdate } from '../../client/shared/shared-update'
import { openTarget, type Target } from '../../client/target'
import { type TargetOptions, type TargetSettings, targetOptions } from '../../client/target-options'
import { targetKind } from '../../client/target-values'
import { number, requireListener, requireObject, requireSignal } from '../../errors/checks'
import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import * as g from '../../graph'
import { TOLERANCE } from '../../measure/proof'
import { transposed } from '../../numbers/norms'
import type { Values } from '../../numbers/values'
import { heardBy } from '../contract/listener'
import { type DenseRows, type DenseRowsOptions, denseRows } from './dense-rows'
import { masked } from './masked'
import { pauses } from './pause'
import { type ReluLayer, reluLayer } from './relu-layer'
import { type RowTargets, rowTargets, rowTargetsAtAnyFactor } from './row-targets'

/** How the client trains, what bounds the search, and when a proof holds. */
export interface SpearOptions extends Omit<TargetOptions, 'batchSize' | 'known'>, DenseRowsOptions {
  /** Residual up to which the recomputed gradient is the shared one, in (0, 1). Default 1e-4, and more where weights of an update were rounded. */
  tolerance?: number
}

/** A batch out of the gradient of a model's first dense layer. The caller owns its tensor. */
export interface Spear {
  /**
   * `exact`: all masks agree, and the gradient of these data with their targets is the shared one. `agreed`: all masks agree, and
   * `reason` says what is open: the whole gradient was not held against what was shared, it is the shared one but for a factor that
   * nobody stated, or the mean of several samples would pass for a row. `weak`: so they do, of units too few
   * to tell. `noisy`: they agree as far as the noise lets them. `unproven`: these are not the client's data, or not all of them.
   * `refused`: the model or the gradient is none for this attack. `budget`, `aborted`: unproven, and cut short.
   */
  readonly status: 'exact' | DenseRows['status']
  /** Why it is not `exact`, with the numbers. */
  readonly reason: string | undefined
  /** [batchSize, ...inputShape], in no particular order; undefined where there is no choice of directions. */
  readonly data: tf.Tensor | undefined
  /** Labels of the rows of `data`, where the output has classes. */
  readonly labels: readonly number[] | undefined
  /** Samples found. */
  readonly batchSize: number
  /** Samples that the singular values of the layer's gradient show, and the ratio of two of them there. */
  readonly rank: number
  readonly gap: number
  /** ‖what that rank leaves of the gradient‖ / ‖gradient‖ of the layer: 1e-7 is float32, more is noise. */
  readonly noise: number
  /** Part of the masks that agree, and the same for each row. */
  readonly agreement: number
  readonly rowAgreement: readonly number[]
  /** By row: the standard deviation of each of its numbers that the noise of the gradient makes. */
  readonly deviations: readonly number[]
  /** ‖g − g*‖ / ‖g*‖ over all shared tensors, of data and targets; undefined where no targets were found. */
  readonly residual: number | undefined
  readonly draws: number
  readonly milliseconds: number
  /** Frees the tensor. */
  dispose(): void
}

/**
 * SPEAR on a model: the batch behind a shared gradient in closed form up to a random search, where the model begins with a
 * dense layer with bias and ReLU (Dimitrov et al. 2024). See {@link denseRows} for the method and its limits.
 *
 * The labels are read off ∂L/∂z of each sample afterwards, and the gradient of the whole is compared with what was shared.
 * Several local steps of a small learning rate are taken for one gradient.
 *
 * @param model a built `tf.LayersModel`, or `{weights, apply, inputShape}`
 * @param shared the gradient, or an update with the option `update`
 * @throws DlgError before any work starts, with a code and what would be right
 */
export async function spear(
  model: Model,
  shared: SharedGradients | SharedUpdate,
  options: SpearOptions = {},
): Promise<Spear> {
  requireObject('options', options, 'an object', 'invalid-option')
  const { batchSize, seed, budget, signal, onProgress, tolerance, ...sharing } = options
  requireSignal('signal', signal)
  requireListener('onProgress', onProgress)
  if (signal?.aborted) throw new DlgError('aborted', 'the signal was aborted before the attack began')
  // how many samples there are comes out; sums over local batches need it
  const target = await openTarget(model, shared, targetOptions({ ...sharing, batchSize: batchSize ?? 1 }))
  return heardBy(
    onProgress,
    (tell) => spearTarget(target, { batchSize, seed, budget, signal, onProgress: tell, tolerance }),
    (found) => found.dispose(),
  )
}

/** SPEAR on what an attacker has. See {@link spear}. @throws DlgError `invalid-option`, before any work starts */
export async function spearTarget(
  target: Target,
  { tolerance = TOLERANCE, ...search }: DenseRowsOptions & Pick<SpearOptions, 'tolerance'>,
): Promise<Spear> {
  const started = performance.now()
  number('tolerance', tolerance, (v) => v > 0 && v < 1, 'a number in (0, 1)')
  const { model, settings } = target
  const report = (rest: Omit<Spear, 'milliseconds' | 'dispose'>): Spear => ({
    ...rest,
    milliseconds: performance.now() - started,
    dispose: () => rest.data?.dispose(),
  })
  const nothing = { data: undefined, labels: undefined, batchSize: 0, residual: undefined }
  const sample = searchedRow(target, search.batchSize ?? 1)
  if (typeof sample === 'string')
    return report({
      ...{ ...nothing, status: 'refused', reason: sample, rank: 0, gap: 0, noise: 0, agreement: 0 },
      ...{ rowAgreement: [], deviations: [], draws: 0 },
    })
  const values = sample.trained.map((w) => target.weights.get(weightParameter(w))!)
  const layer = layerIn(values, sample.layer)
  const found = await denseRows(layerIn(target.dataGradients, sample.layer), layer, search)
  const { felt, rows: read, ...rest } = found
  if (!read || !felt) return report({ ...rest, ...nothing })
  const batch = search.batchSize === found.rank ? sample.traced : traced(model, settings, found.rank)
  const same = Math.max(tolerance, 3 * Math.sqrt(target.rounding))
  const targetsFor = (some: Float64Array) => targetsOf(batch, { ...found, rows: some, felt }, target, search, same)
  let [rows, targets] = [read, await targetsFor(read)]
  const moved =
    typeof targets !== 'string' && targets.residual > same ? masked(read, felt, layer, found.deviations) : undefined
  const others = moved && (await targetsFor(moved))
  if (
    moved &&
    others &&
    typeof others !== 'string' &&
    typeof targets !== 'string' &&
    others.residual < targets.residual
  )
    [rows, targets] = [moved, others]
  return report({
    ...rest,
    ...verdict(found, targets, settings, same),
    data: tf.tensor(Float32Array.from(rows), [found.rank, ...model.inputs[0].shape], 'float32'),
    labels: typeof targets === 'string' ? undefined : targets.labels,
    residual: typeof targets === 'string' ? undefined : targets.residual,
    batchSize: found.rank,
  })
}

/** The layer that reads the data, or why there is none. @throws DlgError where the model cannot be traced */
export function searchedRow({ model, settings }: Target, batchSize: number) {
  if (model.inputs.length !== 1)
    return `the model has ${countOf(model.inputs.length, 'input')}; only the rows of a single one can be read off`
  const sample = traced(model, settings, batchSize)
  const layer = reluLayer(sample.data, sample.trainedNodes, [sample.loss])
  return typeof layer === 'string' ? layer : { layer, traced: sample, trained: sample.trained }
}

const traced = (model: OpenModel, settings: TargetSettings, batchSize: number): TracedGradient =>
  traceGradient(model, { ...settings, batchSize }, (output) => g.input(output.graph, 'target', output.shape))

/** The layer's part of all tensors, with the weight as [in, out]. */
function layerIn(tensors: readonly Values[], { weight, bias, transposed: turned }: ReluLayer) {
  const [matrix, vector] = [tensors[weight], tensors[bias]]
  return { bias: vector, weight: turned ? transposed(matrix, vector.length, matrix.length / vector.length) : matrix }
}

/** Targets of the rows, or why none were looked for. */
async function targetsOf(
  batch: TracedGradient,
  { rows, felt, rank, status }: DenseRows & { rows: Float64Array; felt: Float64Array },
  { gradients, weights, settings }: Target,
  { signal }: DenseRowsOptions,
  tolerance: number,
): Promise<RowTargets | string> {
  if (status === 'aborted' || signal?.aborted) return 'the search was aborted'
  const [output, ...others] = batch.outputs
  if (others.length > 0)
    return `the model has ${countOf(batch.outputs.length, 'output')} with a loss, whose targets are not looked for`
  if (output.node.shape.length !== 2) return `targets of an output [${output.node.shape}] are not looked for`
  const layer = reluLayer(batch.data, batch.trainedNodes, [batch.loss])
  if (typeof layer === 'string') return `in a batch of ${rank}, ${layer}`
  const problem = {
    ...{ runtime: settings.runtime, traced: batch, rows, felt, shared: gradients, sum: layer.sum, tolerance },
    parameters: new Map([...batch.captured, ...weights]),
    kind: targetKind(output),
  }
  const pause = pauses(() => !signal?.aborted)
  const atAnyFactor = () => rowTargetsAtAnyFactor(problem, pause)
  const scaled = settings.scale === 'auto'
  const found = scaled ? await atAnyFactor() : await rowTargets({ ...problem, scaled }, pause)
  // with one number for an output, a factor that nobody stated could as well be the mean of several samples
  const unexplained = found && !scaled && found.residual > tolerance && output.node.shape[1] > 2
  const fitted = unexplained ? await atAnyFactor() : undefined
  if (fitted && fitted.residual <= tolerance) return fitted
  return found ?? (signal?.aborted ? 'the search was aborted' : 'the loss gives no equations for its targets')
}

/** What masks and residual say together. */
function verdict(
  { status, reason, noise, rank }: DenseRows,
  targets: RowTargets | string,
  { update, scale }: TargetSettings,
  tolerance: number,
): Pick<Spear, 'status' | 'reason'> {
  if (status !== 'agreed' && status !== 'weak') return { status, reason }
  if (typeof targets === 'string')
    return { status, reason: `all masks agree; the whole gradient was not compared: ${targets}` }
  const { residual, factor, hidesMixtures, targets: values } = targets
  if (residual <= tolerance) {
    const doubt = (words: string) => ({ status, reason: `all masks agree; ${words}` })
    if (hidesMixtures)
      return doubt('the rows explain what was shared, and so would the means of several samples in proportion to them')
    if (scale === 'auto' && values.length <= 2 * rank)
      return doubt(
        `the rows explain what was shared times ${(1 / factor).toPrecision(3)}, and with two classes or one output a factor and the mean of several samples look alike`,
      )
    if (scale !== 'auto' && factor !== 1)
      return doubt(
        `the gradient of the rows is the shared one times ${(1 / factor).toPrecision(3)}: what was shared may have a factor (scale: ${(scale * factor).toPrecision(3)})`,
      )
    return { status: 'exact', reason: undefined }
  }
  const away = `the gradient of the rows with the targets found is ${residual.toPrecision(2)} of the shared one away (at most ${tolerance.toPrecision(1)} is rounding)`
  if (update && update.steps.length > 1)
    return {
      status,
      reason: `all masks agree; ${away}, where ${countOf(update.steps.length, 'local step')} are taken for one gradient`,
    }
  // other layers are taken to be about as noisy as the first
  if (residual <= 3 * noise)
    return {
      status: 'noisy',
      reason: `all masks agree; ${away}, and what was shared has about ${noise.toPrecision(2)} of noise`,
    }
  return {
    status: 'unproven',
    reason: `all masks agree, but ${away}: a row may be the mean of several samples, or the loss may be another`,
  }
}
