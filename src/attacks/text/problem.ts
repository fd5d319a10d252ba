import type { Criterion } from '../../client/model/criterion'
import type { FunctionalModel } from '../../client/model/model'
import type { TextModel } from '../../models/text-model'
import type { Values } from '../../runtime/runtime'
import { infer } from '../labels/infer'
import { joint, known, type LabelStrategy } from '../labels/strategy'
import type { DecodedToken, Table } from '../tokens/token-set'
import { choicesOf, maskedLoss } from './masked-attack'
import { lossOfModel } from './masking'
import { nearestTokens } from './tokens'

/** A search for a sentence: its model and loss, and how a point of the search is read as tokens. */
export interface Problem {
  readonly model: FunctionalModel
  readonly labels: LabelStrategy
  readonly criterion?: Criterion
  /** The sentence at a point. */
  decode(data: Values): DecodedToken[]
  /** Reads a point as a sentence, and gives the point that is exactly this sentence. */
  snap(data: Values): Float64Array
  /** The point of the tokens a model sees. */
  pointOf(tokens: readonly number[]): Float64Array
}

/** A sentence as the search needs it. */
export interface Sentence {
  readonly length: number
  readonly words: Table
  /** Tokens it may consist of; undefined: any. */
  readonly allowed: readonly number[] | undefined
  /** Tokens that the model saw, where they are known before the search. */
  readonly seen?: readonly DecodedToken[]
}

/** A score that leaves a soft-max no doubt in float32. */
const CERTAIN = 30

/** Writes a token's row of the table into a point. */
function place({ data, width }: Table, token: number, point: Float64Array, at: number): void {
  point.set(data.subarray(token * width, (token + 1) * width), at)
}

/** Unknown are the embeddings, [1, tokens, hidden], and the label if it is `joint`. */
export function classifierProblem(
  model: TextModel,
  { length, words, allowed }: Sentence,
  label: 'joint' | number | { readonly bias: Values },
): Problem {
  const { width } = words
  const decode = (data: Values) => nearestTokens({ data: data.subarray(0, length * width), width }, words, allowed)
  const fill = (point: Float64Array, seen: readonly number[]) => {
    seen.forEach((token, t) => {
      place(words, token, point, t * width)
    })
    return point
  }
  return {
    model: model.overEmbeddings(length),
    labels:
      typeof label === 'object'
        ? { name: 'infer', decide: (context) => infer().decide({ ...context, head: label }) }
        : label === 'joint'
          ? joint()
          : known([label]),
    decode,
    snap: (data) =>
      fill(
        Float64Array.from(data),
        decode(data).map(({ token }) => token),
      ),
    pointOf: (seen) => fill(new Float64Array(length * width), seen),
  }
}

/**
 * Unknown are the embeddings and, beside each, which of the `candidates` its position hides: [1, tokens, hidden +
 * candidates + 1].
 */
export function maskedProblem(
  model: TextModel,
  { length, words, allowed, seen }: Sentence,
  candidates: readonly number[],
  spread: number,
): Problem {
  const { width: hidden } = words
  // what the model saw is not searched once it is known: embeddings would drift while the search finds what is hidden
  const before = seen ? 0 : hidden
  const width = before + candidates.length + 1
  const tokensIn = (found: readonly DecodedToken[]) => found.map(({ token }) => token)
  const seenIn = (data: Values): readonly DecodedToken[] => {
    if (seen) return seen
    const embedded = new Float64Array(length * hidden)
    for (let t = 0; t < length; t++) embedded.set(data.subarray(t * width, t * width + hidden), t * hidden)
    return nearestTokens({ data: embedded, width: hidden }, words, allowed)
  }
  const pointOf = (tokens: readonly number[]) => {
    const point = new Float64Array(length * width)
    if (!seen)
      tokens.forEach((token, t) => {
        place(words, token, point, t * width)
      })
    return point
  }
  return {
    model: maskedLoss(model, length, candidates, spread, seen && tokensIn(seen)),
    labels: { name: 'in the model', decide: () => ({ kind: 'targets', targets: Float32Array.of(1) }) },
    criterion: lossOfModel(),
    pointOf,
    decode(data) {
      const hides = choicesOf(data, length, before, candidates)
      return seenIn(data).map((found, t) => ({ ...found, token: hides[t] ?? found.token }))
    },
    snap(data) {
      const point = pointOf(tokensIn(seenIn(data)))
      choicesOf(data, length, before, candidates).forEach((hides, t) => {
        const choice = hides === undefined ? candidates.length : candidates.indexOf(hides)
        point[t * width + before + choice] = CERTAIN * spread
      })
      return point
    },
  }
}
