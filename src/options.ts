import { DlgError } from './errors'
import { infer, joint, known, type LabelStrategy } from './labels'
import { type Criterion, crossEntropy, meanSquaredError } from './model/criterion'
import { cosine, type Distance, l2 } from './objective/distance'
import { box, colorTotalVariation, norm, type Prior, totalVariation } from './objective/prior'
import { adam, lbfgs, recover } from './optim'
import { chooseRuntime } from './runtime/choose'
import type { LeakageOptions, PriorWeights, Settings, TrainingOptions } from './settings'

const invalid = (message: string): DlgError => new DlgError('invalid-option', message)

function show(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`
  if (Array.isArray(value)) return value.length > 8 ? `a list of ${value.length}` : `[${value.map(show).join(', ')}]`
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}

/** Pairs of the built-in L-BFGS, as in the paper. */
const HISTORY = 100

const TRAINING_NAMES = ['criterion', 'output', 'reduction', 'training', 'runtime']
const NAMES = [
  ...TRAINING_NAMES,
  ...[
    'batchSize',
    'labels',
    'distance',
    'optimizer',
    'preset',
    'iterations',
    'restarts',
    'concurrency',
    'seed',
    'init',
    'priors',
    'priorEasing',
  ],
  ...['dataRange', 'tolerance', 'budget', 'signal', 'onIteration'],
]

/** A value from a short list. */
function choice<T extends string>(name: string, value: unknown, choices: readonly T[], otherwise?: string): T {
  if (choices.includes(value as T)) return value as T
  const words = choices.map((c) => `'${c}'`)
  throw invalid(`${name} is ${show(value)}; it must be ${[...words, ...(otherwise ? [otherwise] : [])].join(' or ')}`)
}

function number(name: string, value: unknown, test: (v: number) => boolean, right: string): number {
  if (typeof value === 'number' && test(value)) return value
  throw invalid(`${name} is ${show(value)}; it must be ${right}`)
}

const count = (name: string, value: unknown): number =>
  number(name, value, (v) => Number.isInteger(v) && v >= 1, 'a whole number of at least 1')

const hasMethod = (value: unknown, ...methods: string[]): boolean =>
  typeof value === 'object' &&
  value !== null &&
  methods.every((m) => typeof (value as Record<string, unknown>)[m] === 'function')

function knownNames(owner: string, value: object, names: readonly string[]): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(`${owner} is ${show(value)}; it must be an object with any of ${names.join(', ')}`)
  const stranger = Object.keys(value).find((name) => !names.includes(name))
  if (stranger !== undefined) throw invalid(`there is no '${stranger}' in ${owner}; there are ${names.join(', ')}`)
}

/** Checks everything a gradient depends on. @throws DlgError `invalid-option` */
export function trainingOptions(
  options: TrainingOptions,
): Pick<Settings, 'reduction' | 'training' | 'runtime' | 'criterion'> {
  knownNames('options', options, TRAINING_NAMES)
  return training(options)
}

function training(options: TrainingOptions): Pick<Settings, 'reduction' | 'training' | 'runtime' | 'criterion'> {
  const { reduction = 'mean', training = false, runtime = 'auto' } = options
  if (typeof training !== 'boolean') throw invalid(`training is ${show(training)}; it must be true or false`)
  if (typeof runtime !== 'string' && !hasMethod(runtime, 'compile'))
    throw invalid(`runtime is ${show(runtime)}; it must be a name or an object with compile()`)
  return {
    reduction: choice('reduction', reduction, ['mean', 'sum']),
    training,
    runtime:
      typeof runtime === 'string'
        ? chooseRuntime(choice('runtime', runtime, ['auto', 'onnx', 'tfjs', 'reference'], 'a Runtime'))
        : runtime,
    criterion: criterionOption(options),
  }
}

/** The training loss. @throws DlgError `invalid-option` */
export function criterionOption({ criterion = 'crossEntropy', output = 'auto' }: TrainingOptions): Criterion {
  const kind = choice('output', output, ['auto', 'logits', 'probabilities'])
  if (typeof criterion !== 'string' && hasMethod(criterion, 'loss')) return criterion
  const name = choice('criterion', criterion, ['crossEntropy', 'meanSquaredError'], 'an object with loss()')
  return name === 'crossEntropy' ? crossEntropy(kind) : meanSquaredError()
}

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
  return {
    ...training(options),
    preset,
    dataRange: range,
    batchSize: count('batchSize', batchSize),
    labels: labelsOption(labels),
    distance: distanceOption(distance),
    optimizer: optimizerOption(optimizer, paper),
    productRows: paper || optimizer !== 'lbfgs' ? 0 : 2 * HISTORY,
    objectiveScale: paper ? undefined : 1e6,
    iterations: count('iterations', iterations),
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

function labelsOption(labels: NonNullable<LeakageOptions['labels']>): LabelStrategy {
  if (Array.isArray(labels)) return known(labels)
  if (typeof labels !== 'string' && hasMethod(labels, 'decide')) return labels as LabelStrategy
  return choice('labels', labels, ['joint', 'infer'], 'a list of class indices or an object with decide()') === 'joint'
    ? joint()
    : infer()
}

function distanceOption(distance: NonNullable<LeakageOptions['distance']>): Distance {
  if (typeof distance !== 'string' && hasMethod(distance, 'measure')) return distance
  return choice('distance', distance, ['l2', 'cosine'], 'an object with measure()') === 'l2' ? l2() : cosine()
}

function optimizerOption(optimizer: NonNullable<LeakageOptions['optimizer']>, paper: boolean): Settings['optimizer'] {
  if (typeof optimizer !== 'string' && hasMethod(optimizer, 'init', 'step')) return () => optimizer
  const name = choice('optimizer', optimizer, ['lbfgs', 'adam'], 'an object with init() and step()')
  if (name === 'adam') return () => (paper ? adam() : recover(adam()))
  if (paper) return () => lbfgs()
  return (products) => {
    const options = { lineSearch: 'strong-wolfe', historySize: HISTORY } as const
    return recover(products ? lbfgs({ ...options, products }) : lbfgs(options))
  }
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
