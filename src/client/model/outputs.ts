import { DlgError } from '../../errors/dlg-error'
import type { Criterion } from './criterion'
import { type Each, inOrder, requireNames } from './each'
import type { LossFunction } from './loss'
import type { ModelOutput } from './model'

/** What an output is compared with its targets by. */
export type AnyCriterion = Criterion | LossFunction

/** One criterion for every output, or one for each; a map may leave out outputs, which then have no loss. */
export type Criteria = AnyCriterion | Each<AnyCriterion>

/** An output with a loss: the training loss is Σ weight · loss over these. */
export interface TrainedOutput extends ModelOutput {
  readonly criterion: AnyCriterion
  readonly weight: number
}

const isOne = (criteria: Criteria): criteria is AnyCriterion =>
  typeof criteria === 'function' || typeof (criteria as Criterion).loss === 'function'

/** The outputs with a loss, in the model's order. @throws DlgError `invalid-option` for a name or number that does not fit */
export function trainedOutputs(
  outputs: readonly ModelOutput[],
  criteria: Criteria,
  lossWeights: Each<number> | undefined,
): TrainedOutput[] {
  const names = outputs.map(({ name }) => name)
  const pairs = isOne(criteria)
    ? outputs.map((output) => ({ output, criterion: criteria }))
    : Array.isArray(criteria)
      ? inOrder<AnyCriterion>('criteria', criteria, names, 'invalid-option').map((criterion, i) => ({
          output: outputs[i],
          criterion,
        }))
      : named(outputs, criteria as { readonly [name: string]: AnyCriterion })
  const weights =
    lossWeights &&
    inOrder(
      'lossWeights',
      lossWeights,
      pairs.map(({ output }) => output.name),
      'invalid-option',
    )
  return pairs.map(({ output, criterion }, i) => ({ ...output, criterion, weight: weights?.[i] ?? 1 }))
}

function named(outputs: readonly ModelOutput[], criteria: { readonly [name: string]: AnyCriterion }) {
  const names = outputs.map(({ name }) => name)
  requireNames('criteria', Object.keys(criteria), names, 'invalid-option')
  if (Object.keys(criteria).length === 0)
    throw new DlgError('invalid-option', `criterion names no output; there are ${names.join(', ')}`)
  return outputs.flatMap((output) =>
    Object.hasOwn(criteria, output.name) ? [{ output, criterion: criteria[output.name] }] : [],
  )
}
