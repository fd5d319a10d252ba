import type { NamedTensorMap, Tensor } from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import type { Graph, Node, Shape } from '../../graph'
import type { Recorder } from '../../trace'
import type { RandomLayer } from './dropout'

/** A model written as a function of its weights, in functional tfjs. */
export interface FunctionalModel {
  readonly name?: string
  /** Shape of one sample, without the batch axis. */
  readonly inputShape: readonly number[]
  /** Trained weights by name; their order is the order of the gradients. */
  readonly weights: NamedTensorMap
  /** Output [batch, …] for an input [batch, ...inputShape]. Pure: tfjs operations on its arguments. */
  apply(input: Tensor, weights: NamedTensorMap): Tensor
}

/** A functional model whose inputs have names, and whose outputs have too where there are several. */
export interface NamedFunctionalModel {
  readonly name?: string
  /** Shape of one sample of each input. */
  readonly inputShape: { readonly [input: string]: readonly number[] }
  /** Trained weights by name; their order is the order of the gradients. */
  readonly weights: NamedTensorMap
  /** Output [batch, …], or outputs by name, for inputs [batch, …]. Pure: tfjs operations on its arguments. */
  apply(inputs: NamedTensorMap, weights: NamedTensorMap): Tensor | NamedTensorMap
}

/** A model that builds its graph itself, such as one out of a file of operators. */
export interface GraphModel {
  readonly name?: string
  /** Shape of one sample of each input. */
  readonly inputShape: { readonly [input: string]: readonly number[] }
  /** All weights by name; their order is the order of the gradients. */
  readonly weights: NamedTensorMap
  /** Names of the weights that the client trains. */
  readonly trainable: readonly string[]
  /**
   * The outputs as nodes, for the nodes of inputs [batch, …] and of weights.
   *
   * @param on the graph, a function that makes a node of numbers, and one to tell of batch norms with, whose running statistics
   * the prior `batchNorm` compares: the input [..., channels], mean and variance [channels]
   * @param training whether the client runs the model in training mode
   */
  build(
    on: {
      readonly graph: Graph
      constantOf(values: ArrayLike<number>, shape: Shape): Node
      normalizes?(normalization: { readonly input: Node; readonly mean: Node; readonly variance: Node }): void
    },
    inputs: readonly Node[],
    weights: readonly Node[],
    training: boolean,
  ): readonly ModelOutput[]
}

/** A model that can be attacked. */
export type Model = LayersModel | FunctionalModel | NamedFunctionalModel | GraphModel

/** One weight tensor of a model. */
export interface Weight {
  readonly name: string
  readonly shape: Shape
  /** Whether the client's gradient has an entry for it. */
  readonly trainable: boolean
  /** The caller's own tensor; throws when it is disposed. */
  tensor(): Tensor
}

/** An input of a model, with the shape of one sample. */
export interface ModelInput {
  readonly name: string
  readonly shape: Shape
}

/** An output of a traced model, [batch, …]. */
export interface ModelOutput {
  readonly name: string
  readonly node: Node
}

/** A model seen through what an attack needs of it. */
export interface OpenModel {
  readonly name: string
  readonly inputs: readonly ModelInput[]
  readonly weights: readonly Weight[]
  /** Names of all weights layer by layer, those that are not trained among them, as Keras's get_weights() lists them. */
  readonly layerOrder?: readonly string[]
  /**
   * Runs the forward pass under a recorder, on recorded tensors; `nodes` are the weights' nodes, in order.
   *
   * @param written told of every weight that the pass itself moves, by its place in `weights`, with its new value: the moving
   * statistics of a batch norm in training mode
   */
  forward(
    recorder: Recorder,
    inputs: readonly Tensor[],
    nodes: readonly Node[],
    training: boolean,
    written?: (weight: number, value: Node) => void,
  ): ModelOutput[]
  /** Layers that draw random numbers in training mode; undefined where there are none, or where nobody can tell. */
  readonly randomLayers?: readonly RandomLayer[]
  /** The model with these masks in place of those that its dropout layers draw, by layer. */
  withMasks?(masks: ReadonlyMap<string, Float32Array>): OpenModel
  /** The terms that regularizers add to the loss of a step: scalars of the weights alone. Undefined where there are none. */
  penalties?(recorder: Recorder, nodes: readonly Node[]): Node[]
}
