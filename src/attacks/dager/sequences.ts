import { dispose } from '@tensorflow/tfjs-core'
import { namedGradients, type SharedByName } from '../../client/shared/read-gradients'
import { count, hasMethod, knownNames, number, show } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { compare, type Proof, TOLERANCE } from '../../measure/proof'
import { decoderSequences } from './decoder-sequences'
import { encoderSequences } from './encoder-sequences'
import { type Candidate, spanCandidates } from './first-inputs'
import { offset, type Span, spanOf, spanRank } from './span'
import type { Transformer } from './transformer'

/** Options of `exactSequences`. */
export interface SequenceOptions {
  /** How many sequences the gradient averages. Default 1. */
  batchSize?: number
  /** Most of a vector that may lie outside a span, by length. Default 1e-3: rounding leaves 1e-5, one wrong token 5e-3 and more. */
  spanTolerance?: number
  /** Residual up to which a proof holds. Default 1e-4. */
  tolerance?: number
}

/**
 * Directions that must be left outside the span: a layer norm takes one of them, and in fewer than these some token in
 * 10⁶ would be near the span by chance.
 */
const ROOM = 8

/** Sequences out of a shared gradient. */
export interface ExactSequences {
  /**
   * `exact`: as many sequences as asked for, and their gradient is the shared one. `unproven`: what was found does not
   * explain the gradient. `saturated`: about as many tokens as the model is wide; the span is the whole space, and
   * nothing was searched.
   */
  readonly status: 'exact' | 'unproven' | 'saturated'
  /** Token ids; empty where nothing was found. */
  readonly sequences: readonly (readonly number[])[]
  /** Classes, where the loss has them. */
  readonly labels?: readonly number[]
  /** Tokens that the first block's span leaves for each position, over all sequences. */
  readonly candidates: readonly (readonly number[])[]
  /** Dimensions of the first block's span: the number of distinct inputs, when below `hidden`. */
  readonly rank: number
  readonly hidden: number
  readonly proof?: Proof
  readonly milliseconds: number
}

/**
 * The sequences behind a gradient of a transformer, without a search in embedding space (Petrov et al. 2024, DAGER).
 *
 * The gradient of a projection y = W u is Σ_t ∂y_t u_tᵀ, so its rows span the inputs u_t of the block. In the first block
 * u depends on a token and its position alone: testing every token at every position leaves those of the batch. In the
 * second block u depends on the sequence: only right combinations lie in its span. A decoder's sequences grow from the
 * left, an encoder's are put together by descent.
 *
 * @param given gradients by the weights' names: those of the first two blocks' projections, of the position table and of the last layer at least
 * @throws DlgError `invalid-model`, `invalid-option`, `invalid-gradients`
 */
export async function exactSequences(
  transformer: Transformer,
  given: SharedByName,
  options: SequenceOptions = {},
): Promise<ExactSequences> {
  const started = performance.now()
  if (!hasMethod(transformer, 'firstInputs', 'projections', 'positions', 'allowed', 'firstBlock', 'explain'))
    throw new DlgError(
      'invalid-model',
      `the transformer is ${show(transformer)}; it must be what transformerOf of dlg-ts/text makes of a model`,
    )
  knownNames('options', options, ['batchSize', 'spanTolerance', 'tolerance'])
  const { spanTolerance = 1e-3, tolerance = TOLERANCE } = options
  const batchSize = count('batchSize', options.batchSize ?? 1)
  number('spanTolerance', spanTolerance, (v) => v > 0 && v < 1, 'a number in (0, 1)')
  number('tolerance', tolerance, (v) => v > 0 && v < 1, 'a number in (0, 1)')
  const shared = namedGradients(given)
  const { hidden } = transformer
  const projections = await transformer.projections(0, shared)
  const fits =
    Number.isInteger(hidden) && hidden >= 1 && projections.every((p) => p.length >= hidden && p.length % hidden === 0)
  if (!fits)
    throw new DlgError(
      'invalid-model',
      `the transformer's hidden size is ${show(hidden)}; it must be the length of the rows of its projections`,
    )
  const rank = spanRank(projections, hidden)
  const report = (rest: Pick<ExactSequences, 'status' | 'sequences' | 'candidates'> & Partial<ExactSequences>) => ({
    rank,
    hidden,
    ...rest,
    milliseconds: performance.now() - started,
  })
  if (rank > hidden - ROOM) return report({ status: 'saturated', sequences: [], candidates: [] })
  const length = await transformer.positions(shared)
  const allowed = await transformer.allowed(shared, length)
  const first = spanOf(projections, hidden)
  const candidates = spanCandidates(await transformer.firstInputs(), first, length, spanTolerance, allowed)
  const second = spanOf(await transformer.projections(1, shared), hidden)
  const inputs = await combine(transformer, second, candidates, batchSize, spanTolerance)
  const tokens = candidates.map((list) => list.map(({ token }) => token))
  if (inputs.length === 0) return report({ status: 'unproven', sequences: [], candidates: tokens })
  const { gradients, ...explained } = await transformer.explain(inputs, shared)
  try {
    const proof = await compare(gradients, shared, tolerance)
    const exact = proof.proven && inputs.length === batchSize
    return report({ status: exact ? 'exact' : 'unproven', candidates: tokens, proof, ...explained })
  } finally {
    dispose(gradients)
  }
}

/** Sequences of candidates whose second inputs lie in the second span. */
async function combine(
  transformer: Transformer,
  span: Span,
  candidates: readonly (readonly Candidate[])[],
  batchSize: number,
  tolerance: number,
): Promise<number[][]> {
  const list = candidates.flat()
  const starts = candidates.map((_, p) => candidates.slice(0, p).reduce((n, c) => n + c.length, 0))
  const places = candidates.map((c, p) => c.map((_, i) => starts[p] + i))
  if (places[0]?.length === 0 || list.length === 0) return []
  const block = transformer.firstBlock(list)
  const offsets = async (trials: readonly (readonly number[])[], at: number): Promise<Float64Array[]> => {
    const inputs = await block.secondInputs(trials, at)
    return trials.map((_, i) => offset(span, inputs.subarray(i * span.width, (i + 1) * span.width)))
  }
  try {
    const search = transformer.causal ? decoderSequences : encoderSequences
    const found = await search(places, offsets, batchSize, tolerance)
    return found.map((sequence) => sequence.map((i) => list[i].token))
  } finally {
    block.dispose()
  }
}
