import { squaredNorm, type Values } from '../../numbers/values'
import type { SharedTensor } from './floor'

/** A projection as it was shared, with the noise that its span shows: ‖noise‖ / ‖projection‖. */
export interface NoisyProjection {
  readonly values: Values
  readonly noise: number
  /** 0 or 1: whose input it reads. */
  readonly block: number
}

/** How large noise is in a tensor that shows none by itself. Undefined where that law does not hold. */
export interface NoiseLaw {
  /** ‖noise‖ / ‖tensor‖ over the projections of both blocks. */
  readonly level: number
  /** ‖noise‖ / ‖tensor‖, where it is the same in every tensor. */
  readonly part: number | undefined
  /** Variance of the noise in a number, where it is the same in all of them, as noise for differential privacy has it. */
  readonly variance: number | undefined
}

/** How far the noise of projections may be from a law, in times: it is estimated from few directions. */
const ALIKE = 2

/**
 * Whether the noise of the projections is the same part of each block's projections, or the same in every number. Where neither
 * holds, it is taken for the same part on average.
 */
export function noiseLaw(projections: readonly NoisyProjection[]): NoiseLaw {
  const sums = projections.map(({ values, noise, block }) => {
    const square = squaredNorm([values])
    return { block, square, noise: noise ** 2 * square, count: values.length }
  })
  const total = (of: typeof sums) => {
    const add = (key: 'square' | 'noise' | 'count') => of.reduce((sum, own) => sum + own[key], 0)
    return { square: add('square'), noise: add('noise'), count: add('count') }
  }
  const all = total(sums)
  const square = all.noise / Math.max(all.square, Number.MIN_VALUE)
  const variance = all.noise / Math.max(all.count, 1)
  const near = (own: number, mean: number): boolean => own <= ALIKE ** 2 * mean && mean <= ALIKE ** 2 * own
  const blocks = [...new Set(sums.map(({ block }) => block))].map((k) => total(sums.filter(({ block }) => block === k)))
  const isPart = blocks.every((own) => near(own.noise / Math.max(own.square, Number.MIN_VALUE), square))
  const isEven = sums.every((own) => near(own.noise / own.count, variance))
  return {
    level: Math.sqrt(square),
    part: isPart || !isEven ? Math.sqrt(square) : undefined,
    variance: isEven ? variance : undefined,
  }
}

/** What may be left of one tensor where the right sequences are taken off. */
export interface Expected {
  /** ‖difference‖² up to which it is nothing. */
  readonly negligible: number
  /** ‖difference‖² that computing in float32 leaves, whatever the size of the tensor. */
  readonly computed: number
  /** ‖difference of a row‖² up to which it is nothing, by ‖row‖². */
  readonly negligibleOfRow: (square: number) => number
  /** ‖noise‖², where noise is the same part of every tensor. */
  readonly square: number
  /** Variance of a number, where noise is the same in all of them. */
  readonly variance: number
  /** By number: the squared rounding of an update; undefined where there is none. */
  readonly rounding?: (i: number) => number
}

/** Float32 computes a tensor to this part of the whole gradient, and a row to this part of its tensor. */
const COMPUTED = { whole: 1e-6, tensor: 1e-5 }

/** A row is computed to this part of the tolerance, beside its tensor. */
const OF_TOLERANCE = 0.1

/**
 * @param own ‖recomputed tensor‖²
 * @param whole ‖everything that was shared‖²
 */
export function expectedOf(
  { values, rounding }: SharedTensor,
  own: number,
  whole: number,
  law: NoiseLaw,
  tolerance: number,
): Expected {
  // a tensor that was replaced by a larger one says nothing of its noise
  const square = Math.min(own, squaredNorm([values]))
  const computed = COMPUTED.whole ** 2 * whole
  const inTensor = Math.max(COMPUTED.tensor, OF_TOLERANCE * tolerance) ** 2 * square
  return {
    ...{ negligible: tolerance ** 2 * square + computed, computed },
    negligibleOfRow: (row) => tolerance ** 2 * row + inTensor + computed,
    square: (law.part ?? 0) ** 2 * square,
    variance: law.variance ?? 0,
    ...(rounding && { rounding }),
  }
}
