import * as tf from '@tensorflow/tfjs-core'
import type { Certainty } from '../../measure/certainty/certainty'
import type { UnknownGroup } from '../../measure/certainty/curvature'
import type { FoundCertainty } from '../../measure/certainty/gradient-certainty'
import type { Elsewhere } from './elsewhere'
import type { InputReading, Part } from './point'

/**
 * How far what was shared determines what was found. The tensors belong to the leak, and its `dispose()` frees them.
 *
 * It is computed around the reconstruction and without the original. Far away, only mirror images and rearrangements are tried, and in some models
 * another start (`anotherStart`). So it is no proof that no other data have the same gradient.
 */
export interface LeakageCertainty {
  /**
   * Whether every unknown and every combination of unknowns that was looked at moves what was shared, a mixture of samples would
   * have shown, and no other data were found that match as well. Where `examined` is not 'every direction', there may be other
   * combinations.
   */
  readonly determined: boolean
  /**
   * Whether one sample would pass for the mean of several, as far as what was shared can tell: a single sample has the mean of the
   * gradients of two. Then `batchSize` may be wrong, and nothing would show it.
   */
  readonly mixtures: boolean
  /** Other data, far from those that were found, that match as well. They are looked for where the data are determined otherwise. */
  readonly others: readonly OtherData[]
  /**
   * Where a search from another start ended: at the `same` data, at `other` data, or at `no match`. One is made where a function may
   * turn back between the data and the first trained weights, as a square or GELU does; elsewhere these weights show what they are multiplied by.
   */
  readonly anotherStart: 'same' | 'other' | 'no match' | 'none made'
  /**
   * What can change by a tenth of its range or more while what was shared stays the same to the floor, or is so different in `others`.
   * Where `examined` is not 'every direction', more may be undetermined.
   */
  readonly undetermined: {
    /** Boolean, in the shape of the first searched input: its numbers that can. */
    readonly data: tf.Tensor
    /** Such a mask for every searched input, by name. */
    readonly inputs: tf.NamedTensorMap
    /** Outputs whose searched targets can. */
    readonly labels: readonly string[]
    /** Whether the fitted factor can; false where it was not fitted. */
    readonly scale: boolean
  }
  /** The part of the numbers of all searched inputs that is undetermined, from 0 to 1. */
  readonly fraction: number
  /** Combinations of unknowns that change together while what was shared stays the same, the freest first; at most 8. */
  readonly directions: readonly CertaintyDirection[]
  /** How many combinations are free. Of a subspace, there are at least this many. */
  readonly free: number
  /**
   * Standard deviation of every number of the searched inputs, by name, in the data's units; only with `certainty: 'bars'`. From
   * searches that go on from the reconstruction: twelve on noise of the floor's size, and one on what the search had left. Rather too
   * large than too small.
   */
  readonly bars: tf.NamedTensorMap | undefined
  /** The relative loss that cannot be told from none: the precision of what was shared, or the relative loss that was reached. */
  readonly floor: number
  /**
   * The relative squared change of what was shared along the direction that it determines least, of those that were found, by a move of one
   * range. A match of the residual r may be off by r / √weakest of the range along it.
   */
  readonly weakest: number | undefined
  readonly examined: Certainty['examined']
  readonly evaluations: number
}

/** One free combination. Added to the reconstruction, times −1 to 1, it leaves what was shared the same to first order. */
export interface CertaintyDirection {
  /** Change of every searched input, by name. The number that changes most does so by its whole range. */
  readonly inputs: tf.NamedTensorMap
  /** Change of the searched targets, by output. */
  readonly targets: tf.NamedTensorMap
  /** Relative squared change of what was shared. */
  readonly sensitivity: number
}

/** Other data that match what was shared as well as those that were found. */
export interface OtherData {
  /** How they were found. */
  readonly how: 'mirror image' | 'rearrangement' | 'another start'
  /** The gradient distance there, in units of the shared gradient. */
  readonly relativeLoss: number
  /** Every searched input, by name. */
  readonly inputs: tf.NamedTensorMap
}

/** Freedom from which a number counts as undetermined: a tenth of its range. */
const LOOSE = 0.1
/** Freedom from which a number counts in a subspace, where one direction may stand for many: a number that hardly moves in it may move in another. */
const LOOSE_IN_SUBSPACE = 0.01
const MOST_DIRECTIONS = 8

/** The result as tensors that the caller owns. */
export function inTensors(
  { certainty, factorMoves, hidesMixtures = false }: FoundCertainty,
  groups: readonly UnknownGroup[],
  inputs: readonly Part[],
  targets: readonly Part[],
): LeakageCertainty {
  const { freedom, directions, bars, determined, weakest, floor, examined, evaluations } = certainty
  const parts = [...inputs, ...targets]
  const numbers = (values: ArrayLike<number>, from: number, to: number): tf.NamedTensorMap =>
    Object.fromEntries(
      groups.slice(from, to).map(({ start, size, name }, i) => {
        const own = Float32Array.from({ length: size }, (_, k) => values[start + k])
        return [name, tf.tensor(own, [...parts[from + i].shape], 'float32')]
      }),
    )
  const loose = (i: number): boolean => freedom[i] >= (examined === 'a subspace' ? LOOSE_IN_SUBSPACE : LOOSE)
  const looseIn = ({ start, size }: UnknownGroup): number[] =>
    Array.from({ length: size }, (_, i) => start + i).filter(loose)
  const masks = groups.slice(0, inputs.length).map((group, i) => {
    const mask = Uint8Array.from({ length: group.size }, (_, k) => (loose(group.start + k) ? 1 : 0))
    return [group.name, tf.tensor(mask, [...inputs[i].shape], 'bool')] as const
  })
  const data = groups.slice(0, inputs.length)
  const size = data.reduce((n, group) => n + group.size, 0)
  return {
    determined: determined && !hidesMixtures,
    weakest,
    mixtures: hidesMixtures,
    others: [],
    anotherStart: 'none made',
    undetermined: {
      data: masks[0][1],
      inputs: Object.fromEntries(masks),
      labels: groups.slice(inputs.length).flatMap((group) => (looseIn(group).length > 0 ? [group.name] : [])),
      scale: factorMoves,
    },
    fraction: data.reduce((n, group) => n + looseIn(group).length, 0) / size,
    directions: directions.slice(0, MOST_DIRECTIONS).map(({ vector, sensitivity }) => {
      const fastest = vector.reduce((most, v) => Math.max(most, Math.abs(v)), 0)
      const change = vector.slice()
      for (const { start, size: count, unit } of groups)
        for (let i = start; i < start + count; i++) change[i] *= unit / fastest
      return {
        inputs: numbers(change, 0, inputs.length),
        targets: numbers(change, inputs.length, groups.length),
        sensitivity,
      }
    }),
    free: directions.length,
    bars: bars && numbers(bars, 0, inputs.length),
    floor,
    examined,
    evaluations,
  }
}

/** A certainty with what was found far away. The masks of the first one are freed where others take their place. */
export function withElsewhere(
  certainty: LeakageCertainty,
  { other, anotherStart, evaluations }: Elsewhere,
  found: readonly InputReading[],
  inputsOf: (point: Float64Array) => readonly InputReading[],
  [low, high]: readonly [number, number],
): LeakageCertainty {
  const all = { ...certainty, anotherStart, evaluations: certainty.evaluations + evaluations }
  if (!other) return all
  const inputs = inputsOf(other.point)
  let differing = 0
  const masks = found.map(({ name, shape, values }, i) => {
    const mask = values.map((v, k) => (Math.abs(v - inputs[i].values[k]) >= LOOSE * (high - low) ? 1 : 0))
    differing += mask.reduce((a, b) => a + b, 0)
    return [name, tf.tensor(mask, [...shape], 'bool')] as const
  })
  tf.dispose(Object.values(certainty.undetermined.inputs))
  const { how, relativeLoss } = other
  const tensors = inputs.map(({ name, shape, values }) => [name, tf.tensor(values, [...shape], 'float32')] as const)
  return {
    ...all,
    determined: false,
    others: [{ how, relativeLoss, inputs: Object.fromEntries(tensors) }],
    undetermined: { ...certainty.undetermined, data: masks[0][1], inputs: Object.fromEntries(masks) },
    fraction: differing / found.reduce((n, { values }) => n + values.length, 0),
  }
}

/** The tensors of a certainty. */
export const certaintyTensors = ({ undetermined, directions, bars, others }: LeakageCertainty): tf.Tensor[] => [
  ...Object.values(undetermined.inputs),
  ...others.flatMap(({ inputs }) => Object.values(inputs)),
  ...directions.flatMap(({ inputs, targets }) => [...Object.values(inputs), ...Object.values(targets)]),
  ...Object.values(bars ?? {}),
]
