import { type NamedGradients, namedGradients, type SharedByName } from '../../client/shared/read-gradients'
import { choice, knownNames, number, requireListener } from '../../errors/checks'
import { CLASS_BIAS, TOKEN_BIAS, WORDS } from '../../models/bert-shapes'
import type { TextModel } from '../../models/text-model'
import { lbfgs, recover } from '../../optim'
import type { Values } from '../../runtime/runtime'
import { deepLeakageFromGradients, type Leakage } from '../matching/leakage'
import type { LeakageOptions } from '../matching/options'
import type { IterationEvent } from '../matching/search/options'
import type { DecodedToken } from '../tokens/token-set'
import { tag } from './distance'
import { hiddenTokens } from './masked-attack'
import { classifierProblem, maskedProblem, type Problem, type Sentence } from './problem'
import { gradientOf, lengthOf, tokensInSpan, tokensOf, wordTable } from './shared-text'
import { snapping } from './snapping'
import { requireModel } from './text-gradients'

/** Options of `deepLeakageFromText`. */
export interface TextLeakageOptions
  extends Pick<LeakageOptions, 'runtime' | 'iterations' | 'restarts' | 'seed' | 'tolerance' | 'budget' | 'signal'> {
  /** The class, for a classifier: `infer` reads it from the bias gradient (default), `joint` searches it, a number states it. */
  label?: 'infer' | 'joint' | number
  /** Default `balanced`. */
  distance?: 'tag' | NonNullable<LeakageOptions['distance']>
  /** How many tokens the sentence has. Default: as many as the position table's gradient shows. */
  length?: number
  /**
   * Where the search begins: `normal` (default) is noise of the embeddings' spread, `span` the tokens that the gradient
   * of the first block gives in closed form, of which the search is then the proof.
   */
  start?: 'normal' | 'span'
  /** Called as each iteration begins. */
  onIteration?: (event: TextIterationEvent) => void
}

/** An iteration of a search begins; iterations are of ten steps. */
export interface TextIterationEvent extends Omit<IterationEvent, 'data'> {
  /** The sentence at the best point so far. */
  tokens(): DecodedToken[]
}

/** A sentence out of a shared gradient. */
export interface TextLeakage
  extends Pick<
    Leakage,
    'status' | 'relativeLoss' | 'history' | 'evaluations' | 'milliseconds' | 'restart' | 'seed' | 'runtime'
  > {
  /** With the first and the last token of a sentence, and the hidden tokens of a masked LM filled in. */
  readonly tokens: number[]
  /** How sure each one is. */
  readonly decoded: DecodedToken[]
  /** Whether the gradient of exactly these tokens is the shared one, to the tolerance. */
  readonly exact: boolean
  /** The class, for a classifier. */
  readonly label?: number
  /** Tokens that the gradient of the embedding table gives away by itself, when that was shared. */
  readonly tokenSet?: number[]
}

/** What a caller may say; the rest is decided by the sentence. */
const OPTIONS: readonly (keyof TextLeakageOptions)[] = [
  ...(['label', 'distance', 'length', 'start', 'onIteration'] as const),
  ...(['runtime', 'iterations', 'restarts', 'seed', 'tolerance', 'budget', 'signal'] as const),
]

/** Steps of an iteration. */
export const STEPS = 10

/** Between the rounding of a right sentence, at most 5e-10 measured, and one wrong token, at least 1e-8. */
const TOLERANCE = 1e-9

/**
 * Deep leakage of a sentence: searches, over all positions jointly, for word embeddings whose gradient is the shared
 * one, and reads each as the nearest row of the table, by cosine. The table's own gradient, when it was shared, says
 * which rows there are to choose from.
 *
 * After every iteration the sentence as it reads is tried itself, and ends the search if its gradient is the shared one.
 *
 * @throws DlgError before any work starts
 */
export async function deepLeakageFromText(
  model: TextModel,
  given: SharedByName,
  options: TextLeakageOptions = {},
): Promise<TextLeakage> {
  requireModel(model, 'encoder')
  knownNames('options', options, OPTIONS)
  const { label, distance = 'balanced', length: said, start = 'normal', onIteration, ...rest } = options
  choice('start', start, ['normal', 'span'])
  const most = model.config.positions
  if (said !== undefined)
    number(
      'length',
      said,
      (n) => Number.isInteger(n) && n >= 1 && n <= most,
      `a whole number from 1 to ${most}, the model's positions`,
    )
  if (typeof label === 'number')
    number(
      'label',
      label,
      (c) => Number.isInteger(c) && c >= 0 && c < model.classes,
      `a class in [0, ${model.classes})`,
    )
  else if (label !== undefined) choice('label', label, ['infer', 'joint'], 'a class')
  requireListener('onIteration', onIteration)
  const shared = namedGradients(given)
  const length = said ?? (await lengthOf(model, shared))
  const allowed = await tokensOf(model, shared, length)
  const words = await wordTable(model)
  const spread = rootMeanSquare(words.data)
  const seen = start === 'span' ? await tokensInSpan(model, shared, length, allowed, rest.signal) : undefined
  const problem = await problemOf(model, shared, { length, words, allowed, seen }, spread, label)
  const { [WORDS]: _, ...gradients } = shared
  const leak = await deepLeakageFromGradients(problem.model, gradients, {
    restarts: 1,
    tolerance: TOLERANCE,
    ...rest,
    labels: problem.labels,
    criterion: problem.criterion,
    distance: distance === 'tag' ? tag() : distance,
    // N(0, spread²), afresh for each restart: the middle of this range with a tenth of it as noise
    dataRange: [-5 * spread, 5 * spread],
    // a hidden token is the greatest of numbers behind a soft-max in the model: where one is sure, they move nothing, and it is known
    certainty: model.head !== 'mlm',
    init: seen ? { data: problem.pointOf(seen.map(({ token }) => token)) } : 'gray',
    optimizer: snapping(recover(lbfgs({ lineSearch: 'strong-wolfe', innerIterations: STEPS })), problem.snap),
    onIteration: onIteration && ((event) => onIteration({ ...event, tokens: () => problem.decode(event.data()) })),
  })
  try {
    const { status, relativeLoss, history, evaluations, milliseconds, restart, seed, runtime } = leak
    const data = (await leak.data.data()) as Float32Array
    const decoded = problem.decode(data)
    return {
      ...{ status, relativeLoss, history, evaluations, milliseconds, restart, seed, runtime },
      tokens: decoded.map(({ token }) => token),
      decoded,
      exact: status === 'converged' && problem.snap(data).every((v, i) => Math.fround(v) === data[i]),
      label: model.head === 'mlm' ? undefined : leak.labels[0],
      tokenSet: allowed,
    }
  } finally {
    leak.dispose()
  }
}

async function problemOf(
  model: TextModel,
  shared: NamedGradients,
  sentence: Sentence,
  spread: number,
  label: TextLeakageOptions['label'] = 'infer',
): Promise<Problem> {
  if (model.head === 'mlm')
    return maskedProblem(model, sentence, hiddenTokens(await gradientOf(shared, TOKEN_BIAS)), spread)
  return classifierProblem(model, sentence, label === 'infer' ? { bias: await gradientOf(shared, CLASS_BIAS) } : label)
}

const rootMeanSquare = (values: Values): number =>
  Math.sqrt((values as Float32Array).reduce((sum, v) => sum + v * v, 0) / values.length)
