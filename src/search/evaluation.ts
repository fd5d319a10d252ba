import type { Evaluation } from '../optim'
import type { Evaluator, Values } from '../runtime/runtime'

/** The objective at a point, with the distance in its unit beside it. */
export interface AttackEvaluation extends Evaluation {
  readonly relativeLoss: number
}

/** How a flat point is laid out over the inputs of the objective's program, and what its numbers mean. Plain data. */
export interface Layout {
  /** Numbers of each unknown, in order. */
  readonly sizes: readonly number[]
  /** Of the distance. */
  readonly unit: number
  /** Common weight of the priors at easing 1; undefined where there are none. */
  readonly priorWeight: number | undefined
  /** Relative loss that rounding leaves of the true data. */
  readonly rounding: number
}

/**
 * The objective over one flat vector of unknowns.
 *
 * @returns a function of the point and of the easing that multiplies the weight of all priors, default 1
 */
export function evaluation(evaluator: Evaluator, { sizes, unit, priorWeight }: Layout) {
  const starts = sizes.map((_, i) => sizes.slice(0, i).reduce((a, b) => a + b, 0))
  return async (point: Float64Array, easing = 1): Promise<AttackEvaluation> => {
    const inputs: Values[] = sizes.map((size, i) => point.subarray(starts[i], starts[i] + size))
    if (priorWeight !== undefined) inputs.push(Float64Array.of(priorWeight * easing))
    const [value, distance, ...derivatives] = await evaluator.run(inputs)
    const gradient = new Float64Array(point.length)
    for (const [i, derivative] of derivatives.entries()) gradient.set(derivative, starts[i])
    return { value: value[0], gradient, relativeLoss: distance[0] / unit }
  }
}
