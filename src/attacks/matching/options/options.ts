import { Tensor } from '@tensorflow/tfjs-core'
import { approximates, updateOption } from '../../../client/shared/update-options'
import { TRAINING_NAMES, trainingSettings } from '../../../client/training-options'
import { choice, count, hasMethod, invalid, knownNames, number, show } from '../../../errors/checks'
import { DlgError } from '../../../errors/dlg-error'
import { balanced, cosine, type Distance, l2 } from '../objective/distance'
import { box, colorTotalVariation, norm, type Prior, totalVariation } from '../objective/prior'
import { scaleFree } from '../objective/scale'
import { labelsOption } from './label-options'
import { HISTORY } from './optimizers'
import type { LeakageOptions, PriorWeights, Settings } from './settings'

const NAMES = [
  ...TRAINING_NAMES,
  ...[
    'batchSize',
    'labels',
    'distance',
    'optimizer',
    'batchUpdate',
    'preset',
    'iterations',
    'patience',
    'restarts',
    'concurrency',
    'seed',
    'init',
    'priors',
    'priorEasing',
    'known',
    'missing',
    'update',
    'scale',
  ],
  ...['dataRange', 'tolerance', 'budget', 'signal', 'onIteration'],
]

/** Checks every option and fills in the preset's. @throws DlgError `invalid-option` */
export function leakageOptions(options: LeakageOptions): Settings {
  knownNames('options', options, NAMES)
  const { preset = 'robust', batchSize = 1, labels = 'joint', distance = 'l2', optimizer = 'lbfgs' } = options
  const paper = choice('preset', preset, ['robust', 'paper']) === 'paper'
  const { iterations = 300, restarts = paper ? 1 : 4, seed = 1234, init = paper ? 'normal' : 'gray' } = options
  // the default prior is eased whenever the optimizer comes to rest, which Adam and its like do not
  const {
    priors = paper || optimizer !== 'lbfgs' ? [] : undefined,
    dataRange = [0, 1],
    tolerance = 1e-12,
    budget = {},
  } = options
  const range = rangeOption(dataRange)
  const update = updateOption(options.update, count('batchSize', batchSize), options.scale === 'auto')
  // several steps taken for one have its direction at best: the gradient shrinks on the way
  const scale = approximates(update) ? 'auto' : scaleOption(options.scale)
  return {
    ...trainingSettings(options),
    preset,
    dataRange: range,
    batchSize: count('batchSize', batchSize),
    labels: labelsOption(labels),
    known: knownOption(options.known),
    missing: missingOption(options.missing),
    update,
    scale,
    distance: scale === 'auto' ? scaleFree(distanceOption(distance)) : distanceOption(distance),
    optimizer: optimizerOption(optimizer, preset),
    batchUpdate: choice('batchUpdate', options.batchUpdate ?? 'together', ['together', 'one-by-one']),
    productRows: paper || optimizer !== 'lbfgs' ? 0 : 2 * HISTORY,
    objectiveScale: paper ? undefined : 1e6,
    iterations: count('iterations', iterations),
    patience: patienceOption(
      'patience',
      options.patience === undefined && paper ? Number.POSITIVE_INFINITY : options.patience,
    ),
    restarts: count('restarts', restarts),
    concurrency: count('concurrency', options.concurrency ?? 1),
    seed: number('seed', seed, Number.isSafeInteger, 'a whole number'),
    init: initOption(init),
    priors: priors === undefined ? undefined : priorsOption(priors, range),
    priorEasing: number(
      'priorEasing',
      options.priorEasing ?? (paper ? 1 : 0.1),
      (v) => v > 0 && v <= 1,
      'a number above 0 and at most 1',
    ),
    tolerance: number('tolerance', tolerance, (v) => v >= 0 && v < 1, 'a number in [0, 1)'),
    budget: budgetOption(budget),
    signal: signalOption(options.signal),
    onIteration: callbackOption(options.onIteration),
  }
}

function rangeOption(range: readonly [number, number]): readonly [number, number] {
  if (Array.isArray(range) && range.length === 2 && range.every(Number.isFinite) && range[0] < range[1]) return range
  throw invalid(`dataRange is ${show(range)}; it must be [low, high] with low < high`)
}

function knownOption(known: LeakageOptions['known']): Settings['known'] {
  if (known === undefined) return {}
  if (typeof known === 'object' && known !== null && !Array.isArray(known) && !(known instanceof Tensor)) return known
  throw invalid(`known is ${known instanceof Tensor ? 'a tensor' : show(known)}; it must be a map of tensors by input`)
}

function missingOption(missing: LeakageOptions['missing']): Settings['missing'] {
  if (missing === undefined || missing === 'allowed') return missing
  if (Array.isArray(missing) && missing.every((name) => typeof name === 'string')) return missing
  throw invalid(`missing is ${show(missing)}; it must be 'allowed' or a list of names of weights`)
}

function distanceOption(distance: NonNullable<LeakageOptions['distance']>): Distance {
  if (typeof distance !== 'string' && hasMethod(distance, 'measure')) return distance
  const name = choice('distance', distance, ['l2', 'cosine', 'balanced'], 'an object with measure()')
  return { l2, cosine, balanced }[name]()
}

function scaleOption(scale: LeakageOptions['scale'] = 1): Settings['scale'] {
  if (scale === 'auto') return scale
  return number('scale', scale, (v) => v !== 0 && Number.isFinite(v), "'auto' or a number other than 0")
}

function optimizerOption(
  optimizer: NonNullable<LeakageOptions['optimizer']>,
  preset: Settings['preset'],
): Settings['optimizer'] {
  if (typeof optimizer !== 'string' && hasMethod(optimizer, 'init', 'step')) {
    patienceOption('optimizer.patience', optimizer.patience)
    if (optimizer.restart === undefined || hasMethod(optimizer, 'restart')) return optimizer
    throw invalid(`optimizer.restart is ${show(optimizer.restart)}; it must be a function or be left out`)
  }
  return { name: choice('optimizer', optimizer, ['lbfgs', 'adam'], 'an object with init() and step()'), preset }
}

function patienceOption(name: string, patience: number | undefined): number | undefined {
  if (patience === undefined || patience === Number.POSITIVE_INFINITY) return patience
  return number(name, patience, (v) => Number.isInteger(v) && v >= 1, 'a whole number of at least 1 or Infinity')
}

function initOption(init: NonNullable<LeakageOptions['init']>): Settings['init'] {
  if (typeof init === 'object' && init !== null) {
    knownNames('init', init, ['data', 'labels'])
    if (init.data === undefined || init.data === null)
      throw invalid('init has no data; it must be {data: [batchSize, ...inputShape]}')
    return init
  }
  return choice<'gray' | 'normal' | 'uniform'>('init', init, ['gray', 'normal', 'uniform'], '{data, labels}')
}

const isWeight = (v: number): boolean => v >= 0 && v < Infinity

function priorsOption(priors: PriorWeights | readonly Prior[], range: readonly [number, number]): readonly Prior[] {
  if (Array.isArray(priors)) {
    const wrong = priors.findIndex((p) => !hasMethod(p, 'measure') || !isWeight(p.weight))
    if (wrong < 0) return priors
    throw invalid(`priors[${wrong}] is ${show(priors[wrong])}; it must have measure() and a weight of at least 0`)
  }
  knownNames('priors', priors, ['totalVariation', 'colorTotalVariation', 'norm', 'box'])
  const weights = priors as PriorWeights
  const weight = (name: keyof PriorWeights) =>
    number(`priors.${name}`, weights[name] === undefined ? 0 : weights[name], isWeight, 'a number of at least 0')
  const all = [
    totalVariation(weight('totalVariation')),
    colorTotalVariation(weight('colorTotalVariation')),
    norm(weight('norm')),
    box(weight('box'), range),
  ]
  return all.filter((p) => p.weight > 0)
}

function budgetOption(budget: NonNullable<LeakageOptions['budget']>): Settings['budget'] {
  knownNames('budget', budget, ['evaluations', 'milliseconds'])
  const { evaluations = Infinity, milliseconds = Infinity } = budget
  return {
    evaluations: limit('budget.evaluations', evaluations),
    milliseconds: limit('budget.milliseconds', milliseconds),
  }
}

function limit(name: string, value: number): number {
  if (number(name, value, (v) => !Number.isNaN(v), 'a number above 0') > 0) return value
  throw new DlgError('budget', `${name} is ${value}: it is spent before the attack begins; give more than 0`)
}

function signalOption(signal: AbortSignal | undefined): AbortSignal | undefined {
  if (signal === undefined) return undefined
  if (typeof signal?.addEventListener !== 'function')
    throw invalid(`signal is ${show(signal)}; it must be an AbortSignal`)
  if (signal.aborted) throw new DlgError('aborted', 'the signal was aborted before the attack began')
  return signal
}

function callbackOption(callback: LeakageOptions['onIteration']): LeakageOptions['onIteration'] {
  if (callback === undefined || typeof callback === 'function') return callback
  throw invalid(`onIteration is ${show(callback)}; it must be a function`)
}
