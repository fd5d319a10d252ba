import { DlgError } from '../errors'
import type { Graph, Node } from '../graph'
import * as g from '../graph'
import { type Captured, record } from '../trace'
import type { Criterion } from './criterion'
import type { OpenModel, Weight } from './model'

export type Reduction = 'mean' | 'sum'

/** How a client computes its gradient. */
export interface Training {
  readonly batchSize: number
  readonly criterion: Criterion
  readonly reduction: Reduction
  /** Whether the forward pass runs in training mode: batch statistics, dropout masks. */
  readonly training: boolean
}

/** A client's gradient as a graph. */
export interface TracedGradient {
  readonly graph: Graph
  /** [batchSize, ...inputShape] */
  readonly data: Node<'input'>
  readonly output: Node
  /** The loss after reduction, a scalar. */
  readonly loss: Node
  readonly gradients: readonly Node[]
  /** Nodes of all weights, in the model's order. */
  readonly weightNodes: readonly Node<'parameter'>[]
  readonly trained: readonly Weight[]
  readonly captured: Captured
}

/** The name under which a weight is bound. */
export const weightParameter = (weight: Weight): string => `weight ${weight.name}`

/** Traces the model once, forward only, and differentiates the loss on the graph: ∂L/∂W, in the order of the weights. */
export function traceGradient(model: OpenModel, training: Training, targetOf: (output: Node) => Node): TracedGradient {
  const graph = g.createGraph()
  const captured: Captured = new Map()
  const data = g.input(graph, 'data', [training.batchSize, ...model.inputShape])
  const weightNodes = model.weights.map((w) => g.parameter(graph, weightParameter(w), w.shape))
  const output = record(graph, captured, (recorder) => model.forward(recorder, data, weightNodes, training.training))
  if (output.shape[0] !== training.batchSize)
    throw new DlgError(
      'invalid-model',
      `the output of model '${model.name}' is [${output.shape}]; for ${training.batchSize} samples it must be [${training.batchSize}, …]`,
    )
  const losses = training.criterion.loss(output, targetOf(output))
  if (!losses?.shape || !g.sameShape(losses.shape, [training.batchSize]))
    throw new DlgError(
      'invalid-option',
      `criterion '${training.criterion.name}' gave ${losses?.shape ? `a node of shape [${losses.shape}]` : losses}; loss() must give [batch]: [${training.batchSize}]`,
    )
  const loss = g.reshape(training.reduction === 'mean' ? g.mean(losses) : g.sum(losses), [])
  const trained = model.weights.filter((w) => w.trainable)
  const trainedNodes = weightNodes.filter((_, i) => model.weights[i].trainable)
  return { graph, data, output, loss, gradients: g.grad(loss, trainedNodes), weightNodes, trained, captured }
}
