import { dispose as disposeTensors, type Tensor } from '@tensorflow/tfjs-core'
import type { Model } from '../../client/model/model'
import type { SharedGradients } from '../../client/shared/read-gradients'
import type { SharedUpdate } from '../../client/shared/shared-update'
import { openTarget, type Target } from '../../client/target'
import { DlgError } from '../../errors/dlg-error'
import type { LeakageStatus, Status } from '../../measure/verdict'
import { nothingIfCut } from '../contract/pause'
import { type Attack, compileAttack } from './attack'
import { attackCertainty } from './certainty'
import { certaintyTensors, type LeakageCertainty, withElsewhere } from './certainty-tensors'
import { type Elsewhere, elsewhere } from './elsewhere'
import { type FactorReading, readFactor } from './factor'
import { objectiveOf } from './objective/attack-objective'
import { isL2 } from './objective/distance'
import { isImage } from './objective/prior'
import { type LeakageOptions, leakageOptions, type Settings } from './options'
import { traceTarget } from './point'
import { ABORTED, type Preparing, pauseOf, preparation } from './preparing'
import { type ChosenPreset, type DecidedSettings, decidePreset } from './preset'
import { dataTensor, type Reconstruction, reconstruction } from './reconstruction'
import { type FittedScale, fitScale, scaleOfMatch, unstatedFactor } from './scale'
import { newProgress, type Progress } from './search/progress'
import { certaintyListener, isCut, searchAll } from './search/restarts'
import type { HistoryEntry, RestartOutcome } from './search/search'

/** What came out of a shared gradient. The caller owns its tensors. */
export interface Leakage extends Reconstruction, FittedScale {
  /**
   * `converged` and `undetermined` mean that the shared gradient was matched; anything else is a failed attack, not a safe
   * gradient. After `undetermined`, part of what was found is not determined by what was shared: `certainty` says which.
   */
  readonly status: LeakageStatus
  /** How far what was shared determines what was found; undefined without a match, without the option, or when cut short. */
  readonly certainty: LeakageCertainty | undefined
  /** The objective at the reconstruction. */
  readonly loss: number
  /** The gradient distance there in units of the shared gradient. Only values of the same distance can be compared. */
  readonly relativeLoss: number
  /**
   * ‖g − g*‖ / ‖g*‖ there, whatever the distance is. With one that ignores a common factor, g is first multiplied by the factor that fits
   * best. Undefined where a search with another distance than `l2` was cut short or diverged, or where a runtime has no room for another program.
   */
  readonly residual: number | undefined
  /** Iterations of the restart that the reconstruction comes from. */
  readonly history: readonly HistoryEntry[]
  /** Evaluations of all restarts together. */
  readonly evaluations: number
  readonly milliseconds: number
  /** Which restart the reconstruction comes from, from 0. */
  readonly restart: number
  /** How every restart ended, in order. */
  readonly trials: readonly LeakageTrial[]
  readonly seed: number
  /** The preset that the attack ran with, and why that one. */
  readonly preset: ChosenPreset
  /** What ran the evaluations, such as `tfjs:wasm`. */
  readonly runtime: string
  /** What was known before the search and may decide it, in sentences: masks of dropout layers that were read, or that nobody knows. */
  readonly notes: readonly string[]
}

/** How one restart ended. */
export interface LeakageTrial {
  /** Which restart, from 0. */
  readonly restart: number
  readonly status: Status
  /** The gradient distance at the best point of this restart, in units of the shared gradient. */
  readonly relativeLoss: number
  readonly evaluations: number
  /** The first searched input at the restart's best point, [batchSize, ...inputShape]. The leak's `dispose()` frees it. */
  readonly data: Tensor
}

/**
 * Deep Leakage from Gradients: searches for data whose gradient is the shared one (Zhu, Liu, Han, NeurIPS 2019).
 *
 * The model is traced once and differentiated twice on a graph of its own; then only numbers move. Nothing of the
 * caller's is changed, and the same seed gives the same result on the same runtime.
 *
 * @param model a built `tf.LayersModel`, or `{weights, apply, inputShape}`
 * @param originGrad the shared gradient: a list in the order of the trained weights, or a map by their names. Or
 * an update, `{before, after}` or `{delta}`, with the option `update` for how it came about
 * @throws DlgError before any work starts, with a code and what would be right; `aborted` where the signal is aborted before anything
 * was evaluated
 */
export async function deepLeakageFromGradients(
  model: Model,
  originGrad: SharedGradients | SharedUpdate,
  options: LeakageOptions = {},
): Promise<Leakage> {
  const settings = leakageOptions(options)
  const leak = await leakage(await openTarget(model, originGrad, settings), settings).catch(nothingIfCut)
  if (leak) return leak
  throw new DlgError('aborted', ABORTED)
}

/** `deepLeakageFromGradients` under a short name. */
export const deepLeakage = deepLeakageFromGradients

/**
 * The paper (Zhu, Liu, Han 2019, algorithm 1): from dummy data x′ and dummy labels y′, follow the derivative of the distance
 * between their gradient and the shared one.
 *
 * @throws CUT where the caller has aborted before anything was evaluated: there is no best point yet
 */
export async function leakage(given: Target, settings: Settings, told?: (words: string) => void): Promise<Leakage> {
  const target = inOrder(given, settings)
  const preparing = preparation(told, settings.signal)
  const progress = newProgress(settings.restarts)
  const attack = await prepareAttack(target, settings, preparing)
  progress.end = attack.settings.restarts
  try {
    await preparing('the start is evaluated')
    // (x′, y′) ← a step of the optimizer along −∂J, from every start, until one matches
    const trials = await searchAll(attack, attack.settings, progress)
    return { ...(await report(attack, progress, trials)), notes: target.notes }
  } finally {
    attack.dispose()
  }
}

/** The target with its samples in the order of the labels, where these are known. */
function inOrder(target: Target, { labels }: Settings): Target {
  const known = (labels as { readonly labels?: unknown }).labels
  return Array.isArray(known) ? target.forLabels(known) : target
}

/** Everything that happens before the first number moves; every wrong input is found here. */
export async function prepareAttack(
  target: Target,
  settings: Settings,
  preparing: Preparing = preparation(),
): Promise<Attack> {
  await preparing('the model is traced')
  // ∇W′ = ∂L(F(x′, W), y′) / ∂W, a graph over the unknowns x′ and y′
  const client = await traceTarget(target, settings, pauseOf(preparing, 'the labels are inferred'))
  // a recipe that suits the model
  const decided = await decidePreset(settings, target, client.traced, preparing)
  requireGroup(decided, client.traced.data.shape)
  await preparing('the objective is differentiated')
  // J = D(∇W′, ∇W) + priors of x′, with ∂J/∂x′ and ∂J/∂y′
  const objective = await objectiveOf(target, client, decided, preparing)
  return compileAttack(objective, decided, preparing)
}

/** @throws DlgError `invalid-option` where there is no group to be consistent, or nothing to shift */
function requireGroup({ consistency, restarts, chosen }: DecidedSettings, shape: readonly number[]): void {
  if (consistency.weight > 0 && restarts < 2)
    throw new DlgError(
      'invalid-option',
      `consistency needs at least two restarts, and restarts is ${restarts} with the preset '${chosen.name}'; give restarts: 4`,
    )
  if (consistency.shift > 0 && !isImage(shape))
    throw new DlgError(
      'invalid-option',
      `consistency.shift is ${consistency.shift}, and only images [batch, height, width, channels] can be shifted; data is [${shape}]`,
    )
}

async function report(
  attack: Attack,
  progress: Progress,
  trials: readonly RestartOutcome[],
): Promise<Omit<Leakage, 'notes'>> {
  const { settings } = attack
  const best = trials.reduce((a, b) => (b.relativeLoss < a.relativeLoss ? b : a))
  // an attack that was cut short is reported as such, whichever restart was best, unless that one had converged
  const cut = best.status === 'converged' ? undefined : trials.find(isCut)
  const milliseconds = progress.milliseconds()
  const { status } = cut ?? best
  const match =
    status === 'converged' && !settings.signal?.aborted ? await readFactor(attack, best.point, settings) : undefined
  const scale = match
    ? scaleOfMatch(match, settings)
    : ((await unstatedFactor(attack, { ...best, status }, settings, progress)) ??
      (await fitScale(attack, best.point, status, settings)))
  const point = match?.point ?? best.point
  const certainty =
    match && settings.certainty !== false ? await certaintyAt(attack, { ...best, point }, match, progress) : undefined
  const residual = await residualAt(attack, best, point, status)
  const found = reconstruction(attack, point)
  const ended = trials.map(
    (trial): LeakageTrial => ({
      restart: trial.restart,
      status: trial.status,
      relativeLoss: trial.relativeLoss,
      evaluations: trial.evaluations,
      data: trial === best ? found.data : dataTensor(attack, trial.point),
    }),
  )
  return {
    ...scale,
    ...found,
    status: certainty?.determined === false || (match && match.others.length > 0) ? 'undetermined' : status,
    certainty,
    loss: best.loss,
    relativeLoss: best.relativeLoss,
    residual,
    history: best.history,
    evaluations: trials.reduce((n, t) => n + t.evaluations, 0),
    milliseconds,
    restart: best.restart,
    trials: ended,
    seed: settings.seed,
    preset: settings.chosen,
    runtime: attack.runtime,
    dispose() {
      found.dispose()
      disposeTensors(ended.map(({ data }) => data))
      if (certainty) disposeTensors(certaintyTensors(certainty))
    },
  }
}

/** The residual at the point that is reported. */
async function residualAt(
  attack: Attack,
  best: RestartOutcome,
  point: Float64Array,
  status: Status,
): Promise<number | undefined> {
  if (isL2(attack.settings.distance) && point === best.point) return Math.sqrt(Math.max(0, best.relativeLoss))
  if (isCut({ status }) || attack.settings.signal?.aborted) return undefined
  // what was found is not lost where there is no room for another program
  const residual = await attack.residualAt(point).catch(() => Number.NaN)
  return Number.isFinite(residual) ? residual : undefined
}

/** How certain a match is around it and, where nothing around it is free, far away. */
async function certaintyAt(
  attack: Attack,
  found: RestartOutcome,
  { open }: FactorReading,
  progress: Progress,
): Promise<LeakageCertainty | undefined> {
  const { settings } = attack
  const told = certaintyListener(attack, found, progress)
  const near = await attackCertainty(attack, found.point, open, settings, progress, told)
  if (!near?.determined) return near
  let far: Elsewhere | undefined
  try {
    far = await elsewhere(attack, found, settings, progress, near.evaluations, told)
  } finally {
    if (!far) disposeTensors(certaintyTensors(near))
  }
  // what is determined around a match is not determined where nobody looked far away
  return far && withElsewhere(near, far, attack.inputsOf(found.point), attack.inputsOf, settings.dataRange)
}
