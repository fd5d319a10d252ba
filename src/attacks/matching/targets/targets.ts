import { logitsOf, type TargetKind } from '../../../client/model/criterion'
import { weightParameter } from '../../../client/model/gradient'
import { findHead } from '../../../client/model/head'
import type { Weight } from '../../../client/model/model'
import type { TrainedOutput } from '../../../client/model/outputs'
import { targetKind, targetRows } from '../../../client/target-values'
import { DlgError } from '../../../errors/dlg-error'
import * as g from '../../../graph/index'
import type { Values } from '../../../runtime/runtime'
import type { LabelDecision, LabelInference, LabelStrategy } from '../../labels/index'
import type { Settings } from '../options/settings'
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

/** What label strategies look at beside the output. */
export interface Evidence {
  readonly trained: readonly Weight[]
  readonly gradients: readonly Values[]
  /** By parameter name. */
  readonly weights: ReadonlyMap<string, Values>
}

/** Known targets as they are, or what the label strategy decides. @throws DlgError `labels`, `invalid-data` */
export function chooseTargets(
  output: TrainedOutput,
  choice: ReadChoice,
  evidence: Evidence,
  settings: Settings,
): Targets {
  if (!('decide' in choice)) return knownTargets(output, targetRows(choice, output))
  const decision = decide(choice, output, evidence, settings)
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

function decide(
  strategy: LabelStrategy,
  { name, node: output, criterion, weight }: TrainedOutput,
  { trained, gradients, weights }: Evidence,
  { batchSize, reduction }: Settings,
): LabelDecision {
  const nodes = trained.map((w) => g.parameter(output.graph, weightParameter(w), w.shape))
  const head = findHead(logitsOf(output) ?? output, nodes)
  const valuesOf = (at: number | undefined) =>
    at === undefined ? undefined : weights.get(weightParameter(trained[at]))
  /** The gradient as if this output's loss were the only one. */
  const gradientOf = (at: number | undefined) =>
    at === undefined || weight === 1 ? gradients[at ?? -1] : gradients[at].map((v) => v / weight)
  return strategy.decide({
    batchSize,
    output: name,
    reduction,
    layer: { weight: valuesOf(head.weight), bias: valuesOf(head.bias) },
    criterion: criterion.name || 'a function',
    classes: output.shape[output.shape.length - 1],
    head: { weight: gradientOf(head.weight), bias: gradientOf(head.bias) },
  })
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
