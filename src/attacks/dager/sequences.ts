import { type NamedGradients, namedGradients, type SharedByName } from '../../client/shared/read-gradients'
import { hasMethod, knownNames, requireListener, show } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { squaredNorm } from '../../numbers/values'
import { heardBy } from '../contract/listener'
import { CUT, paced, pauses, restBy } from '../contract/pause'
import { adapterSequences } from './adapter-sequences'
import { closest } from './closest'
import { combine, withoutChoice } from './combinations'
import type { FlooredProof, Sharing } from './explained'
import { type Candidate, spanCandidates } from './first-inputs'
import { isCoarse, sharedTensors } from './floor'
import type { Judged } from './grouped'
import { filledUp, type Guess } from './guess'
import { accountFor } from './multiplicity'
import { measured, noisy, weighted } from './noisy-projections'
import { SEQUENCE_OPTIONS, type SequenceOptions, type SequenceProgress, sequenceSettings } from './options'
import { pickedCandidates } from './pursuit'
import { trialsOf } from './rank-trials'
import { ROOM } from './ranks'
import { type Best, guessed, roundedBy, saturation, whyNot } from './reasons'
import { type Projection, type Seen, seenBy } from './seen'
import { renamed, type Transformer } from './transformer'
import { NO_ROUNDING, type UpdateRounding } from './update-rounding'
import { anywhere, isAmbiguous, REPEATS, withoutRepetition } from './without-positions'

/** Sequences out of a shared gradient. */
export interface ExactSequences {
  /**
   * `exact`: the gradient of the sequences is the shared one, up to the precision in which it was shared. `unproven`: what was found does
   * not explain the gradient. `saturated`: about as many tokens as the model is wide, and nothing was searched; or as many as the
   * adapters have directions. `budget` and `aborted`: cut short, with the best so far.
   */
  readonly status: 'exact' | 'unproven' | 'saturated' | 'budget' | 'aborted'
  /** Why it is not `exact`, with the numbers. */
  readonly reason: string | undefined
  /**
   * Token ids; empty where nothing was found. A sequence that occurs twice as often as another is there twice. The gradient is a mean, so
   * a batch and the same batch twice over cannot be told apart: the smaller one is given.
   */
  readonly sequences: readonly (readonly number[])[]
  /**
   * Classes, where the loss has them and what was shared tells them: where `scale` is fitted, a factor of the other sign may explain other
   * classes as well.
   */
  readonly labels?: readonly number[]
  /**
   * What fills the batch of an encoder up where not all of it was found: tokens of the first block's span, put together so that they come
   * closest to the second block's. None of it is proven, and mostly some of it is wrong. Empty where everything was found.
   */
  readonly guesses: readonly (readonly number[])[]
  /** Tokens that the first block's span leaves for each position, over all sequences. */
  readonly candidates: readonly (readonly number[])[]
  /** Dimensions of the first block's span: the number of distinct inputs, when below `hidden`. */
  readonly rank: number
  /** Ratio of the singular values at the rank. */
  readonly gap: number
  /** ‖noise‖ / ‖gradient‖ of the first block's projections, as the directions behind the rank show it: 1e-7 is float32. */
  readonly noise: number
  readonly hidden: number
  /** The factor in what was shared: as stated, or fitted, of either sign where that leaves the classes open. */
  readonly scale: number
  readonly proof?: FlooredProof
  readonly milliseconds: number
}

/** Pairs of ranks that are tried. */
const TRIALS = 6

/**
 * The sequences behind a gradient of a transformer, without a search in embedding space (Petrov et al. 2024, DAGER).
 *
 * The gradient of a projection y = W u is Σ_t ∂y_t u_tᵀ, so its rows span the inputs u_t of the block. In the first block
 * u depends on a token and its position alone: testing every token at every position leaves those of the batch. In the
 * second block u depends on the sequence: only right combinations lie in its span. A decoder's sequences grow from the
 * left, an encoder's are put together by descent.
 *
 * The number of inputs shows at the gap of the singular values. What lies behind it is rounding, noise or pruning, whose size
 * says how far from the span an input may be. Where no gap is clear, several ranks are tried until one is proven.
 *
 * @param given gradients by the weights' names: those of the first two blocks' projections, of the position table and of the last layer at least
 * @throws DlgError `invalid-model`, `invalid-option`, `invalid-gradients`, `aborted` where the signal was aborted before
 */
export async function exactSequences(
  transformer: Transformer,
  given: SharedByName,
  options: SequenceOptions = {},
): Promise<ExactSequences> {
  requireTransformer(transformer)
  knownNames('options', options, SEQUENCE_OPTIONS)
  requireListener('onProgress', options.onProgress)
  return heardBy(options.onProgress, (onProgress) =>
    sequencesBehind(transformer, namedGradients(given), { ...options, onProgress }, NO_ROUNDING),
  )
}

/** @throws DlgError `invalid-model` */
export function requireTransformer(transformer: Transformer): void {
  const needed = ['firstInputs', 'projections', 'positions', 'allowed', 'firstBlock', 'explain', 'share']
  const optional = transformer?.named === undefined ? [] : ['named']
  if (!hasMethod(transformer, ...needed, ...optional))
    throw new DlgError(
      'invalid-model',
      `the transformer is ${show(transformer)}; it must be what transformerOf of dlg-ts/text makes of a model`,
    )
}

/**
 * As {@link exactSequences}, of an update's gradient too.
 *
 * @param rounding what storing weights took of the gradient
 */
export async function sequencesBehind(
  transformer: Transformer,
  given: NamedGradients,
  options: SequenceOptions,
  rounding: UpdateRounding,
): Promise<ExactSequences> {
  const shared = renamed(transformer, given)
  const started = performance.now()
  const settings = sequenceSettings(options)
  const { signal, onProgress, tolerance, spanTolerance, scale, budget } = settings
  const { hidden } = transformer
  const isLate = () => budget !== undefined && performance.now() - started >= budget
  const pause = pauses(() => !signal?.aborted && !isLate())
  const tell = (step: SequenceProgress['step'], sequences = 0) => onProgress?.({ step, sequences })
  const projections = [await transformer.projections(0, shared), await transformer.projections(1, shared)]
  requireWidth(hidden, projections.flat())
  const best: Best = { candidates: [], found: [] }
  let first: Seen | undefined
  const report = (status: ExactSequences['status'], reason?: string): ExactSequences => {
    const { accounted, candidates, found } = best
    // what explains no more than unrelated numbers do was found in noise
    const speaks = !accounted?.proof.unrelated
    const sequences = speaks ? (accounted?.sequences ?? found) : []
    const guesses = status !== 'exact' && best.guess ? filledUp(sequences, best.guess) : []
    const norms = projections[0].map(({ values }) => squaredNorm([values]))
    const noise = first ? weighted(first.noise, norms) : 0
    return {
      ...{ status, reason: reason && `${reason}${guessed(guesses)}`, sequences, guesses, candidates },
      ...(speaks && accounted?.labels && { labels: accounted.labels }),
      ...(accounted && { proof: accounted.proof }),
      ...{ rank: first ? (first.ranks.likely[0] ?? rankOfFull(first.spectrum)) : 0, gap: first?.ranks.gap ?? 0, noise },
      ...{ hidden, scale: accounted?.factor ?? (scale === 'auto' ? 1 : scale) },
      milliseconds: performance.now() - started,
    }
  }
  let hasPositions = true
  const proven = (): ExactSequences =>
    hasPositions || !isAmbiguous(best.accounted!.sequences)
      ? report('exact')
      : report(
          'unproven',
          'the gradient of the sequences found is the shared one; but one of them reads a single token several times, and without positions other sequences have that gradient too',
        )
  try {
    tell('spans')
    if (projections[0].length === 0)
      return report(
        'unproven',
        "nothing that was shared reads the first block's inputs: no adapter of its query, key or value is among it",
      )
    if (projections[0].every(({ values }) => values.every((v) => v === 0)))
      return report(
        'unproven',
        'the gradients of the first block’s projections are zero: they say nothing of its inputs',
      )
    const look = restBy(pause)
    first = await paced(seenBy(projections[0], hidden), pause)
    if (first.ranks.full) return report('saturated', saturation(first.ranks, hidden))
    const second = projections[1].length > 0 ? await paced(seenBy(projections[1], hidden), pause) : undefined
    const tensors = await sharedTensors(shared, settings.precision, (name) => rounding.byName.get(name))
    await look()
    const sharing: Sharing = {
      ...{ tensors, tolerance, rounding: rounding.part },
      projections: [...noisy(projections[0], first, 0), ...noisy(projections[1], second, 1)],
    }
    const length = await transformer.positions(shared)
    await look()
    const inputs = await transformer.firstInputs()
    await look()
    const block = await transformer.blockNumbers?.(shared)
    await look()
    hasPositions = inputs.positions !== undefined
    const allowed = await transformer.allowed(shared, length)
    await look()
    const judge = async (
      found: readonly (readonly number[])[],
      once = false,
      held = sharing,
    ): Promise<Judged | undefined> => {
      if (found.length === 0) return undefined
      tell('proof', found.length)
      const accounted = await accountFor(transformer, found, shared, held, scale, pause, once)
      if (accounted && (!best.accounted || accounted.proof.proven || isCloser(accounted.proof, best.accounted.proof)))
        best.accounted = accounted
      return accounted?.proof
    }
    const prove = async (found: readonly (readonly number[])[]) => (await judge(found))?.proven ?? false
    const read = { projections: projections[0], inputs, allowed, block }
    /** Whether the tokens of adapters, picked one by one, are proven. */
    const picked = async (): Promise<boolean> => {
      tell('candidates')
      return adapterSequences(
        ...([transformer, read] as const),
        { stored: tensors.find(({ stored }) => isCoarse(stored))?.stored, isUpdate: rounding.part > 0 },
        ...([length, settings.batchSize] as const),
        (found, once, noise) => judge(found, once, { ...sharing, projections: measured(projections, second, noise) }),
        (candidates) => {
          if (!best.accounted) best.candidates = candidates
          tell('sequences')
        },
        pause,
      )
    }
    const ofAdapters = first.limit !== undefined
    if (ofAdapters && !first.ranks.clear && (await picked())) return proven()
    const tried = new Set<string>()
    /** Whether sequences of these candidates are proven, with so many inputs of the second block. */
    const tryWith = async (candidates: Candidate[][], one: number, two: number | undefined, likeliestAlone = false) => {
      // a wrong rank leaves no token
      if (candidates.length === 0) return false
      const tokens = candidates.map((list) => list.map(({ token }) => token))
      // another rank of the first block that leaves the same tokens is no other trial
      const trial = `${two}: ${tokens.map((list) => [...list].sort()).join(' ')}`
      if (tried.has(trial)) return false
      tried.add(trial)
      if (!best.accounted) best.candidates = tokens
      const keep = (found: readonly (readonly number[])[], guess?: Guess) => {
        if (!best.accounted) best.found = found
        // where no gap is clear, noise may have put any token near the span
        if (first!.ranks.clear) best.guess = guess
        tell('sequences', found.length)
      }
      const found =
        second && two !== undefined
          ? await combine(
              transformer,
              second.span(two),
              hasPositions ? candidates : anywhere(candidates, Math.min(length, two + REPEATS - 1)),
              hasPositions,
              settings,
              pause,
              keep,
              async (some, once) => (first!.ranks.clear && inputsOf(some) < one ? undefined : judge(some, once)),
              ...([read, one, likeliestAlone] as const),
            )
          : withoutChoice(tokens)
      if (found !== 'proven' && !(await prove(hasPositions ? found : withoutRepetition(found)))) return false
      best.candidates = tokens
      return true
    }
    if (transformer.causal && !ofAdapters && !first.ranks.clear && hasPositions) {
      tell('candidates')
      const picked = await paced(pickedCandidates(inputs, first, length, allowed), pause)
      for (const [i, candidates] of picked.entries()) {
        const count = candidates.flat().length
        if (count < hidden - ROOM && (await tryWith(candidates, count, count, i + 1 < picked.length))) return proven()
      }
    }
    /** Candidates by the rank of the first block. */
    const byRank = new Map<number, Candidate[][]>()
    for (const [one, two] of trialsOf(first, second, hidden)) {
      if (tried.size === TRIALS || best.accounted?.otherwise !== undefined) break
      tell('candidates')
      const candidates =
        byRank.get(one) ??
        closest(await paced(spanCandidates(inputs, first.span(one), length, spanTolerance, allowed), pause))
      byRank.set(one, candidates)
      if (await tryWith(candidates, one, two)) return proven()
    }
    // rounding or pruning may have made the gap
    if (ofAdapters && first.ranks.clear && (await picked())) return proven()
    const rounded = roundedBy(tensors, rounding.part)
    const why = whyNot(best, first, rounded)
    if (!first.limit || first.ranks.clear) return report('unproven', why)
    return report(first.flat || rounded ? 'unproven' : 'saturated', `${why}; ${first.limit}`)
  } catch (cut) {
    if (cut !== CUT) throw cut
    if (best.accounted?.proof.proven) return proven()
    const late = signal?.aborted ? 'aborted' : 'budget'
    return report(late, late === 'budget' ? `the budget of ${budget} ms is used up` : 'the search was aborted')
  }
}

/** What has something in common with the gradient is closer than what has not, whatever a factor nobody stated does to the residual. */
const isCloser = (one: FlooredProof, other: FlooredProof): boolean =>
  one.unrelated === other.unrelated ? one.residual < other.residual : other.unrelated

/** Different inputs that the first block reads of sequences with positions: no more than the rank of all of them. */
const inputsOf = (sequences: readonly (readonly number[])[]): number =>
  new Set(sequences.flatMap((sequence) => sequence.map((token, at) => `${token} ${at}`))).size

/** Dimensions of a span that has no room. */
const rankOfFull = ({ values }: Seen['spectrum']): number => values.filter((v) => v > 1e-11 * values[0]).length

/** @throws DlgError `invalid-model` */
function requireWidth(hidden: number, projections: readonly Projection[]): void {
  const fits =
    Number.isInteger(hidden) &&
    hidden >= 1 &&
    projections.every(({ values: { length }, through }) => {
      const row = through ? through.data.length / through.width : hidden
      return length >= row && length % row === 0
    })
  if (!fits)
    throw new DlgError(
      'invalid-model',
      `the transformer's hidden size is ${show(hidden)}; it must be the length of the rows of its projections`,
    )
}
