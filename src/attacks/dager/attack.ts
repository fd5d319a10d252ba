import type { NamedGradients } from '../../client/shared/read-gradients'
import type { Target } from '../../client/target'
import { knownNames } from '../../errors/checks'
import { countOf } from '../../errors/counted'
import { type Attack, type OutcomeStatus, outcome } from '../contract/attack'
import { checkTolerances, type SequenceOptions } from './options'
import { type ExactSequences, requireTransformer, sequencesBehind } from './sequences'
import type { Transformer } from './transformer'
import { roundingOf } from './update-rounding'

/** Options of DAGER. */
export interface DagerOptions extends Pick<SequenceOptions, 'spanTolerance' | 'tolerance'> {
  /** The transformer behind the model, as `transformerOf` of dlg-ts/text makes it. */
  readonly transformer?: Transformer
}

/** A status in the words of all attacks, where something was found and where nothing was. */
const STATUS: Readonly<Record<ExactSequences['status'], readonly [found: OutcomeStatus, nothing: OutcomeStatus]>> = {
  exact: ['proven', 'failed'],
  unproven: ['partial', 'failed'],
  saturated: ['partial', 'failed'],
  budget: ['cut', 'cut'],
  aborted: ['cut', 'cut'],
}

/** How the attack ended. A guess is nothing that was found: alone it leaves the attack failed. */
export const statusOf = ({
  status,
  sequences,
}: Pick<ExactSequences, 'status' | 'sequences' | 'guesses'>): OutcomeStatus =>
  STATUS[status][sequences.length > 0 ? 0 : 1]

/** Token sequences of a transformer, exactly; `exactSequences` is its own door. */
export const dager: Attack<DagerOptions> = {
  name: 'dager',
  source: 'Petrov et al. 2024, DAGER: Exact Gradient Inversion for Large Language Models',
  leaks: 'tokens',
  needs: {
    sees: "the gradients of the first two blocks' projections, of the position table and of the last layer",
    batch: 'fewer tokens in all than the model is wide',
    model: 'a transformer of two blocks at least',
    labels: 'none',
    threatModel: 'B',
  },
  check({ transformer, ...options }) {
    knownNames('options', options, ['spanTolerance', 'tolerance'])
    if (transformer !== undefined) requireTransformer(transformer)
    checkTolerances(options)
  },
  async refuses(_, { transformer }) {
    return transformer === undefined
      ? 'no transformer was given: options.transformer says where its blocks and tables are'
      : undefined
  },
  async run(target, { transformer, ...options }, control) {
    const started = performance.now()
    const { batchSize, scale, precision } = target.settings
    const { budget, signal, onProgress } = control
    const result = await sequencesBehind(
      transformer!,
      sharedByName(target),
      {
        ...options,
        ...{ batchSize, precision, budget, signal },
        // a factor that is known was taken out
        scale: scale === 'auto' ? 'auto' : 1,
        onProgress:
          onProgress &&
          (({ step, sequences }) =>
            onProgress({ attack: 'dager', words: `${step}: ${countOf(sequences, 'sequence')} so far` })),
      },
      roundingOf(target, transformer!),
    )
    const { reason, labels, rank, proof } = result
    const sequences = [...result.sequences, ...result.guesses]
    return outcome('dager', started, control, {
      status: statusOf(result),
      reason:
        reason ??
        `${countOf(sequences.length, 'sequence re-creates', 'sequences re-create')} what was shared up to ${proof!.residual.toExponential(1)}, its floor is ${proof!.floor.toExponential(1)} (${proof!.from})`,
      found: { ...(sequences.length > 0 && { sequences }), ...(result.sequences.length > 0 && labels && { labels }) },
      evidence: { rank, ...(proof && { residual: proof.residual, floor: proof.floor }) },
    })
  },
}

/** What was shared by the weights' names, as plain tensors. */
export const sharedByName = ({ trained, gradients }: Target): NamedGradients =>
  Object.fromEntries(trained.map(({ name, shape }, i) => [name, { shape, data: gradients[i] }]))
