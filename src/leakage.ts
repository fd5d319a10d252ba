import * as tf from '@tensorflow/tfjs-core'
import { type Attack, prepareAttack } from './attack'
import type { Model } from './model/model'
import { leakageOptions } from './options'
import type { SharedGradients } from './read-gradients'
import { searchAll } from './restarts'
import type { HistoryEntry, Progress, Status, Trial } from './search'
import type { LeakageOptions, Settings } from './settings'

/** What came out of a shared gradient. The caller owns its tensors. */
export interface Leakage {
  /** Reconstructed data, [batchSize, ...inputShape]. */
  readonly data: tf.Tensor
  /** The most probable class of each sample. */
  readonly labels: number[]
  /**
   * Positions of samples that share a class, one list per class that repeats. The gradient fixes such samples only
   * together: each may be a mixture of all, so what came back is the group and not the individual.
   */
  readonly groups: readonly (readonly number[])[]
  /** [batchSize, classes] */
  readonly labelProbabilities: tf.Tensor
  /** Only `converged` means that the shared gradient was matched; anything else is a failed attack, not a safe gradient. */
  readonly status: Status
  /** The objective at the reconstruction. */
  readonly loss: number
  /** The gradient distance there in units of the shared gradient. */
  readonly relativeLoss: number
  /** Of the restart the reconstruction comes from. */
  readonly history: readonly HistoryEntry[]
  /** Of all restarts. */
  readonly evaluations: number
  readonly milliseconds: number
  /** Which restart the reconstruction comes from, from 0. */
  readonly restart: number
  /** How every restart ended. */
  readonly trials: readonly Pick<Trial, 'restart' | 'status' | 'relativeLoss' | 'evaluations'>[]
  readonly seed: number
  /** What ran the evaluations, such as `tfjs:wasm`. */
  readonly runtime: string
  /** Frees the tensors. */
  dispose(): void
}

/**
 * Deep Leakage from Gradients: searches for data whose gradient is the shared one (Zhu, Liu, Han, NeurIPS 2019).
 *
 * The model is traced once and differentiated twice on a graph of its own; then only numbers move. Nothing of the
 * caller's is changed, and the same seed gives the same result on the same runtime.
 *
 * @param model a built `tf.LayersModel`, or `{weights, apply, inputShape}`
 * @param originGrad the shared gradient: a list in the order of the trained weights, or a map by their names
 * @throws DlgError before any work starts, with a code and what would be right
 */
export async function deepLeakageFromGradients(
  model: Model,
  originGrad: SharedGradients,
  options: LeakageOptions = {},
): Promise<Leakage> {
  const settings = leakageOptions(options)
  const progress: Progress = { started: performance.now(), evaluations: 0 }
  const attack = await prepareAttack(model, originGrad, settings)
  try {
    const trials = await searchAll(attack, settings, progress)
    return report(attack, settings, progress, trials)
  } finally {
    attack.dispose()
  }
}

/** The same function under a short name. */
export const deepLeakage = deepLeakageFromGradients

function report(attack: Attack, settings: Settings, progress: Progress, trials: readonly Trial[]): Leakage {
  const last = trials[trials.length - 1]
  const best = trials.reduce((a, b) => (b.relativeLoss < a.relativeLoss ? b : a))
  // an attack that was cut short is reported as such, whichever restart was best
  const cut = last.status === 'aborted' || last.status === 'budget'
  const probabilities = attack.labelsOf(best.point)
  const data = tf.tensor(attack.dataOf(best.point), [...attack.dataShape], 'float32')
  const labelProbabilities = tf.tensor(probabilities, [attack.dataShape[0], attack.classes], 'float32')
  const labels = mostProbable(probabilities, attack.classes)
  return {
    data,
    labels,
    groups: groupsOf(labels),
    labelProbabilities,
    status: cut ? last.status : best.status,
    loss: best.loss,
    relativeLoss: best.relativeLoss,
    history: best.history,
    evaluations: trials.reduce((n, t) => n + t.evaluations, 0),
    milliseconds: performance.now() - progress.started,
    restart: best.restart,
    trials: trials.map(({ restart, status, relativeLoss, evaluations }) => ({
      restart,
      status,
      relativeLoss,
      evaluations,
    })),
    seed: settings.seed,
    runtime: attack.runtime,
    dispose: () => tf.dispose([data, labelProbabilities]),
  }
}

/** Positions of equal labels, where there are several. */
function groupsOf(labels: readonly number[]): number[][] {
  const byClass = new Map<number, number[]>()
  for (const [i, label] of labels.entries()) byClass.set(label, [...(byClass.get(label) ?? []), i])
  return [...byClass.values()].filter((positions) => positions.length > 1)
}

function mostProbable(probabilities: Float32Array, classes: number): number[] {
  const rows = Array.from({ length: probabilities.length / classes }, (_, i) =>
    probabilities.subarray(i * classes, (i + 1) * classes),
  )
  return rows.map((row) => row.indexOf(row.reduce((a, b) => Math.max(a, b))))
}
