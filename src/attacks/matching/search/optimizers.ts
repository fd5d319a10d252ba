import {
  adam,
  type Group,
  lbfgs,
  type MatrixProducts,
  type Optimizer,
  type OptimizerState,
  oneByOne,
  recover,
} from '../../../optim'
import type { PresetName } from '../options'
import { type ImageShape, overWaves } from './waves'

/** Pairs of the built-in L-BFGS, as in the paper. */
export const HISTORY = 100

/** The built-in optimizers. */
export const OPTIMIZER_NAMES = ['lbfgs', 'adam'] as const

export type OptimizerName = (typeof OPTIMIZER_NAMES)[number]

/** A built-in optimizer by name, so that another thread can make the same one. */
export interface OptimizerChoice {
  readonly name: OptimizerName
  readonly preset: PresetName
  /** Lowest and highest value of the data; default [0, 1]. Signed steps are in units of it. */
  readonly range?: readonly [number, number]
  /** Shape of the images whose waves are searched in place of their pixels, along a homotopy. */
  readonly waves?: ImageShape
}

/** Step of signed Adam along a homotopy, in units of the data's range. */
const HOMOTOPY_RATE = 0.05

/** Step of *Inverting Gradients*: 0.1 standard deviations of the data, of which the range is taken to have four. */
const INVERTING_RATE = 0.1 / 4

/**
 * The optimizer, given products in the runtime where that has them.
 *
 * @param steps the most iterations of one coordinate, which are what Adam's schedule is planned for
 * @param data how many coordinates, the first ones, are data; the others are numbers behind labels
 */
function builtInOptimizer(
  { name, preset, range: [low, high] = [0, 1], waves }: OptimizerChoice,
  steps: number,
  data: number,
  products?: MatrixProducts,
): Optimizer {
  if (preset === 'paper') return name === 'adam' ? adam() : lbfgs()
  const signed = { steps, gradientSign: 'sign' } as const
  if (name === 'adam' && preset === 'homotopy') {
    const learningRate = HOMOTOPY_RATE * (high - low)
    const moved = adam({ ...signed, decay: 'cosine', learningRate })
    return recover<OptimizerState>(waves ? overWaves(moved, waves, data) : moved, { factor: Number.POSITIVE_INFINITY })
  }
  if (name === 'adam' && preset === 'inverting-gradients') {
    const project = (point: Float64Array): Float64Array =>
      point.map((v, i) => (i < data ? Math.min(high, Math.max(low, v)) : v))
    return adam({ ...signed, decay: 'step', learningRate: INVERTING_RATE * (high - low), project })
  }
  // the ratio of two values says nothing about Adam: only values that are not finite send it back
  if (name === 'adam') return recover(adam({ steps, decay: 'cosine' }), { factor: Number.POSITIVE_INFINITY })
  const options = { lineSearch: 'strong-wolfe', historySize: HISTORY } as const
  return recover(products ? lbfgs({ ...options, products }) : lbfgs(options))
}

/**
 * The coordinates of each sample of a batch, where samples are updated one by one.
 *
 * @param sizes numbers of each unknown in the flat point; samples are its first axis
 */
export function samplesOf(sizes: readonly number[], batchSize: number): Group[] {
  const starts = sizes.map((_, i) => sizes.slice(0, i).reduce((a, b) => a + b, 0))
  return Array.from({ length: batchSize }, (_, sample) =>
    sizes.map((size, i) => {
      const each = size / batchSize
      return [starts[i] + sample * each, starts[i] + (sample + 1) * each] as const
    }),
  )
}

/**
 * The optimizer of a search: the caller's or a built-in one, over everything or sample by sample.
 *
 * @param iterations the most that the search takes, all samples together
 * @param data how many coordinates of the whole point, the first ones, are data
 */
export function searchOptimizer(
  // biome-ignore lint/suspicious/noExplicitAny: an optimizer's state is its own business
  chosen: Optimizer<any> | OptimizerChoice,
  samples: readonly Group[] | undefined,
  products: MatrixProducts | undefined,
  iterations: number,
  data: number,
): Optimizer {
  const turns = samples?.length ?? 1
  const steps = Math.ceil(iterations / turns)
  // the products are over the whole point
  const optimizer =
    'init' in chosen ? chosen : builtInOptimizer(chosen, steps, data / turns, samples ? undefined : products)
  return samples ? oneByOne(optimizer, samples) : optimizer
}
