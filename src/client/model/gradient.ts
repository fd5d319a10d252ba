import type { DataType } from '@tensorflow/tfjs-core'
import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import type { Graph, Node } from '../../graph'
import * as g from '../../graph'
import { type Captured, type Normalization, record } from '../../trace'
import type { Reduction } from './criterion'
import type { Each } from './each'
import { type Criteria, lossOf, type TrainedOutput, trainedOutputs } from './loss'
import type { ModelInput, OpenModel, Weight } from './model'

/** How a client computes its gradient. */
export interface Training {
  readonly batchSize: number
  readonly criterion: Criteria
  /** Weights of the losses, for the outputs that have one. Default 1 each. */
  readonly lossWeights?: Each<number>
  readonly reduction: Reduction
  /** Whether the forward pass runs in training mode: batch statistics, dropout masks. */
  readonly training: boolean
}

/** Per input, by name: its dtype, and whether it is known or searched. */
export interface InputKinds {
  /** The dtype that the model sees. Default float32. */
  readonly types?: ReadonlyMap<string, DataType>
  /** Inputs that are bound as parameters; the others move. */
  readonly known?: ReadonlySet<string>
}

/** A weight that the forward pass itself moves: a moving statistic of a batch norm in training mode. */
export interface MovingStatistic {
  /** The name of the weight. */
  readonly name: string
  /** Its new value less its value before, in its shape. */
  readonly moved: Node
}

/** A client's gradient as a graph. */
export interface TracedGradient {
  readonly graph: Graph
  /** The searched inputs, [batchSize, ...shape of a sample]. */
  readonly inputs: readonly Node<'input'>[]
  /** The first of them. */
  readonly data: Node<'input'>
  /** All inputs in the model's order, known ones too. */
  readonly inputNodes: readonly Node[]
  /** The outputs with a loss. */
  readonly outputs: readonly TrainedOutput[]
  /** The first of them. */
  readonly output: Node
  /** The targets that each output is compared with. */
  readonly targets: readonly Node[]
  /** Σ weight · loss after reduction, and the penalties of the model's own regularizers: a scalar. */
  readonly loss: Node
  /** The loss without these penalties. */
  readonly dataLoss: Node
  readonly gradients: readonly Node[]
  /** Nodes of all weights, in the model's order. */
  readonly weightNodes: readonly Node<'parameter'>[]
  readonly trained: readonly Weight[]
  /** Their nodes. */
  readonly trainedNodes: readonly Node<'parameter'>[]
  readonly captured: Captured
  /** What one forward pass over all samples moves, at the weights before. */
  readonly statistics: readonly MovingStatistic[]
  /** The batch norms of that pass that normalise by statistics that are given, as in evaluation mode. */
  readonly normalizations: readonly Normalization[]
}

/** The name under which a weight is bound. */
export const weightParameter = (weight: Weight): string => `weight ${weight.name}`

/** The name under which a known input is bound. */
export const knownParameter = (input: ModelInput): string => `known ${input.name}`

/** Where a trace goes: a graph, and the values that traces of it brought along. */
export type Traced = Pick<TracedGradient, 'graph' | 'captured'>

/** The target of an output, of its shape; all outputs with a loss are there to choose by. */
export type TargetOf = (output: Node, trained: TrainedOutput, all: readonly TrainedOutput[]) => Node

/**
 * Traces the model once, forward only, and differentiates the loss on the graph: ∂L/∂W, in the order of the weights.
 *
 * @throws DlgError `invalid-model`, `invalid-option`, `untraceable`
 */
export function traceGradient(
  model: OpenModel,
  training: Training,
  targetOf: TargetOf,
  { types = new Map(), known = new Set() }: InputKinds = {},
  { graph, captured }: Traced = { graph: g.createGraph(), captured: new Map() },
): TracedGradient {
  const nodes = model.inputs.map((input, i) => {
    const shape = [training.batchSize, ...input.shape]
    if (known.has(input.name)) return g.parameter(graph, knownParameter(input), shape)
    return g.input(graph, i === 0 ? 'data' : `data ${input.name}`, shape)
  })
  const weightNodes = model.weights.map((w) => g.parameter(graph, weightParameter(w), w.shape))
  const written = new Map<number, Node>()
  const { produced, normalizations } = record(graph, captured, (recorder) => {
    const tensors = nodes.map((node, i) => recorder.tensorOf(node, types.get(model.inputs[i].name)))
    const told = (at: number, value: Node) => written.set(at, value)
    const made = model.forward(recorder, tensors, weightNodes, training.training, told)
    return { produced: made, normalizations: recorder.normalizations }
  })
  const named = model.weights.map(({ name }, i) => ({ name, node: weightNodes[i] }))
  const outputs = trainedOutputs(produced, training.criterion, training.lossWeights)
  const targets: Node[] = []
  const losses = outputs.map((output) => {
    requireBatch(model, output.node, training.batchSize)
    const target = targetOf(output.node, output, outputs)
    targets.push(target)
    const loss = lossOf(output.criterion, output.node, target, training.reduction, captured, named)
    return output.weight === 1 ? loss : g.scale(loss, output.weight)
  })
  const ofData = losses.reduce(g.add)
  const penalty = penaltyOf(model, { graph, captured }, weightNodes)
  const loss = penalty ? g.add(ofData, penalty) : ofData
  const inputs = nodes.filter((node): node is Node<'input'> => node.op === 'input')
  const trained = model.weights.filter((w) => w.trainable)
  const trainedNodes = weightNodes.filter((_, i) => model.weights[i].trainable)
  requireReach(model, trainedNodes, ofData)
  const gradients = g.grad(g.joinProjections(loss), trainedNodes)
  const [data, output] = [inputs[0], outputs[0].node]
  const statistics = [...written].map(([at, value]) => ({
    name: model.weights[at].name,
    moved: g.sub(value, weightNodes[at]),
  }))
  return {
    statistics,
    normalizations: normalizations.filter((one) => normalizesByGiven(one, trainedNodes)),
    ...{ graph, captured, inputs, data, inputNodes: nodes, weightNodes, trained, trainedNodes },
    ...{ outputs, output, targets, loss, dataLoss: ofData, gradients },
  }
}

/** The sum of what the model's own regularizers add to the loss; undefined where there are none. */
export function penaltyOf(
  model: OpenModel,
  { graph, captured }: Traced,
  weightNodes: readonly Node[],
): Node | undefined {
  if (!model.penalties) return undefined
  const found = record(graph, captured, (recorder) => model.penalties!(recorder, weightNodes))
  return found.length > 0 ? found.reduce(g.add) : undefined
}

/** Statistics of the batch move with the data, and a trained weight is no statistic. */
function normalizesByGiven({ input, mean, variance }: Normalization, trained: readonly Node[]): boolean {
  const given = g.reachable([mean, variance])
  return input.varying && !given.some((node) => node.varying || trained.includes(node))
}

/** A gradient that is zero whatever the data says nothing about them. */
function requireReach({ name }: OpenModel, trained: readonly Node[], loss: Node): void {
  const reached = new Set(g.reachable([loss]))
  if (trained.some((node) => reached.has(node))) return
  throw new DlgError(
    'invalid-model',
    `no trained weight of model '${name}' reaches the loss, so that every gradient is zero; the outputs in the loss must be computed from them, and apply() of a functional model must use the weights it is given`,
  )
}

function requireBatch({ name }: OpenModel, output: Node, batchSize: number): void {
  if (output.shape[0] !== batchSize)
    throw new DlgError(
      'invalid-model',
      `the output of model '${name}' is [${output.shape}]; for ${countOf(batchSize, 'sample')} it must be [${batchSize}, …]`,
    )
}
