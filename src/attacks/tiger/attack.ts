import { dispose } from '@tensorflow/tfjs-core'
import { hasMethod, knownNames, number, show } from '../../errors/checks'
import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import { type Random, random } from '../../numbers/random'
import { type Attack, outcome, SEED } from '../contract/attack'
import { CUT, pauses, restBy } from '../contract/pause'
import { sharedByName } from '../dager/attack'
import { sharedTensors } from '../dager/floor'
import { type Accounted, accountFor } from '../dager/multiplicity'
import { noisy } from '../dager/noisy-projections'
import { unlike } from '../dager/second-inputs'
import { renamed, type Transformer } from '../dager/transformer'
import { roundingOf } from '../dager/update-rounding'
import { grownChains } from './chains'
import { type Descended, descend } from './descent'
import { projectionsOf } from './given-projections'
import { type Chain, type Scorer, scorerOf } from './objective'
import { type Problem, problemOf } from './problem'

/** Options of TIGER. */
export interface TigerOptions {
  /** The transformer behind the model, as `transformerOf` of dlg-ts/text makes it. */
  readonly transformer?: Transformer
  /** Steps of Adam. Default 40 for a decoder, whose beginnings are grown, and 200 for an encoder. */
  readonly steps?: number
  /** Sequences that are searched at a time, for each of the batch. Default 6 for an encoder; a decoder begins with its first tokens. */
  readonly starts?: number
}

/** Residual up to which a proof holds where nothing else is known. */
const TOLERANCE = 1e-4

/** Steps of Adam where the caller does not say. */
const STEPS = { decoder: 40, encoder: 200 }

/** Sequences that an encoder begins with, for each of the batch. */
const STARTS = 6

/**
 * Token sequences of a transformer behind noise that the exact test does not stand: the distance of both blocks' inputs to their
 * spans, minimised over embeddings.
 */
export const tiger: Attack<TigerOptions> = {
  name: 'tiger',
  source: 'Kalikman et al. 2026, TIGER: Inverting Transformer Gradients via Embedding-Subspace Distance Optimization',
  leaks: 'tokens',
  needs: {
    sees: "the gradients of the first two blocks' projections; those of the tables and of the last layer help",
    batch: 'known; fewer tokens in all than the model is wide',
    model: 'a transformer of two blocks at least',
    labels: 'none',
    threatModel: 'B',
  },
  async refuses(target, options) {
    const { transformer } = settingsOf(options)
    if (transformer === undefined)
      return 'no transformer was given: options.transformer says where its blocks and tables are'
    if (!hasMethod(transformer, 'inputs'))
      return `the blocks of '${transformer.name}' cannot be entered with mixtures of tokens, which this attack moves; dager needs none`
    const shared = renamed(transformer, sharedByName(target))
    return (await projectionsOf(transformer, 0, shared)).some(({ values }) => values.some((v) => v !== 0))
      ? undefined
      : "nothing that was shared reads the first block's inputs, or its gradient is zero"
  },
  async run(target, options, control) {
    const started = performance.now()
    const { transformer, steps, starts } = settingsOf(options)
    const { batchSize, precision, scale, runtime } = target.settings
    const { seed = SEED, budget, signal, onProgress } = control
    let evaluations = 0
    let objective = Number.NaN
    const isLate = () =>
      (budget?.milliseconds !== undefined && performance.now() - started >= budget.milliseconds) ||
      (budget?.evaluations !== undefined && evaluations >= budget.evaluations)
    const pause = pauses(() => !signal?.aborted && !isLate())
    const shared = renamed(transformer!, sharedByName(target))
    const projections = [
      await projectionsOf(transformer!, 0, shared),
      await projectionsOf(transformer!, 1, shared),
    ] as const
    let problem: Problem | undefined
    let scorer: Scorer | undefined
    let found: number[][] = []
    let accounted: Accounted | undefined
    const evaluated = (value: number) => {
      evaluations++
      objective = value
      onProgress?.({ attack: 'tiger', words: `step ${evaluations}: distance ${value.toPrecision(3)}`, evaluations })
    }
    const end = (status: 'proven' | 'partial' | 'failed' | 'cut', reason: string) => {
      const { proof } = accounted ?? {}
      const { sequences, labels } = accounted?.proof.proven ? accounted : { sequences: found, labels: undefined }
      return outcome('tiger', started, control, {
        ...{ status, reason },
        found: { ...(sequences.length > 0 && { sequences }), ...(labels && { labels }) },
        evidence: {
          ...(problem && { rank: problem.seen[0].ranks.likely[0] ?? transformer!.hidden }),
          ...(proof && { residual: proof.residual, floor: proof.floor }),
        },
        work: { evaluations },
      })
    }
    try {
      problem = await problemOf(transformer!, shared, projections, pause)
      scorer = await scorerOf(problem, runtime)
      const from = random(seed, 0x74696765)
      const { grown, limit } = transformer!.causal
        ? await grownChains(problem, scorer, batchSize, pause)
        : { grown: randomChains(problem, starts * batchSize, from).map((chain) => ({ chain })), limit: 0 }
      const chains = grown.map(({ chain }) => chain)
      const tokens = (list: readonly Chain[]) => list.map((chain) => chain.map((k, p) => problem!.choices[p][k].token))
      found = tokens(chains.slice(0, batchSize))
      const ends = await descend(
        problem,
        scorer,
        chains,
        limit,
        steps(transformer!.causal),
        runtime,
        from,
        pause,
        evaluated,
      )
      found = tokens(likeliest(problem, ends, batchSize))
      const rounding = roundingOf(target, transformer!)
      const tensors = await sharedTensors(shared, precision, (name) => rounding.byName.get(name))
      const sharing = {
        ...{ tensors, tolerance: TOLERANCE, rounding: rounding.part },
        projections: [...noisy(projections[0], problem.seen[0], 0), ...noisy(projections[1], problem.seen[1], 1)],
      }
      accounted = await accountFor(transformer!, found, shared, sharing, scale === 'auto' ? 'auto' : 1, pause)
      const proof = accounted?.proof
      if (!proof?.proven && found.length > 0) {
        const { gradients, sequences } = await transformer!.explain(found, shared, restBy(pause))
        dispose(gradients)
        found = sequences
      }
      const words = `${proof?.proven ? countOf(found.length, 'sequence re-creates', 'sequences re-create') : countOf(found.length, 'sequence does not re-create', 'sequences do not re-create')} what was shared: they differ by ${proof?.residual.toExponential(1)}, its floor is ${proof?.floor.toExponential(1)} (${proof?.from}); the distance to the spans is ${objective.toPrecision(2)}`
      if (proof?.unrelated) {
        found = []
        return end('failed', `the gradient of what was found has no more in common with the shared one than unrelated numbers have; the distance to the spans is ${objective.toPrecision(2)}`) // biome-ignore format: one line
      }
      return end(proof?.proven ? 'proven' : found.length > 0 ? 'partial' : 'failed', words)
    } catch (cut) {
      if (cut !== CUT) throw cut
      return end('cut', signal?.aborted ? 'the search was aborted' : 'the budget is used up')
    } finally {
      scorer?.dispose()
      problem?.dispose()
    }
  },
}

/** Sequences of the shortlist's tokens, drawn at random. */
const randomChains = ({ choices }: Problem, count: number, { uniform }: Random): Chain[] =>
  Array.from({ length: count }, () => choices.map((list) => Math.floor(uniform() * list.length)))

/** The sequences of the least distance that have little in common. */
function likeliest({ choices }: Problem, ends: readonly Descended[], count: number): Chain[] {
  const places = choices.map((list) => list.map((_, k) => k))
  return unlike(
    ends.map(({ chain }) => chain),
    ends.map(({ score }) => score),
    places,
  ).slice(0, count)
}

/** @throws DlgError `invalid-option` */
function settingsOf(options: TigerOptions) {
  knownNames('options', options, ['transformer', 'steps', 'starts'])
  const { transformer, steps, starts = STARTS } = options
  const isCount = (n: number): boolean => Number.isInteger(n) && n >= 1
  if (steps !== undefined) number('steps', steps, isCount, 'a whole number of at least 1')
  number('starts', starts, isCount, 'a whole number of at least 1')
  if (transformer !== undefined && !hasMethod(transformer, 'firstInputs', 'projections', 'explain'))
    throw new DlgError(
      'invalid-option',
      `transformer is ${show(transformer)}; it must be what transformerOf of dlg-ts/text makes of a model`,
    )
  const stepsOf = (causal: boolean): number => steps ?? (causal ? STEPS.decoder : STEPS.encoder)
  return { transformer, starts, steps: stepsOf }
}
