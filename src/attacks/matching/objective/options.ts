import { fitsFloat32, hasMethod, invalid, knownNames, number, show } from '../../../errors/checks'
import { checkObjectOrName, nameFlag, numberOption, type OptionRecords } from '../../../options/option'
import { DISTANCES, type Distance, type DistanceName } from './distance'
import { batchNorm, box, colorTotalVariation, norm, type Prior, totalVariation } from './prior'
import { spectral } from './signal'

/** Weights of the priors, relative to the distance in its unit. */
export interface PriorWeights {
  /** Weight of the total variation of images, or of signals [batch, time, channels]. */
  totalVariation?: number
  colorTotalVariation?: number
  /** High frequencies of signals [batch, time, channels]. */
  spectral?: number
  norm?: number
  box?: number
  /**
   * Statistics of the batch at every batch norm: those that an update of one step in training mode shares, or, in evaluation mode, the
   * running ones of a trained model.
   */
  batchNorm?: number
}

/** What is minimised. */
export interface ObjectiveOptions {
  /** Default `l2` (`homotopy`, `inverting-gradients`: `cosine`; `attention`: `whitened`); for deep networks a stronger `whitened`, or `balanced`. */
  distance?: DistanceName | Distance
  /**
   * What plausible data look like, of the first searched input. Default for images: total variation, in colour where there are
   * three channels, with the built-in L-BFGS and along a homotopy; beside it the statistics of batch norms (`batchNorm`) where an
   * update shares them. Else none.
   */
  priors?: PriorWeights | readonly Prior[]
  /**
   * The factor by which the priors' weight falls whenever a search comes to rest, for as long as the gradient then comes
   * closer. 1 keeps the weight. Default 0.1 (`attention`: 0.3, `paper`: 1). An optimizer that comes to rest by itself gets a third of the
   * iterations at most for one weight. One that does not, such as Adam, keeps the weight to the end unless `patience` is given.
   * Along a homotopy the weight falls steadily, to this factor at the end (default 0.25).
   */
  priorEasing?: number
  /** Range of the data's values. Default [0, 1]. */
  dataRange?: readonly [number, number]
}

const distanceNames = Object.keys(DISTANCES) as DistanceName[]

type Range = readonly [number, number]

/** One record an option. */
export const OBJECTIVE = {
  distance: {
    help: `between gradients: ${distanceNames.join(', ')}; balanced for deep networks, whitened for vision transformers`,
    default: 'l2' as DistanceName | Distance,
    check: (distance: DistanceName | Distance): Distance =>
      checkObjectOrName<Distance, DistanceName>(
        distance,
        'distance',
        DISTANCES,
        ['measure'],
        'an object with measure()',
      ),
    flag: nameFlag<DistanceName>(distanceNames),
  },
  priors: {
    help: 'what plausible data look like: weights of totalVariation, colorTotalVariation, spectral, norm, box, batchNorm',
    otherwise: 'total variation for images with lbfgs, else none',
    check: (priors: PriorWeights | readonly Prior[]) => priors,
    flag: {
      value: 'NAME=X,...',
      read: readPriors,
      right: 'names and weights such as totalVariation=1e-4,box=1e-3, or none',
    },
  },
  priorEasing: numberOption(
    0.1,
    (v) => v > 0 && v <= 1,
    'a number above 0 and at most 1',
    "the factor by which the priors' weight falls whenever a search rests; 1 keeps it",
  ),
  dataRange: {
    help: 'lowest and highest value of the data',
    default: [0, 1] as Range,
    check(range: Range): Range {
      if (Array.isArray(range) && range.length === 2 && range.every(fitsFloat32) && range[0] < range[1])
        return range as unknown as Range
      throw invalid(`dataRange is ${show(range)}; it must be [low, high] with low < high, as float32 holds them`)
    },
    flag: {
      name: 'range',
      value: 'LOW,HIGH',
      read: readRange,
      right: 'two numbers, the lower first, such as 0,1',
    },
  },
} as const satisfies OptionRecords<ObjectiveOptions>

const PRIORS = {
  totalVariation: (weight) => totalVariation(weight),
  colorTotalVariation: (weight) => colorTotalVariation(weight),
  spectral: (weight) => spectral(weight),
  norm: (weight) => norm(weight),
  box,
  batchNorm: (weight) => batchNorm(weight),
} as const satisfies Record<keyof PriorWeights, (weight: number, range: Range) => Prior>

const priorNames = Object.keys(PRIORS) as (keyof PriorWeights)[]

const isWeight = (v: number): boolean => v >= 0 && v < Infinity

/** The priors of weights by name, or the caller's own. @throws DlgError `invalid-option` */
export function readPriorOption(priors: PriorWeights | readonly Prior[], range: Range): readonly Prior[] {
  if (Array.isArray(priors)) {
    const wrong = priors.findIndex((p) => !hasMethod(p, 'measure') || !isWeight(p.weight))
    if (wrong < 0) return priors
    throw invalid(`priors[${wrong}] is ${show(priors[wrong])}; it must have measure() and a weight of at least 0`)
  }
  knownNames('priors', priors, priorNames)
  const weights = priors as PriorWeights
  const all = priorNames.map((name) => {
    const weight = weights[name] === undefined ? 0 : weights[name]
    return PRIORS[name](number(`priors.${name}`, weight, isWeight, 'a number of at least 0'), range)
  })
  return all.filter((p) => p.weight > 0)
}

/** `totalVariation=1e-4,box=1e-3`, or `none`. */
function readPriors(word: string): PriorWeights | undefined {
  if (word === 'none') return {}
  const pairs = word.split(',').map((pair) => pair.split('='))
  const right = pairs.every(
    ([name, weight, ...more]) =>
      priorNames.includes(name as keyof PriorWeights) && weight && isWeight(Number(weight)) && more.length === 0,
  )
  return right ? Object.fromEntries(pairs.map(([name, weight]) => [name, Number(weight)])) : undefined
}

/** `-1,1` */
function readRange(word: string): Range | undefined {
  const [low, high, ...more] = word.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)))
  return fitsFloat32(low) && fitsFloat32(high) && low < high && more.length === 0 ? [low, high] : undefined
}
