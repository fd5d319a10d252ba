import type { TracedGradient } from '../../../client/model/gradient'
import type { Node } from '../../../graph'
import * as g from '../../../graph'
import type { Values } from '../../../numbers/values'
import { reference } from '../../../runtime/reference'
import { evaluate } from '../../../runtime/runtime'

/** Mean and variance of what goes into a batch norm in evaluation mode, beside the running ones; each [channels]. */
export interface RunningStatistic {
  /** For the data that are searched: over all samples and places, divided by their number. */
  readonly mean: Node
  readonly variance: Node
  /** Running mean of the client's training so far, which the batch norm normalises by; beside it the running variance. */
  readonly runningMean: Node
  readonly runningVariance: Node
}

type Norms = Pick<TracedGradient, 'normalizations'>

/** The batch norms by these places, with the statistics of the data beside the running ones. */
export const runningStatistics = ({ normalizations }: Norms, places: readonly number[]): RunningStatistic[] =>
  places.map((place) => {
    const { input, mean: runningMean, variance: runningVariance } = normalizations[place]
    const channels = runningMean.shape
    const { mean, variance } = g.moments(input, g.range(input.shape.length - 1))
    return { mean: g.reshape(mean, channels), variance: g.reshape(variance, channels), runningMean, runningVariance }
  })

/**
 * The places of batch norms whose running statistics tell of data: training has moved them from the mean 0 and the variance 1 that it
 * begins with. None, where any of them can be no statistics: numbers that are not finite, variances below 0, or only variances of 0.
 */
export async function trainedNorms(
  { normalizations }: Norms,
  parameters: ReadonlyMap<string, Values>,
): Promise<readonly number[]> {
  if (normalizations.length === 0) return []
  const outputs = normalizations.flatMap(({ mean, variance }) => [mean, variance])
  const values = await evaluate(reference(), { inputs: [], outputs }, parameters, [])
  const statistics = normalizations.map((_, place) => ({ mean: values[2 * place], variance: values[2 * place + 1] }))
  const possible = statistics.every(
    ({ mean, variance }) =>
      mean.every(Number.isFinite) &&
      variance.every((v) => v >= 0 && v < Number.POSITIVE_INFINITY) &&
      variance.some((v) => v > 0),
  )
  const isTrained = (place: number): boolean =>
    statistics[place].mean.some((v) => v !== 0) || statistics[place].variance.some((v) => v !== 1)
  return possible ? [...statistics.keys()].filter(isTrained) : []
}
