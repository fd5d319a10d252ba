import type { TargetKind } from '../../client/model/criterion'
import type { TargetOf, TracedGradient } from '../../client/model/gradient'
import { type Target, traceClient } from '../../client/target'
import * as g from '../../graph'
import { type Node, type Shape, sizeOf } from '../../graph'
import { inSteps, type Steps } from '../../numbers/steps'
import { type Pause, paced } from '../contract/pause'
import { decideLabels, requireOrder } from '../labels/infer-labels'
import type { LabelDecision, LabelInference } from '../labels/strategy'
import type { Settings } from './options'
import type { Span } from './search/evaluation'
import { readLabels } from './targets/label-choices'
import { chooseTargets, type Targets } from './targets/targets'

/** A part of a point: an input, or the numbers behind the targets of an output. */
export interface Part {
  readonly name: string
  readonly shape: Shape
}

/** What a point says of an input. */
export interface InputReading extends Part {
  readonly values: Float32Array
}

/** What a point says of an output's targets; known ones are the same at every point. */
export interface TargetReading extends InputReading {
  readonly kind: TargetKind
  readonly inferred?: LabelInference
}

/** How a flat vector of unknowns is laid out: searched inputs first, then unknown targets. */
export interface Point {
  readonly unknowns: readonly Node<'input'>[]
  readonly sizes: readonly number[]
  /** Their sum. */
  readonly size: number
  readonly inputs: readonly Part[]
  /** The unknown ones. */
  readonly targets: readonly Part[]
  /** What each of them is. */
  readonly targetKinds: readonly TargetKind[]
  /** Where the logits of each searched label stand; of a label of yes or no it is one. */
  readonly logits: readonly Span[]
  /** The point in parts, one for each unknown. */
  partsOf(point: Float64Array): Float64Array[]
  inputsOf(point: Float64Array): InputReading[]
  targetsOf(point: Float64Array): TargetReading[]
  /** The point with other searched targets, one after the other: the numbers that a soft-max or a sigmoid turns into them. */
  withTargets(point: Float64Array, targets: Float64Array): Float64Array
}

/** A probability that is taken for 0: its logarithm is finite. */
const NONE = 1e-12

/** The number that becomes a target. */
const NUMBER: Readonly<Record<TargetKind, (target: number) => number>> = {
  classes: (q) => Math.log(Math.max(q, NONE)),
  bits: (q) => Math.log(Math.max(q, NONE) / Math.max(1 - q, NONE)),
  numbers: (q) => q,
}

/** The labels of a tensor that stands at a place of a point: rows of classes, single bits, and no numbers. */
function labelsAt(start: number, shape: Shape, kind: TargetKind): Span[] {
  if (kind === 'numbers') return []
  const size = kind === 'bits' ? 1 : shape[shape.length - 1]
  return Array.from({ length: sizeOf(shape) / size }, (_, i) => ({ start: start + i * size, size }))
}

/** @param names of the searched inputs, in the order of their nodes */
export function pointOf(nodes: readonly Node<'input'>[], names: readonly string[], targets: readonly Targets[]): Point {
  const searched = targets.flatMap((t) => t.input ?? [])
  const unknowns = [...nodes, ...searched]
  const sizes = unknowns.map(({ shape }) => sizeOf(shape))
  const startOf = (at: number): number => sizes.slice(0, at).reduce((a, b) => a + b, 0)
  const partAt = (point: Float64Array, at: number): Float64Array => point.subarray(startOf(at), startOf(at) + sizes[at])
  const partOf = (point: Float64Array, node: Node<'input'>) => partAt(point, unknowns.indexOf(node))
  const inputs = nodes.map((node, i) => ({ name: names[i], shape: node.shape }))
  return {
    unknowns,
    sizes,
    size: sizes.reduce((a, b) => a + b),
    inputs,
    targets: targets.flatMap(({ input, output }) => (input ? [{ name: output.name, shape: input.shape }] : [])),
    targetKinds: targets.flatMap(({ input, kind }) => (input ? [kind] : [])),
    logits: targets.flatMap(({ input, kind }) =>
      input ? labelsAt(startOf(unknowns.indexOf(input)), input.shape, kind) : [],
    ),
    partsOf: (point) => sizes.map((_, at) => partAt(point, at)),
    inputsOf: (point) => inputs.map((part, i) => ({ ...part, values: Float32Array.from(partOf(point, nodes[i])) })),
    targetsOf: (point) =>
      targets.map(({ output, kind, node, input, inferred, read }) => ({
        name: output.name,
        shape: node.shape,
        kind,
        inferred,
        values: read(input ? partOf(point, input) : new Float64Array(0)),
      })),
    withTargets(point, values) {
      const out = point.slice()
      const first = point.length - values.length
      let start = 0
      for (const { kind, input } of targets) {
        if (!input) continue
        for (let i = start; i < start + sizeOf(input.shape); i++) out[first + i] = NUMBER[kind](values[i])
        start += sizeOf(input.shape)
      }
      return out
    },
  }
}

/** A client's gradient as a graph, with its targets known or to be searched. */
export interface TracedTarget {
  /** The targets of the outputs with a loss. */
  readonly targets: readonly Targets[]
  readonly traced: TracedGradient
  readonly point: Point
}

/**
 * Target → trace → unknowns. Labels that take long to decide are decided between two traces: the first one shows the last layer.
 *
 * @param pause asked between the steps of a label strategy
 * @throws DlgError for what is wrong with the labels, `untraceable`; CUT
 */
export async function traceTarget(target: Target, settings: Settings, pause: Pause): Promise<TracedTarget> {
  const chooserOf = await readLabels(settings.labels)
  // a strategy is asked once for each output, however often the model is traced
  const decided = new Map<string, LabelDecision | Steps<LabelDecision> | undefined>()
  for (;;) {
    const targets: Targets[] = []
    const targetOf: TargetOf = (_, output, all) => {
      const choice = chooserOf(output, all)
      requireOrder(choice, settings)
      const { name, node } = output
      if ('decide' in choice && !decided.has(name)) decided.set(name, decideLabels(choice, output, target, all))
      const decision = decided.get(name)
      if (inSteps(decision)) return g.input(node.graph, `undecided ${name}`, node.shape)
      const chosen = chooseTargets(output, choice, decision)
      targets.push(chosen)
      return chosen.node
    }
    const traced = traceClient(target, targetOf)
    const undecided = [...decided].filter((entry): entry is [string, Steps<LabelDecision>] => inSteps(entry[1]))
    if (undecided.length === 0) return { targets, traced, point: pointOf(traced.inputs, target.searched, targets) }
    for (const [name, steps] of undecided) decided.set(name, await paced(steps, pause))
  }
}
