import type { Evaluation, Group, MatrixProducts } from '../../../optim'
import type { Evaluator, Values } from '../../../runtime/runtime'
import type { Objective } from './search'

/** The objective at a point, with the distance in its unit beside it. */
export interface AttackEvaluation extends Evaluation {
  readonly relativeLoss: number
}

/** How a flat point is laid out over the inputs of the objective's program, and what its numbers mean. Plain data. */
export interface PointLayout {
  /** Numbers of each unknown, in order. */
  readonly sizes: readonly number[]
  /** Unit of the distance. */
  readonly unit: number
  /** Common weight of the priors at easing 1; undefined where there are none. */
  readonly priorWeight: number | undefined
  /** Relative loss that rounding leaves of the true data. */
  readonly rounding: number
  /** Relative loss that stated noise leaves of the true data. Default 0. */
  readonly noise?: number
  /** The coordinates of each sample, where samples are updated one by one. */
  readonly samples: readonly Group[] | undefined
  /** Where the logits of each searched label stand; of a label of yes or no it is one. Default none. */
  readonly logits?: readonly Span[]
}

/** Neighbouring coordinates of a point. */
export interface Span {
  readonly start: number
  readonly size: number
}

/** From this probability on a searched label is sure. */
const SURE = 0.99

/** ln of the odds of a label that is made certain: float32 rounds them to certainty. */
const CERTAIN = 25

/**
 * The point with every sure label certain; undefined where none changes. A sure label hardly moves with its logits, so that a search can
 * come to rest on the last part in a thousand.
 */
export function withSureLabels(point: Float64Array, logits: readonly Span[]): Float64Array | undefined {
  const out = point.slice()
  let changed = false
  for (const { start, size } of logits) {
    const row = point.subarray(start, start + size)
    const top = row.reduce((best, v, i) => (v > row[best] ? i : best), 0)
    const sign = size === 1 ? Math.sign(row[0]) : 1
    // of yes or no, the logit is ln of the odds itself
    const rest = size === 1 ? 0 : logSumExp(row.filter((_, i) => i !== top))
    const odds = sign * (row[top] - rest)
    if (odds < Math.log(SURE / (1 - SURE)) || odds >= CERTAIN) continue
    out[start + top] = rest + sign * CERTAIN
    changed = true
  }
  return changed ? out : undefined
}

/** ln Σ eˣ, with the largest before the sum. */
function logSumExp(values: Float64Array): number {
  const largest = values.reduce((most, v) => Math.max(most, v), Number.NEGATIVE_INFINITY)
  return largest + Math.log(values.reduce((sum, v) => sum + Math.exp(v - largest), 0))
}

const startsOf = (sizes: readonly number[]): number[] =>
  sizes.map((_, i) => sizes.slice(0, i).reduce((a, b) => a + b, 0))

/** A point as the inputs of the program: a part for each unknown, then the weight of the priors, then the sharpness. */
export function layoutInputs(
  { sizes, priorWeight }: PointLayout,
  point: Float64Array,
  easing = 1,
  sharpness?: number,
): Values[] {
  const starts = startsOf(sizes)
  const parts: Values[] = sizes.map((size, i) => point.subarray(starts[i], starts[i] + size))
  const scalars = [priorWeight === undefined ? undefined : priorWeight * easing, sharpness]
  return [...parts, ...scalars.flatMap((value) => (value === undefined ? [] : [Float64Array.of(value)]))]
}

/** What the data of a restart are pulled to, in the order of its own samples. */
export interface Pull {
  /** Mean of the first searched input over the group, [batchSize, ...inputShape]. */
  readonly mean: Float64Array
  /** Weight of the mean squared difference, as it is added to the objective. */
  readonly weight: number
}

/** The objective with a pull of the data to the mean of a group, w · mean (x − x̄)², which is eased with the priors. */
export function pulled(objective: Objective, { mean, weight }: Pull): Objective {
  const withPull = (point: Float64Array, easing: number, evaluation: AttackEvaluation): AttackEvaluation => {
    const factor = (weight * easing) / mean.length
    const gradient = evaluation.gradient.slice()
    let sum = 0
    for (const [i, wanted] of mean.entries()) {
      sum += (point[i] - wanted) ** 2
      gradient[i] += 2 * factor * (point[i] - wanted)
    }
    return { ...evaluation, value: evaluation.value + factor * sum, gradient }
  }
  const { smoothed } = objective
  return {
    ...objective,
    hasPriors: true,
    evaluate: async (point, easing = 1) => withPull(point, easing, await objective.evaluate(point, easing)),
    smoothed:
      smoothed &&
      (async (point, easing, sharpness) => withPull(point, easing, await smoothed(point, easing, sharpness))),
  }
}

/** The objective in other units: optimizers have tolerances for values around 1. */
export const inUnitsOf = (objective: Objective, unit: number): Objective => ({
  ...objective,
  async evaluate(point, easing) {
    const { value, gradient, relativeLoss } = await objective.evaluate(point, easing)
    return { value: value / unit, gradient: gradient.map((v) => v / unit), relativeLoss }
  },
})

/**
 * The objective over one flat vector of unknowns, as an evaluator of its program computes it.
 *
 * @param smooth computes the objective of the smoothed network, where the search is a homotopy
 */
export function objectiveIn(
  evaluator: Evaluator,
  layout: PointLayout,
  products: MatrixProducts | undefined,
  smooth?: Evaluator,
): Objective {
  const { sizes, unit, priorWeight, rounding, noise, samples, logits = [] } = layout
  const starts = startsOf(sizes)
  const run = async (by: Evaluator, point: Float64Array, inputs: Values[]): Promise<AttackEvaluation> => {
    const [value, distance, ...derivatives] = await by.run(inputs)
    const gradient = new Float64Array(point.length)
    for (const [i, derivative] of derivatives.entries()) gradient.set(derivative, starts[i])
    return { value: value[0], gradient, relativeLoss: distance[0] / unit }
  }
  return {
    hasPriors: priorWeight !== undefined,
    rounding,
    noise,
    products,
    data: sizes[0],
    samples,
    surer: (point) => withSureLabels(point, logits),
    evaluate: (point, easing) => run(evaluator, point, layoutInputs(layout, point, easing)),
    smoothed:
      smooth && ((point, easing, sharpness) => run(smooth, point, layoutInputs(layout, point, easing, sharpness))),
  }
}
