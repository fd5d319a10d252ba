import * as tf from '@tensorflow/tfjs-core'
import type { LabelInference } from '../labels/strategy'
import type { Attack } from './attack'
import type { InputReading, TargetReading } from './point'

/** The targets of one output as the search ended. */
export interface RecoveredTargets {
  /** The most probable class of each sample, or of each position in row-major order; empty where the output has no classes. */
  readonly labels: number[]
  /** Probabilities, or the targets of a regression, in the shape of the output. */
  readonly targets: tf.Tensor
  /** By which rule the labels were inferred, and how much of the gradient they explain; undefined where they were not. */
  readonly inferred: LabelInference | undefined
}

/** What a search has found, as tensors that the caller owns. */
export interface Reconstruction {
  /** Reconstructed data, [batchSize, ...inputShape]: the first searched input. */
  readonly data: tf.Tensor
  /** Every searched input by name; the first is `data`. */
  readonly inputs: tf.NamedTensorMap
  /** The most probable class of each sample. */
  readonly labels: number[]
  /** By which rule the labels were inferred before the search; undefined where they were searched or known. */
  readonly inferred: LabelInference | undefined
  /**
   * Positions of samples that share a class, one list per class that repeats. The gradient fixes such samples only
   * together: each may be a mixture of all, so what came back is the group and not the individual.
   */
  readonly groups: readonly (readonly number[])[]
  /** [batchSize, classes]; the targets, where the first output is a regression. */
  readonly labelProbabilities: tf.Tensor
  /** The targets of every output with a loss, by name; the first are `labels` and `labelProbabilities`. */
  readonly outputs: { readonly [output: string]: RecoveredTargets }
  /** Frees the tensors. */
  dispose(): void
}

/** Reads a point of the search. */
export function reconstruction(attack: Attack, point: Float64Array): Reconstruction {
  const inputs = attack.inputsOf(point).map((reading) => [reading.name, tensorOf(reading)] as const)
  const readings = attack.targetsOf(point)
  const outputs = readings.map((reading) => ({
    ...{ labels: labelsOf(reading), targets: tensorOf(reading), inferred: reading.inferred },
  }))
  const [{ labels, targets, inferred }] = outputs
  return {
    data: inputs[0][1],
    inputs: Object.fromEntries(inputs),
    labels,
    inferred,
    groups: readings[0].shape.length === 2 ? groupsOf(labels) : [],
    labelProbabilities: targets,
    outputs: Object.fromEntries(readings.map(({ name }, i) => [name, outputs[i]])),
    dispose: () => tf.dispose([...inputs.map(([, tensor]) => tensor), ...outputs.map((output) => output.targets)]),
  }
}

/** The first searched input at a point, as a tensor that the caller owns. */
export const dataTensor = (attack: Attack, point: Float64Array): tf.Tensor => tensorOf(attack.inputsOf(point)[0])

const tensorOf = ({ values, shape }: InputReading): tf.Tensor => tf.tensor(values, [...shape], 'float32')

/** Positions of equal labels, where there are several. */
function groupsOf(labels: readonly number[]): number[][] {
  const byClass = new Map<number, number[]>()
  for (const [i, label] of labels.entries()) byClass.set(label, [...(byClass.get(label) ?? []), i])
  return [...byClass.values()].filter((positions) => positions.length > 1)
}

/** The most probable class of each sample, or of each position. */
export function labelsOf({ values, shape, kind }: TargetReading): number[] {
  const classes = shape[shape.length - 1]
  if (classes === 1) return kind === 'bits' ? Array.from(values, (p) => (p < 0.5 ? 0 : 1)) : []
  const rows = Array.from({ length: values.length / classes }, (_, i) =>
    values.subarray(i * classes, (i + 1) * classes),
  )
  return rows.map((row) => row.indexOf(row.reduce((a, b) => Math.max(a, b))))
}
