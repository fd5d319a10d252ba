import type { TargetKind } from '../../../client/model/criterion'
import type { TrainedOutput } from '../../../client/model/loss'
import { targetKind, targetRows } from '../../../client/target-values'
import { DlgError } from '../../../errors/dlg-error'
import * as g from '../../../graph'
import type { Values } from '../../../runtime/runtime'
import type { LabelDecision, LabelInference } from '../../labels/strategy'
import type { ReadChoice } from './label-choices'

/** What the attacked loss compares an output with: unknowns of the search, or values known before it. */
export interface Targets {
  readonly output: TrainedOutput
  readonly kind: TargetKind
  /** The targets, in the shape of the output. */
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
 * Known targets as they are, or what the label strategy decided.
 *
 * @param decision what the strategy decided, where there is one
 * @throws DlgError `labels`, `invalid-data`
 */
export function chooseTargets(output: TrainedOutput, choice: ReadChoice, decision: LabelDecision | undefined): Targets {
  if (!('decide' in choice)) return knownTargets(output, targetRows(choice, output))
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

/** Targets that are searched: any numbers are turned into targets of a kind. */
export interface SearchedTargets {
  readonly input: g.Node<'input'>
  readonly node: g.Node
  /** The targets at the searched numbers. */
  read(part: Float64Array): Float32Array
}

/** @throws DlgError `labels` for a soft-max over one class, which is always 1 */
export function searchedTargets(kind: TargetKind, { name, node: { graph, shape } }: TrainedOutput): SearchedTargets {
  const input = g.input(graph, `labels ${name}`, shape)
  const classes = shape[shape.length - 1]
  switch (kind) {
    case 'classes':
      if (classes === 1)
        throw new DlgError(
          'labels',
          "labels: 'joint' needs at least two classes; the model has one output: give the targets",
        )
      return { input, node: g.softmax(input), read: (part) => softmaxRows(part, classes) }
    case 'bits':
      return { input, node: g.sigmoid(input), read: (part) => Float32Array.from(part, (v) => 1 / (1 + Math.exp(-v))) }
    case 'numbers':
      return { input, node: input, read: (part) => Float32Array.from(part) }
    default:
      throw new DlgError('labels', `targets are unknown as '${kind}'; it must be 'classes', 'bits' or 'numbers'`)
  }
}

/** Probabilities of rows of label logits. */
function softmaxRows(logits: Float64Array, classes: number): Float32Array {
  const out = new Float32Array(logits.length)
  for (let at = 0; at < logits.length; at += classes) {
    const row = logits.subarray(at, at + classes)
    const top = row.reduce((a, b) => Math.max(a, b))
    const total = row.reduce((sum, v) => sum + Math.exp(v - top), 0)
    row.forEach((v, i) => {
      out[at + i] = Math.exp(v - top) / total
    })
  }
  return out
}
