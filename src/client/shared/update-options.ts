import { choice, count, invalid, knownNames, number, show } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'

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

const NAMES = [
  ...['learningRate', 'sign', 'batchSize', 'epochs', 'localSteps', 'momentum', 'weightDecay', 'optimizer', 'approach'],
]

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
  knownNames('update', update, NAMES)
  requireSgd(update.optimizer ?? 'sgd')
  const { learningRate, sign, momentum = 0, weightDecay = 0 } = update
  const approach = choice('update.approach', update.approach ?? 'unrolled', ['unrolled', 'one-step', 'surrogate'])
  const steps = localSteps(update, samples)
  const fitted = steps.length === 1 ? scaled : approach !== 'unrolled'
  const needed = weightDecay !== 0 || !fitted
  if (learningRate !== undefined || needed)
    number('update.learningRate', learningRate, (v) => v > 0 && v < Infinity, 'a number above 0')
  return {
    learningRate,
    sign: sign && (choice('update.sign', sign, ['after-before', 'before-after']) === 'after-before' ? 1 : -1),
    momentum: number('update.momentum', momentum, (v) => v >= 0 && v < 1, 'a number in [0, 1)'),
    weightDecay: number('update.weightDecay', weightDecay, (v) => v >= 0 && v < Infinity, 'a number of at least 0'),
    approach,
    steps,
  }
}

function localSteps({ batchSize, epochs, localSteps: given }: UpdateOptions, samples: number): LocalBatch[] {
  const size = batchSize === undefined ? samples : count('update.batchSize', batchSize)
  if (size > samples)
    throw invalid(`update.batchSize is ${size}, more than the ${samples} samples of batchSize; it must be at most that`)
  if (epochs !== undefined && given !== undefined)
    throw invalid('update has both epochs and localSteps, which say the same; give one')
  const perEpoch = Math.ceil(samples / size)
  const steps = given === undefined ? perEpoch * count('update.epochs', epochs ?? 1) : count('update.localSteps', given)
  if (steps < perEpoch)
    throw invalid(
      `${steps} local steps of ${size} samples never read some of the ${samples} of batchSize; take localSteps of at least ${perEpoch}, or a smaller batchSize`,
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

function requireSgd(optimizer: unknown): void {
  if (optimizer === 'sgd') return
  const reason = typeof optimizer === 'string' ? UNDONE[optimizer.toLowerCase().replace(/w$/, '')] : undefined
  if (reason === undefined) throw invalid(`update.optimizer is ${show(optimizer)}; it must be 'sgd'`)
  throw new DlgError('invalid-option', `a step of ${show(optimizer)} cannot be undone: ${reason}`)
}
