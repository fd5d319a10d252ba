import { Tensor } from '@tensorflow/tfjs-core'
import { DlgError } from '../errors'
import { infer, joint, known, type LabelStrategy } from '../labels'
import { deepLeakageFromGradients, type Leakage } from '../leakage'
import type { FunctionalModel } from '../model/model'
import { lbfgs, recover } from '../optim'
import type { IterationEvent, LeakageOptions } from '../options'
import type { Values } from '../runtime/runtime'
import type { PlainTensor } from '../shared-gradients'
import { balanced, tag } from './distance'
import { choicesOf, hiddenTokens, maskedLoss } from './masked-attack'
import { lossOfModel } from './masking'
import { CLASS_BIAS, POSITIONS, TOKEN_BIAS, WORDS } from './shapes'
import { snapping } from './snapping'
import type { TextModel } from './text-model'
import { type DecodedToken, nearestTokens, sequenceLength, type Table, tokenSet } from './tokens'

/** Gradients by the weights' Hugging Face names; that of the word-embedding table may be among them. */
export type TextGradients = { readonly [name: string]: Tensor | PlainTensor }

type Inherited = 'runtime' | 'iterations' | 'restarts' | 'seed' | 'tolerance' | 'budget' | 'signal'

export interface TextLeakageOptions extends Pick<LeakageOptions, Inherited> {
  /** Of a classifier: `infer` from the gradient of its bias (default), `joint`, or the class. */
  label?: 'infer' | 'joint' | number
  /** Default `balanced`. */
  distance?: 'balanced' | 'tag' | NonNullable<LeakageOptions['distance']>
  /** How many tokens the sentence has. Default: as many as the position table's gradient shows. */
  length?: number
  onIteration?: (event: TextIterationEvent) => void
}

/** An iteration of a search begins; iterations are of ten steps. */
export interface TextIterationEvent extends Omit<IterationEvent, 'data'> {
  /** The sentence at the best point so far. */
  tokens(): DecodedToken[]
}

/** A sentence out of a shared gradient. */
export interface TextLeakage
  extends Pick<Leakage, 'status' | 'relativeLoss' | 'history' | 'evaluations' | 'milliseconds' | 'restart' | 'runtime'> {
  /** The first and the last token of a sentence are among them; hidden tokens of a masked LM are filled in. */
  readonly tokens: number[]
  /** How sure each one is. */
  readonly decoded: DecodedToken[]
  /** Whether the gradient of exactly these tokens is the shared one, to the tolerance: then nothing is left to doubt. */
  readonly exact: boolean
  /** Of a classifier. */
  readonly label?: number
  /** Tokens that the gradient of the embedding table gives away by itself, when that was shared. */
  readonly tokenSet?: number[]
}

/** Steps of an iteration. */
export const STEPS = 10

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
  shared: TextGradients,
  options: TextLeakageOptions = {},
): Promise<TextLeakage> {
  const { label = 'infer', distance = 'balanced', length, onIteration, ...rest } = options
  const { [WORDS]: ofWords, ...gradients } = shared
  const { hidden } = model.config
  const words: Table = { data: (await model.words.data()) as Float32Array, width: hidden }
  const tokens = length ?? sequenceLength({ data: await gradientOf(shared, POSITIONS), width: hidden })
  const set = ofWords && model.head !== 'mlm' ? tokenSet({ data: await numbers(ofWords), width: hidden }) : undefined
  const spread = rootMeanSquare(words.data)
  const problem =
    model.head === 'mlm'
      ? await maskedProblem(model, shared, tokens, words, spread)
      : await classifierProblem(model, shared, tokens, words, label, set)
  const leak = await deepLeakageFromGradients(problem.model, gradients, {
    restarts: 1,
    ...rest,
    labels: problem.labels,
    criterion: problem.criterion,
    distance: distance === 'balanced' ? balanced() : distance === 'tag' ? tag() : distance,
    // N(0, spread²), afresh for each restart: the middle of this range with a tenth of it as noise
    dataRange: [-5 * spread, 5 * spread],
    init: 'gray',
    optimizer: snapping(recover(lbfgs({ lineSearch: 'strong-wolfe', innerIterations: STEPS })), problem.snap),
    onIteration: onIteration && ((event) => onIteration({ ...event, tokens: () => problem.decode(event.data()) })),
  })
  try {
    const data = Float64Array.from(await leak.data.data())
    const snapped = problem.snap(data)
    const decoded = problem.decode(data)
    const { status, relativeLoss, history, evaluations, milliseconds, restart, runtime } = leak
    return {
      ...{ status, relativeLoss, history, evaluations, milliseconds, restart, runtime },
      tokens: decoded.map(({ token }) => token),
      decoded,
      exact: status === 'converged' && snapped.slice(0, tokens * hidden).every((v, i) => Math.fround(v) === data[i]),
      label: model.head === 'mlm' ? undefined : leak.labels[0],
      tokenSet: set,
    }
  } finally {
    leak.dispose()
  }
}

/** What is searched, and how a point of the search reads. */
interface Problem {
  readonly model: FunctionalModel
  readonly labels: LabelStrategy
  readonly criterion?: ReturnType<typeof lossOfModel>
  decode(data: Values): DecodedToken[]
  /** The point of the sentence a point reads as. */
  snap(point: Float64Array): Float64Array
}

async function classifierProblem(
  model: TextModel,
  shared: TextGradients,
  tokens: number,
  words: Table,
  label: NonNullable<TextLeakageOptions['label']>,
  allowed: readonly number[] | undefined,
): Promise<Problem> {
  const decode = (data: Values) => nearestTokens({ data, width: words.width }, words, allowed)
  const bias = label === 'infer' ? await gradientOf(shared, CLASS_BIAS) : undefined
  return {
    model: model.overEmbeddings(tokens),
    labels: bias
      ? { name: 'infer', decide: (context) => infer().decide({ ...context, head: { bias } }) }
      : label === 'joint'
        ? joint()
        : known([label as number]),
    decode,
    snap: (point) => {
      const out = point.slice()
      const size = tokens * words.width
      decode(point.subarray(0, size)).forEach(({ token }, t) => {
        out.set(words.data.subarray(token * words.width, (token + 1) * words.width), t * words.width)
      })
      return out
    },
  }
}

async function maskedProblem(
  model: TextModel,
  shared: TextGradients,
  tokens: number,
  words: Table,
  spread: number,
): Promise<Problem> {
  const candidates = hiddenTokens(await gradientOf(shared, TOKEN_BIAS))
  const { width: hidden } = words
  const width = hidden + candidates.length + 1
  const read = (data: Values) => {
    const embedded = new Float64Array(tokens * hidden)
    for (let t = 0; t < tokens; t++) embedded.set(data.subarray(t * width, t * width + hidden), t * hidden)
    return { seen: nearestTokens({ data: embedded, width: hidden }, words), hides: choicesOf(data, tokens, hidden, candidates) }
  }
  return {
    model: maskedLoss(model, tokens, candidates, spread),
    labels: { name: 'in the model', decide: () => ({ kind: 'targets', targets: Float32Array.of(1) }) },
    criterion: lossOfModel(),
    decode: (data) => {
      const { seen, hides } = read(data)
      return seen.map((found, t) => (hides[t] === undefined ? found : { ...found, token: hides[t] }))
    },
    snap: (point) => {
      const { seen, hides } = read(point)
      const out = new Float64Array(point.length)
      seen.forEach(({ token }, t) => {
        out.set(words.data.subarray(token * hidden, (token + 1) * hidden), t * width)
        const choice = hides[t] === undefined ? candidates.length : candidates.indexOf(hides[t])
        out[t * width + hidden + choice] = CERTAIN * spread
      })
      return out
    },
  }
}

/** A score that leaves a soft-max no doubt in float32. */
const CERTAIN = 30

async function gradientOf(shared: TextGradients, name: string): Promise<Values> {
  if (Object.hasOwn(shared, name)) return numbers(shared[name])
  throw new DlgError('invalid-gradients', `there is no gradient of '${name}', which is needed here`)
}

const numbers = async (tensor: Tensor | PlainTensor): Promise<Values> =>
  tensor instanceof Tensor ? ((await tensor.data()) as Float32Array) : Float64Array.from(tensor.data)

const rootMeanSquare = (values: Values): number =>
  Math.sqrt((values as Float32Array).reduce((sum, v) => sum + v * v, 0) / values.length)
