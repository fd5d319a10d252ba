import type { TargetKind } from '../../../client/model/criterion'
import type { TrainedOutput } from '../../../client/model/outputs'
import type { Target } from '../../../client/target'
import { targetKind, targetRows } from '../../../client/target-values'
import { DlgError } from '../../../errors/dlg-error'
import * as g from '../../../graph'
import type { Values } from '../../../runtime/runtime'
import type { LabelInference } from '../../labels'
import { decideLabels } from '../../labels/decide'
import type { ReadChoice } from './label-choices'
import { searchedTargets } from './searched-targets'

/** What the attacked loss compares an output with: unknowns of the search, or values known before it. */
export interface Targets {
  readonly output: TrainedOutput
  readonly kind: TargetKind
  /** Of the shape of the output. */
  readonly node: g.Node
  /** What is searched, when the targets are unknown. */
  readonly input?: g.Node<'input'>
  /** What is bound, when they are known. */
  readonly bound?: readonly [parameter: string, values: Float32Array]
  /** How they were inferred, where they were. */
  readonly inferred?: LabelInference
  /** The targets at a point; of unknown ones from their part of it. */
  read(part: Float64Array): Float32Array
}

/**
 * Known targets as they are, or what the label strategy decides.
 *
 * @param all the outputs with a loss
 * @throws DlgError `labels`, `invalid-data`
 */
export function chooseTargets(
  output: TrainedOutput,
  choice: ReadChoice,
  target: Target,
  all: readonly TrainedOutput[],
): Targets {
  if (!('decide' in choice)) return knownTargets(output, targetRows(choice, output))
  const decision = decideLabels(choice, output, target, all)
  switch (decision?.kind) {
    case 'joint': {
      const kind = decision.as ?? targetKind(output)
      return { output, kind, ...searchedTargets(kind, output) }
    }
    case 'known':
      return { ...knownTargets(output, targetRows(decision, output)), inferred: decision.inferred }
    case 'targets':
      return knownTargets(output, checked(decision.targets, output.node.shape))
    default:
      throw new DlgError(
        'labels',
        `the label strategy '${choice.name}' decided nothing; decide() must return a kind of 'joint', 'known' or 'targets'`,
      )
  }
}

function knownTargets(output: TrainedOutput, values: Float32Array): Targets {
  const name = `targets ${output.name}`
  const node = g.parameter(output.node.graph, name, output.node.shape)
  return { output, kind: targetKind(output), node, bound: [name, values], read: () => values.slice() }
}

function checked(targets: Values, shape: readonly number[]): Float32Array {
  if (targets?.length !== g.sizeOf(shape))
    throw new DlgError(
      'labels',
      `the label strategy gave ${targets?.length} target values; the output [${shape}] needs ${g.sizeOf(shape)}`,
    )
  if (!targets.every(Number.isFinite))
    throw new DlgError('labels', 'the label strategy gave targets that are not finite')
  return Float32Array.from(targets)
}
