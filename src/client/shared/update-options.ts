import { choice, count, invalid, knownNames, number, show } from '../../errors/checks'
import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import { nameFlag, numberFlag, type OptionRecords, pickOptions, wholeFlag } from '../../options/option'

/** How an update of several local steps is compared. */
export type UpdateApproach = 'unrolled' | 'one-step' | 'surrogate'

/** How the client came from the weights before to the weights after. */
export interface UpdateOptions {
  /** Learning rate of the client's SGD, above 0. Required without `scale: 'auto'`, to unroll local steps, and for a weight decay. */
  learningRate?: number
  /** Which way a `delta` points. Default `after-before`. */
  sign?: 'after-before' | 'before-after'
  /** How many samples a local step reads; the last step of an epoch reads what is left. Default: all. */
  batchSize?: number
  /** How many times the client reads its samples, in the same order each time. Default 1. */
  epochs?: number
  /** How many steps the client takes, instead of `epochs`: it begins again where its samples end. */
  localSteps?: number
  /** Momentum of the client's SGD: v ← momentum · v + g, from v = 0. In [0, 1), default 0. */
  momentum?: number
  /** Weight decay λ of the client's SGD: g + λ w. At least 0, default 0. */
  weightDecay?: number
  /** The client's optimizer. Only that of SGD can be undone; others are refused with the reason. */
  optimizer?: 'sgd'
  /**
   * How several local steps are compared. `unrolled` (default) takes them as the client did, at their cost. For about the
   * cost of one gradient: `one-step` takes the whole update for one gradient at the weights before, `surrogate` for one at
   * the mean of the weights that the client went through, on a straight way (Zhu, Yao, Blaschko 2023, with α in closed
   * form). Both compare directions, as with `scale: 'auto'`. One step is exact with all three.
   */
  approach?: UpdateApproach
}

/** The options of an update, decided and checked. */
export interface UpdateSettings {
  /** Undefined: any, which a fitted scale makes up for. */
  readonly learningRate: number | undefined
  readonly sign: 1 | -1 | undefined
  readonly momentum: number
  readonly weightDecay: number
  readonly approach: UpdateApproach
  /** Samples of each local step, in order. */
  readonly steps: readonly LocalBatch[]
}

/** Which samples a local step reads. */
export interface LocalBatch {
  readonly start: number
  readonly size: number
}

/** One step is a gradient as it is, and several may be taken as they were. */
export const approximates = (update: UpdateSettings | undefined): boolean =>
  update !== undefined && update.approach !== 'unrolled' && update.steps.length > 1

const isPositive = (value: number): boolean => value > 0 && value < Infinity
const isMomentum = (value: number): boolean => value >= 0 && value < 1
const isDecay = (value: number): boolean => value >= 0 && value < Infinity

const APPROACHES: readonly UpdateApproach[] = ['unrolled', 'one-step', 'surrogate']

/** One record an option of an update. Where `default` is missing, `otherwise` says what stands for it. */
export const UPDATE = {
  learningRate: {
    help: "learning rate of the client's SGD",
    otherwise: 'none with scale auto and one step; else it must be given',
    check: (rate: number, name: string) => number(name, rate, isPositive, 'a number above 0'),
    flag: numberFlag(isPositive, 'a number above 0'),
  },
  sign: {
    help: 'which way delta points: after-before, before-after',
    otherwise: 'after-before',
    check: (sign: 'after-before' | 'before-after', name: string) =>
      choice(name, sign, ['after-before', 'before-after']),
  },
  batchSize: {
    help: 'samples of each local step',
    otherwise: 'all, which is one step an epoch',
    check: (size: number, name: string) => count(name, size),
    flag: { ...wholeFlag(1), name: 'local-batch-size' },
  },
  epochs: {
    help: 'how many times the client reads its samples',
    otherwise: '1',
    check: (epochs: number, name: string) => count(name, epochs),
    flag: wholeFlag(1),
  },
  localSteps: {
    help: 'how many local steps, instead of epochs',
    otherwise: 'those of the epochs',
    check: (steps: number, name: string) => count(name, steps),
    flag: wholeFlag(1),
  },
  momentum: {
    help: "momentum of the client's SGD",
    default: 0,
    check: (momentum: number, name: string) => number(name, momentum, isMomentum, 'a number in [0, 1)'),
    flag: numberFlag(isMomentum, 'a number in [0, 1)'),
  },
  weightDecay: {
    help: "weight decay of the client's SGD",
    default: 0,
    check: (decay: number, name: string) => number(name, decay, isDecay, 'a number of at least 0'),
    flag: numberFlag(isDecay, 'a number of at least 0'),
  },
  optimizer: {
    help: "the client's optimizer: sgd; others cannot be undone",
    default: 'sgd' as const,
    check: requireSgd,
  },
  approach: {
    help: 'how several local steps are compared: unrolled, or for the cost of one gradient surrogate, one-step',
    default: 'unrolled' as UpdateApproach,
    check: (approach: UpdateApproach, name: string) => choice(name, approach, APPROACHES),
    flag: nameFlag<UpdateApproach>(APPROACHES),
  },
} as const satisfies OptionRecords<UpdateOptions>

/**
 * @param samples how many the client has
 * @param scaled whether a factor of the update is fitted
 * @throws DlgError `invalid-option`
 */
export function updateOption(
  update: UpdateOptions | undefined,
  samples: number,
  scaled: boolean,
): UpdateSettings | undefined {
  if (update === undefined) return undefined
  knownNames('update', update, Object.keys(UPDATE))
  const { learningRate, sign, momentum, weightDecay, approach } = pickOptions(UPDATE, update, 'update.')
  const steps = localSteps(update, samples)
  const fitted = steps.length === 1 ? scaled : approach !== 'unrolled'
  const needed = weightDecay !== 0 || !fitted
  if (needed) UPDATE.learningRate.check(learningRate as number, 'update.learningRate')
  return {
    learningRate,
    sign: sign === undefined ? undefined : sign === 'after-before' ? 1 : -1,
    momentum,
    weightDecay,
    approach,
    steps,
  }
}

/** Far more than any client takes between two rounds, and a list that fits memory. */
const MOST_STEPS = 1_000_000

function localSteps({ batchSize, epochs, localSteps: given }: UpdateOptions, samples: number): LocalBatch[] {
  const size = batchSize ?? samples
  if (size > samples)
    throw invalid(
      `update.batchSize is ${size}, more than the ${countOf(samples, 'sample')} of batchSize; it must be at most that`,
    )
  if (epochs !== undefined && given !== undefined)
    throw invalid('update has both epochs and localSteps, which say the same; give one')
  const perEpoch = Math.ceil(samples / size)
  const steps = given ?? perEpoch * (epochs ?? 1)
  if (steps < perEpoch)
    throw invalid(
      `${countOf(steps, 'local step')} of ${countOf(size, 'sample')} ${steps === 1 ? 'leaves' : 'leave'} some of the ${samples} of batchSize unread; take localSteps of at least ${perEpoch}, or a smaller batchSize`,
    )
  if (steps > MOST_STEPS)
    throw invalid(
      `update comes to ${countOf(steps, 'local step')} of ${countOf(size, 'sample')}; they must be at most ${MOST_STEPS}`,
    )
  return Array.from({ length: steps }, (_, step) => {
    const start = (step % perEpoch) * size
    return { start, size: Math.min(size, samples - start) }
  })
}

/** What other optimizers make of a gradient. */
const UNDONE: Readonly<Record<string, string>> = {
  adam: 'its first step is learningRate · sign(g) whatever the size of g, and later ones depend on moments that are not shared',
  rmsprop: 'it divides each number of the gradient by a running size of that number, which is not shared',
  adagrad: 'its first step is learningRate · sign(g) whatever the size of g',
  momentum:
    "with a velocity of zero at the start it is optimizer: 'sgd' with momentum: 0.9, say; with one of earlier rounds it is not known what was added",
}

function requireSgd(optimizer: unknown, name: string): 'sgd' {
  if (optimizer === 'sgd') return optimizer
  const reason = typeof optimizer === 'string' ? UNDONE[optimizer.toLowerCase().replace(/w$/, '')] : undefined
  if (reason === undefined) throw invalid(`${name} is ${show(optimizer)}; it must be 'sgd'`)
  throw new DlgError('invalid-option', `a step of ${show(optimizer)} cannot be undone: ${reason}`)
}
