import { number, show } from '../../../errors/checks'
import { DlgError } from '../../../errors/dlg-error'
import type { Node } from '../../../graph'
import * as g from '../../../graph'
import type { RunningStatistic } from './running'
import { isSignal, signalVariation } from './signal'
import { requireWeight, SMOOTHING } from './weight'

/** What plausible data look like, as a penalty beside the distance. */
export interface Prior {
  readonly name: string
  /** Weight relative to the distance in its unit. */
  readonly weight: number
  /** As of an optimizer: what its functions keep to themselves. Results of an audit are kept under it. */
  readonly settings?: unknown
  /**
   * The penalty as a scalar node, from data [batch, …].
   *
   * @param statistics moving statistics that an update shares; empty where it shares none
   * @param running running statistics of batch norms in evaluation mode; empty in training mode, and where they tell nothing
   */
  measure(data: Node, statistics?: readonly SharedStatistic[], running?: readonly RunningStatistic[]): Node
}

/** How far one step in training mode moved a moving statistic of a batch norm, in the shape of its weight. */
export interface SharedStatistic {
  /** Name of the weight. */
  readonly name: string
  /** For the data that are searched. */
  readonly moved: Node
  /** For the client's data: the weight after the step less the weight before. */
  readonly shared: Node
}

/** The prior of images where no priors are given: total variation, in colour where there are three channels. */
export interface DefaultPrior {
  readonly weight: number
  readonly color: boolean
  /** Weight of the statistics of batch norms; 0 where the recipe has none. */
  readonly batchNorm: number
}

/** Whether data [batch, …] are images [batch, height, width, channels]. */
export const isImage = (shape: readonly number[]): boolean => shape.length === 4 && shape[1] > 1 && shape[2] > 1

/**
 * The priors where none are given: total variation where the data are images, and statistics where they are shared.
 *
 * @param statistics whether an update shares moving statistics
 */
export function defaultPriors(
  shape: readonly number[],
  { weight, color, batchNorm: normed }: DefaultPrior,
  statistics: boolean,
): readonly Prior[] {
  const smooth = color && shape[3] === 3 ? colorTotalVariation : totalVariation
  return [...(isImage(shape) ? [smooth(weight)] : []), ...(statistics && normed > 0 ? [batchNorm(normed)] : [])]
}

/** A channel to measure the variation of: Σ coefficients · channels of the data, and how much it counts. */
interface MeasuredChannel {
  readonly coefficients: readonly number[]
  readonly weight: number
}

/** Σ wₖ · mean √(dₖ² + ε²) over the measured channels, d the differences of neighbours along height and width. */
function variation(name: string, data: Node, channels: readonly MeasuredChannel[]): Node {
  const { graph, shape } = data
  const [batch, height, width, depth] = shape
  if (shape.length !== 4 || channels.some(({ coefficients }) => coefficients.length !== depth))
    throw new DlgError(
      'invalid-option',
      `the prior ${name} needs images [batch, height, width, ${channels[0]?.coefficients.length ?? 'channels'}]${name === 'totalVariation' ? ' or signals [batch, time, channels]' : ''}; data is [${shape}]`,
    )
  const pixels = g.transpose(data, [0, 3, 1, 2])
  const along = (size: readonly [number, number]): Node => {
    const differences = batch * (height - size[0] + 1) * (width - size[1] + 1)
    if (differences === 0) return g.scalar(graph, 0)
    // w √(d² + ε²) = √((wd)² + w²ε²): mixing channels, weighing them and subtracting neighbours is one convolution
    const filter = channels.flatMap(({ coefficients, weight }) =>
      coefficients.flatMap((c) => [-c * weight, c * weight]),
    )
    const floor = channels.map(({ weight }) => weight ** 2 * SMOOTHING)
    const d = g.conv(pixels, g.constant(graph, filter, [channels.length, depth, ...size]), PLAIN)
    const smoothed = g.add(g.square(d), g.constant(graph, floor, [1, channels.length, 1, 1]))
    return g.reshape(g.scale(g.sum(g.sqrt(smoothed)), 1 / differences), [])
  }
  return g.add(along([2, 1]), along([1, 2]))
}

const PLAIN = { strides: [1, 1], padLow: [0, 0], padHigh: [0, 0], dilations: [1, 1], groups: 1 }

/**
 * Mean absolute difference of neighbours: along height and width of images [batch, height, width, channels], along time of signals
 * [batch, time, channels].
 *
 * @param weight relative to the distance in its unit, at least 0
 * @throws DlgError `invalid-option` for a negative weight; its `measure` for data of another shape
 */
export function totalVariation(weight: number): Prior {
  requireWeight(weight)
  return {
    name: 'totalVariation',
    weight,
    measure(data) {
      if (isSignal(data.shape)) return signalVariation(data)
      const depth = data.shape[3] ?? 0
      const each = g.range(depth).map((k) => g.range(depth).map((c) => (c === k ? 1 : 0)))
      const channels = each.map((coefficients) => ({ coefficients, weight: 1 }))
      return g.scale(variation('totalVariation', data, channels), 1 / depth)
    },
  }
}

/** Orthonormal opponent colours: brightness, red against blue, green against both. */
export const OPPONENTS = [
  [1 / Math.sqrt(3), 1 / Math.sqrt(3), 1 / Math.sqrt(3)],
  [1 / Math.sqrt(2), 0, -1 / Math.sqrt(2)],
  [1 / Math.sqrt(6), -2 / Math.sqrt(6), 1 / Math.sqrt(6)],
]

/**
 * Total variation in opponent colours, where colour counts `chroma` times as much as brightness: in photographs edges are
 * edges of brightness, and colour changes slowly. Of images [batch, height, width, 3].
 *
 * @throws DlgError `invalid-option` for a negative `chroma`
 */
export function colorTotalVariation(weight: number, chroma = 4): Prior {
  requireWeight(weight)
  number('chroma', chroma, (v) => v >= 0 && v < Infinity, 'a number of at least 0')
  const [brightness, ...colors] = OPPONENTS
  const channels = [
    { coefficients: brightness, weight: 1 },
    ...colors.map((coefficients) => ({ coefficients, weight: chroma / colors.length })),
  ]
  return {
    name: 'colorTotalVariation',
    weight,
    settings: { chroma },
    measure: (data) => variation('colorTotalVariation', data, channels),
  }
}

/** Keeps a factor finite where nothing moves. */
const STILL = 1e-12

/**
 * How far the statistics of the data's own batch are from known ones, at every batch norm.
 *
 * Where an update of one local step in training mode shares moving statistics: the mean over the moving means and variances of
 * ‖αm − m*‖² / ‖m*‖², m how far the step moved one of them. These are exact. α is the factor that suits all of them best, so
 * that the client's momentum need not be the model's.
 *
 * In evaluation mode: the mean over batch norms and channels of (μ − μ̂)² / σ̂² + (σ² / σ̂² − 1)², where μ̂ and σ̂² are the running
 * statistics of the model, as in DeepInversion and GradInversion (Yin et al. 2020, 2021). They are those of the whole training, which
 * a small batch does not have: take a small weight, such as 0.003. 1 % of the mean of σ̂² over a layer is added to σ̂² below the line.
 * Batch norms at mean 0 and variance 1, where training begins, do not count.
 *
 * Its `measure` throws DlgError `invalid-option` where there are no such statistics: without a batch norm, before training, and where
 * the running ones are not finite or no variances.
 *
 * @throws DlgError `invalid-option` for a negative weight
 */
export function batchNorm(weight: number): Prior {
  requireWeight(weight)
  return {
    name: 'batchNorm',
    weight,
    measure(_, statistics = [], running = []) {
      if (running.length > 0) return fromRunning(running)
      if (statistics.length === 0)
        throw new DlgError(
          'invalid-option',
          'the prior batchNorm needs moving statistics: an update of one local step with training: true, whose `after` or `delta` has all weights, without noise or a factor; or, in evaluation mode, batch norms whose running means and variances are finite, not negative, and moved from 0 and 1 by training',
        )
      const relative = statistics.map(({ moved, shared }) => {
        const size = g.sqrt(g.inner(shared, shared))
        return { moved: g.div(moved, size), shared: g.div(shared, size) }
      })
      const total = (nodes: readonly Node[]): Node => nodes.reduce(g.add)
      const along = total(relative.map(({ moved, shared }) => g.inner(moved, shared)))
      const squares = total(relative.map(({ moved }) => g.inner(moved, moved)))
      const factor = g.div(along, g.offset(squares, STILL))
      const parts = relative.map(({ moved, shared }) => {
        const difference = g.sub(g.mul(moved, factor), shared)
        return g.inner(difference, difference)
      })
      return g.scale(total(parts), 1 / parts.length)
    },
  }
}

/** Part of a layer's mean variance that is added to each of its variances: where a channel is next to dead, its own says little. */
const DEAD = 1e-2

/**
 * The mean over batch norms and channels of (μ − μ̂)² / σ̂² + (σ² / σ̂² − 1)², where μ̂ and σ̂² are the running statistics: differences of
 * means in standard deviations, and of variances relative to them.
 */
function fromRunning(running: readonly RunningStatistic[]): Node {
  const parts = running.map(({ mean, variance, runningMean, runningVariance }) => {
    const unit = g.add(runningVariance, g.scale(g.reshape(g.mean(runningVariance), []), DEAD))
    const means = g.div(g.square(g.sub(mean, runningMean)), unit)
    const variances = g.square(g.div(g.sub(variance, runningVariance), unit))
    return g.reshape(g.mean(g.add(means, variances)), [])
  })
  return g.scale(parts.reduce(g.add), 1 / parts.length)
}

/** Mean of x². */
export function norm(weight: number): Prior {
  requireWeight(weight)
  return { name: 'norm', weight, measure: (data) => g.reshape(g.mean(g.square(data)), []) }
}

/** Mean squared distance of values to the interval [low, high]. */
export function box(weight: number, interval: readonly [number, number]): Prior {
  requireWeight(weight)
  if (
    !Array.isArray(interval) ||
    interval.length !== 2 ||
    !interval.every(Number.isFinite) ||
    interval[0] > interval[1]
  )
    throw new DlgError('invalid-option', `the interval is ${show(interval)}; it must be two numbers, the lower first`)
  const [low, high] = interval
  return {
    name: 'box',
    weight,
    settings: { interval: [low, high] },
    measure(data) {
      const above = g.relu(g.offset(data, -high))
      const below = g.relu(g.offset(g.neg(data), low))
      return g.reshape(g.mean(g.add(g.square(above), g.square(below))), [])
    },
  }
}
