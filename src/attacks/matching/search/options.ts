import type { Tensor } from '@tensorflow/tfjs-core'
import {
  choice,
  hasMethod,
  invalid,
  knownNames,
  number,
  requireListener,
  requireSignal,
  show,
} from '../../../errors/checks'
import { DlgError } from '../../../errors/dlg-error'
import type { Optimizer } from '../../../optim'
import {
  checkBoolean,
  countOption,
  nameFlag,
  nameOption,
  numberOption,
  type OptionRecords,
} from '../../../options/option'
import { OPTIMIZER_NAMES, type OptimizerName } from './optimizers'

/** Where a search starts. */
export interface Start {
  /** Data [batchSize, ...inputShape] of the first searched input, or of inputs by name. */
  data: Tensor | ArrayLike<number> | { readonly [input: string]: Tensor | ArrayLike<number> }
  /** Label logits [batchSize, classes], for joint labels; of the first output that has any, or of outputs by name. */
  labels?: Tensor | ArrayLike<number> | { readonly [output: string]: Tensor | ArrayLike<number> }
}

/** An iteration of a search begins, or is still under way 50 ms after the last event: such an event has the same `iteration`. */
export interface IterationEvent {
  /** `search`, or `certainty` once a match is found, while it is asked how far what was shared determines it; then nothing moves. */
  readonly stage: 'search' | 'certainty'
  /** Which restart, from 0. */
  readonly restart: number
  /** Iterations of this restart that are complete: 0 at the start. */
  readonly iteration: number
  /** The most restarts that the attack takes, and the most iterations of each, as the preset decided. */
  readonly limits: { readonly iterations: number; readonly restarts: number }
  /** Evaluations of all restarts so far. */
  readonly evaluations: number
  /**
   * The objective where this iteration began; it stays the same while the iteration is under way. Along a homotopy it is that of
   * the smoothed network.
   */
  readonly loss: number
  /** The distance there in units of the shared gradient: 1 matches nothing, 0 everything. */
  readonly relativeLoss: number
  /** The relative loss of this restart's best point, the one with the lowest objective; always that of the network itself. */
  readonly best: number
  /** Since the attack began. */
  readonly milliseconds: number
  /** The data of the best point so far, [batchSize, ...inputShape] of the first searched input in row-major order; a copy. */
  data(): Float32Array
}

/** How the objective is searched. */
export interface SearchOptions {
  /**
   * `lbfgs` (default), or `adam` for networks with kinks (default of `homotopy` and `inverting-gradients`, with steps of their
   * own). The learning rate of `adam` is 0.1 and falls along a cosine, to zero
   * after `iterations`; after a value that is not finite it goes back to the best point at a tenth of the rate. Or any
   * `{ name, init, step }`, such as `adam({ gradientSign: 'sign', decay: 'step', steps })`.
   */
  // biome-ignore lint/suspicious/noExplicitAny: an optimizer's state is its own business
  optimizer?: 'lbfgs' | 'adam' | Optimizer<any>
  /**
   * How a batch moves: `together` (default), or `one-by-one`, one sample an iteration as in the paper, whose batches have no
   * order. The latter takes several times the evaluations where the former converges.
   */
  batchUpdate?: 'together' | 'one-by-one'
  /**
   * Most iterations of one restart; an L-BFGS iteration has up to 20 inner ones, one of Adam is one step. Default 300
   * (`homotopy`: 1000, `inverting-gradients`: 4800).
   */
  iterations?: number
  /**
   * Iterations in a row without an improvement of 1 % after which a search has `stalled`: a whole number of at least 1, or
   * Infinity for never. Default: what the optimizer says, which is 20 for L-BFGS and Infinity for Adam (`paper`: Infinity).
   * An optimizer of the caller's that says nothing never stalls.
   */
  patience?: number
  /** Most searches from different starts; the first that converges ends them. Default 4 (`homotopy`, `inverting-gradients`, `paper`: 1). */
  restarts?: number
  /**
   * Group consistency, as in GradInversion (Yin et al. 2021): each restart is pulled to the mean of all. The weight of the mean squared
   * difference in units of `dataRange`, relative to the distance in its unit, as of a prior; it is eased with the priors. Every restart
   * takes the first half of its iterations by itself. Where none has converged then, each takes the second half from its own best
   * point, pulled to the mean, for which the samples of a batch are brought into one order. `shift` is the most pixels by which pictures
   * are shifted onto each other before, 0 where it is left out. The gradient alone still chooses among restarts. Needs at least two.
   * Default 0: none.
   */
  consistency?: number | { weight: number; shift?: number }
  /**
   * How many restarts run at the same time; what comes out does not depend on it. With onnxruntime-node's CPU provider and
   * a built-in optimizer each runs on a thread of its own; elsewhere, as on a GPU, they take turns on one. Default 1.
   */
  concurrency?: number
  /** Seed of all random numbers. Default 1234. */
  seed?: number
  /**
   * `gray` is the middle of the range with a little noise, `normal` N(0, 1), `uniform` over the range. Default `gray`
   * (`paper`: `normal`, `inverting-gradients`: `uniform`).
   */
  init?: 'gray' | 'normal' | 'uniform' | Start
  /** Relative loss at which a search has converged. Default 1e-12. */
  tolerance?: number
  /** Most work; what is exceeded first ends the attack with the best point so far. */
  budget?: { evaluations?: number; milliseconds?: number }
  /**
   * Whether a match is followed by a second question: how far does what was shared determine the data? A match that is not
   * determined has the status `undetermined`. Takes at most 200 evaluations. For 128 unknowns or fewer it takes gradients of the client
   * instead, usually two per unknown and at most 800, and looks at every combination. `bars` adds error bars, for the work of thirteen
   * more searches. Default true.
   */
  certainty?: boolean | 'bars'
  /**
   * Compares the objective with a trusted runtime once, at the start, where it runs on anything but onnxruntime's CPU, the tfjs
   * backends cpu and wasm, or `reference`: a graphics backend can compute garbage without an error. Default true.
   */
  verifyRuntime?: boolean
  /** Ends the attack with the best point so far. */
  signal?: AbortSignal
  /**
   * Told when an iteration begins, and every 50 ms while one is under way (or after each evaluation, where one takes longer), as
   * well as while certainty is worked out. What it throws ends the attack.
   */
  onIteration?: (event: IterationEvent) => void
}

const INITS = ['gray', 'normal', 'uniform'] as const

// biome-ignore lint/suspicious/noExplicitAny: an optimizer's state is its own business
type ChosenOptimizer = OptimizerName | Optimizer<any>

type Init = (typeof INITS)[number] | Start

type Budget = NonNullable<SearchOptions['budget']>

type Consistency = NonNullable<SearchOptions['consistency']>

/** A switch that is on where nothing is said. */
const onOff = (word: string): boolean | undefined => (word === 'on' ? true : word === 'off' ? false : undefined)

/** One record an option. */
export const SEARCH = {
  optimizer: {
    help: `${OPTIMIZER_NAMES.join(', ')}: lbfgs for smooth networks, adam for those with kinks such as ReLU`,
    default: 'lbfgs' as ChosenOptimizer,
    check: checkOptimizer,
    flag: nameFlag<OptimizerName>(OPTIMIZER_NAMES),
  },
  batchUpdate: nameOption<'together' | 'one-by-one'>(
    ['together', 'one-by-one'],
    'together',
    'how a batch moves: together, or one-by-one: one sample a step, as in the paper; needs more evaluations',
  ),
  iterations: countOption(300, 'most steps of one restart, of up to 20 evaluations each with lbfgs'),
  patience: {
    help: 'iterations without an improvement of 1 % after which a search has stalled',
    otherwise: 'what the optimizer says: 20 with lbfgs, Infinity with adam',
    check: checkPatience,
    flag: {
      value: 'N',
      read: (word: string): number | undefined =>
        word === 'Infinity' ? Number.POSITIVE_INFINITY : /^[1-9]\d*$/.test(word) ? Number(word) : undefined,
      right: 'a whole number of at least 1 or Infinity',
    },
  },
  restarts: countOption(4, 'most starts; the first that converges ends the search'),
  consistency: {
    help: 'weight of a pull of each restart to the mean of all in the second half of its iterations, and the most pixels to shift',
    default: 0 as Consistency,
    check: checkConsistency,
    flag: {
      value: 'X[,PIXELS]',
      read: readConsistency,
      right: 'a weight of at least 0 such as 0.01, or with the most pixels to shift pictures by: 0.01,2',
    },
  },
  concurrency: countOption(
    1,
    'restarts at the same time, on threads of their own with onnxruntime-node on the CPU; the result is the same',
  ),
  seed: {
    ...numberOption(
      1234,
      Number.isSafeInteger,
      'a whole number',
      'of all random numbers: the same seed, the same result',
    ),
    flag: {
      value: 'N',
      read: (word: string): number | undefined => (/^-?\d{1,15}$/.test(word) ? Number(word) : undefined),
      right: 'a whole number',
    },
  },
  init: {
    help: 'where a search starts: gray (middle of the range), normal, uniform',
    default: 'gray' as Init,
    check(init: Init): Init {
      if (typeof init === 'object' && init !== null) {
        knownNames('init', init, ['data', 'labels'])
        if (init.data === undefined || init.data === null)
          throw invalid('init has no data; it must be {data: [batchSize, ...inputShape]}')
        return init
      }
      return choice('init', init, INITS, '{data, labels}')
    },
    flag: nameFlag<(typeof INITS)[number]>(INITS),
  },
  tolerance: numberOption(1e-12, (v) => v >= 0 && v < 1, 'a number in [0, 1)', 'relative loss to stop at'),
  budget: {
    help: 'most work: evaluations, or time',
    default: {} as Budget,
    check(budget: Budget) {
      knownNames('budget', budget, ['evaluations', 'milliseconds'])
      const { evaluations = Infinity, milliseconds = Infinity } = budget
      return {
        evaluations: limit('budget.evaluations', evaluations),
        milliseconds: limit('budget.milliseconds', milliseconds),
      }
    },
    flag: {
      value: 'N|TIME',
      read: readBudget,
      right: 'a number of evaluations such as 5000, or a time such as 30s or 5m',
    },
  },
  certainty: {
    help: 'after a match, how far what was shared determines the data; bars: with error bars too',
    default: true as boolean | 'bars',
    check(value: boolean | 'bars', name: string): boolean | 'bars' {
      if (typeof value === 'boolean' || value === 'bars') return value
      throw invalid(`${name} is ${show(value)}; it must be true, false or 'bars'`)
    },
    flag: {
      value: 'on|off|bars',
      read: (word: string): boolean | 'bars' | undefined => (word === 'bars' ? word : onOff(word)),
      right: 'on, off or bars',
    },
  },
  verifyRuntime: {
    help: 'compares a runtime that is not the CPU with a trusted one, once at the start',
    default: true as boolean,
    check: checkBoolean,
    flag: { value: 'on|off', read: onOff, right: 'on or off' },
  },
  signal: {
    help: 'an AbortSignal that ends the attack with the best point so far',
    otherwise: 'none',
    check(signal: AbortSignal): AbortSignal {
      requireSignal('signal', signal)
      if (signal.aborted) throw new DlgError('aborted', 'the signal was aborted before the attack began')
      return signal
    },
  },
  onIteration: {
    help: 'a function that is told of every iteration',
    otherwise: 'none',
    check(callback: NonNullable<SearchOptions['onIteration']>) {
      requireListener('onIteration', callback)
      return callback
    },
  },
} as const satisfies OptionRecords<SearchOptions>

function checkOptimizer(optimizer: ChosenOptimizer): ChosenOptimizer {
  if (typeof optimizer === 'string' || !hasMethod(optimizer, 'init', 'step'))
    return choice('optimizer', optimizer, OPTIMIZER_NAMES, 'an object with init() and step()')
  if (optimizer.patience !== undefined) checkPatience(optimizer.patience, 'optimizer.patience')
  if (optimizer.restart === undefined || hasMethod(optimizer, 'restart')) return optimizer
  throw invalid(`optimizer.restart is ${show(optimizer.restart)}; it must be a function or be left out`)
}

function checkPatience(patience: number, name = 'patience'): number {
  if (patience === Number.POSITIVE_INFINITY) return patience
  return number(name, patience, (v) => Number.isInteger(v) && v >= 1, 'a whole number of at least 1 or Infinity')
}

const isWhole = (v: number): boolean => Number.isSafeInteger(v) && v >= 0

function checkConsistency(value: Consistency, name: string): { readonly weight: number; readonly shift: number } {
  const parts = typeof value === 'object' && value !== null ? value : undefined
  if (parts) knownNames(name, parts, ['weight', 'shift'])
  const { weight, shift = 0 } = parts ?? { weight: value as number }
  return {
    weight: number(parts ? `${name}.weight` : name, weight, (v) => v >= 0 && v < Infinity, 'a number of at least 0'),
    shift: number(`${name}.shift`, shift, isWhole, 'a whole number of at least 0'),
  }
}

/** `0.01`, or `0.01,2` with the most pixels to shift by. */
function readConsistency(word: string): Consistency | undefined {
  const [weight, shift, ...more] = word.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)))
  if (!(weight >= 0 && weight < Infinity) || more.length > 0) return undefined
  if (shift === undefined) return weight
  return isWhole(shift) ? { weight, shift } : undefined
}

function limit(name: string, value: number): number {
  if (number(name, value, (v) => !Number.isNaN(v), 'a number above 0') > 0) return value
  throw new DlgError('budget', `${name} is ${value}: it is spent before the attack begins; give more than 0`)
}

const MILLISECONDS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000 }

/** `5000` evaluations, or a time such as `30s`, `5m`, `1.5h`. */
function readBudget(word: string): Budget | undefined {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|min|h)?$/.exec(word) ?? []
  const amount = Number(digits)
  if (!(amount > 0)) return undefined
  if (unit) return { milliseconds: amount * MILLISECONDS[unit] }
  return Number.isInteger(amount) ? { evaluations: amount } : undefined
}
