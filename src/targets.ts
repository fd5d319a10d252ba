import { DlgError } from './errors'
import { oneHotRows } from './gradients-of'
import * as g from './graph'
import type { LabelDecision } from './labels'
import { logitsOf } from './model/criterion'
import { weightParameter } from './model/gradient'
import { findHead } from './model/head'
import type { Weight } from './model/model'
import type { Values } from './runtime/runtime'
import type { Settings } from './settings'

/** The name under which known targets are bound. */
export const TARGETS = 'targets'

/** What the attacked loss compares the output with: unknown label logits, or values known before the search. */
export interface Targets {
  /** Of the shape of the output. */
  readonly node: g.Node
  /** Label logits, when labels are unknowns. */
  readonly input?: g.Node<'input'>
  readonly values?: Float32Array
}

/** Asks the label strategy, with the gradient of the last dense layer where there is one. @throws DlgError `labels` */
export function chooseTargets(
  output: g.Node,
  trained: readonly Weight[],
  gradients: readonly Values[],
  weights: ReadonlyMap<string, Values>,
  settings: Settings,
): Targets {
  const { graph, shape } = output
  const decision = decide(output, trained, gradients, weights, settings)
  const node = (): g.Node => g.parameter(graph, TARGETS, shape)
  switch (decision?.kind) {
    case 'joint': {
      if (shape[shape.length - 1] === 1)
        throw new DlgError(
          'labels',
          "labels: 'joint' needs at least two classes; the model has one output: give the targets",
        )
      const input = g.input(graph, 'labels', shape)
      return { node: g.softmax(input), input }
    }
    case 'known':
      return { node: node(), values: oneHotRows(decision.labels, shape) }
    case 'targets':
      return { node: node(), values: checked(decision.targets, shape) }
    default:
      throw new DlgError(
        'labels',
        `the label strategy '${settings.labels.name}' decided nothing; decide() must return a kind of 'joint', 'known' or 'targets'`,
      )
  }
}

function decide(
  output: g.Node,
  trained: readonly Weight[],
  gradients: readonly Values[],
  weights: ReadonlyMap<string, Values>,
  settings: Settings,
): LabelDecision {
  const nodes = trained.map((w) => g.parameter(output.graph, weightParameter(w), w.shape))
  const head = findHead(logitsOf(output) ?? output, nodes)
  const valuesOf = (at: number | undefined) =>
    at === undefined ? undefined : weights.get(weightParameter(trained[at]))
  return settings.labels.decide({
    batchSize: settings.batchSize,
    reduction: settings.reduction,
    layer: { weight: valuesOf(head.weight), bias: valuesOf(head.bias) },
    criterion: settings.criterion.name,
    classes: output.shape[output.shape.length - 1],
    head: {
      weight: head.weight === undefined ? undefined : gradients[head.weight],
      bias: head.bias === undefined ? undefined : gradients[head.bias],
    },
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

/** Probabilities of rows of label logits. */
export function softmaxRows(logits: Float64Array, classes: number): Float32Array {
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
