import type { NamedGradients } from '../../client/shared/read-gradients'
import type { Target } from '../../client/target'
import { type Attack, outcome } from '../contract/attack'
import { exactSequences, type SequenceOptions } from './sequences'
import type { Transformer } from './transformer'

/** Options of DAGER. */
export interface DagerOptions extends Omit<SequenceOptions, 'batchSize'> {
  /** The transformer behind the model, as `transformerOf` of dlg-ts/text makes it. */
  readonly transformer?: Transformer
}

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
  },
  async refuses(_, { transformer }) {
    return transformer === undefined
      ? 'no transformer was given: options.transformer says where its blocks and tables are'
      : undefined
  },
  async run(target, { transformer, ...options }, control) {
    const started = performance.now()
    const { batchSize } = target.settings
    const { status, sequences, labels, rank, hidden, proof } = await exactSequences(transformer!, named(target), {
      ...options,
      batchSize,
    })
    const found = sequences.length > 0
    return outcome('dager', started, control, {
      status: status === 'exact' ? 'proven' : found ? 'partial' : 'failed',
      reason:
        status === 'exact'
          ? `${sequences.length} sequences re-create what was shared up to ${proof!.residual.toExponential(1)}`
          : status === 'saturated'
            ? `the first block's span has ${rank} of ${hidden} dimensions: it leaves nothing to tell tokens apart by`
            : `${sequences.length} sequences were found${proof ? `, and their gradient differs by ${proof.residual.toExponential(1)}` : ''}: nothing proves them`,
      found: { ...(found && { sequences }), ...(found && labels && { labels }) },
      evidence: { rank, ...(proof && { residual: proof.residual }) },
    })
  },
}

/** What was shared by the weights' names, as plain tensors. */
const named = ({ trained, gradients }: Target): NamedGradients =>
  Object.fromEntries(trained.map(({ name, shape }, i) => [name, { shape, data: gradients[i] }]))
