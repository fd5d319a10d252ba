import { type InputKinds, type TracedGradient, type Training, traceGradient } from '../../client/model/gradient'
import type { Model, OpenModel } from '../../client/model/model'
import { openModel } from '../../client/model/open-model'
import { usesOf } from '../../client/model/uses'
import { type TrainingOptions, trainingOptions } from '../../client/training-options'
import * as g from '../../graph'
import { type Node, reachable, unshaped } from '../../graph'

/** A dense layer with bias that reads the data themselves. */
export interface FirstDense {
  /** Name of its weight. */
  readonly weight: string
  /** Name of its bias. */
  readonly bias: string
  /** Whether the weight is kept as [out, in]. */
  readonly transposed: boolean
}

/** The layer as positions among the trained weights. */
export interface DenseLayer {
  readonly weight: number
  readonly bias: number
  readonly transposed: boolean
}

/**
 * Recognises a dense layer with bias over one flat row of data at the beginning of a model: data · W + b with nothing but
 * reshapes between, whatever the layers are called. There `exactData` reads the data of one sample in closed form.
 *
 * @param options how the client trains
 * @returns the layer; undefined where there is none, where its weights are used elsewhere too, and for models with several inputs
 * @throws DlgError `invalid-model`, `invalid-option`, `untraceable`
 */
export function firstDense(model: Model, options: TrainingOptions = {}): FirstDense | undefined {
  const settings = trainingOptions(options)
  const opened = openModel(model)
  if (opened.inputs.length !== 1) return undefined
  const traced = traceOfOne(opened, settings)
  const layer = denseLayerIn(traced)
  if (!layer) return undefined
  const name = (position: number): string => traced.trained[position].name
  return { weight: name(layer.weight), bias: name(layer.bias), transposed: layer.transposed }
}

/** The trace of a batch of one, whose targets do not matter. By default all inputs are searched. */
export const traceOfOne = (
  model: OpenModel,
  settings: Omit<Training, 'batchSize'>,
  kinds?: InputKinds,
): TracedGradient =>
  traceGradient(
    model,
    { ...settings, batchSize: 1 },
    (output, { name }) => g.input(output.graph, `target ${name}`, output.shape),
    kinds,
  )

/** The layer in a traced model of one input; undefined where the batch is not 1, or where {@link lookForDense} refuses it. */
export function denseLayerIn(traced: TracedGradient): DenseLayer | undefined {
  const found = lookForDense(traced)
  return typeof found === 'string' ? undefined : found
}

/** The layer; undefined where there is none, and a reason where its gradient is of no use. */
export function lookForDense(traced: TracedGradient): DenseLayer | string | undefined {
  const usesAt = (at: number): number => usesOf(traced.trainedNodes[at], [traced.dataLoss])
  const all = layersOverData(traced)
  const layer = all.find(({ weight, bias }) => usesAt(weight) === 1 && usesAt(bias) === 1)
  if (layer || all.length === 0) return layer
  const at = [all[0].weight, all[0].bias].find((position) => usesAt(position) > 1)!
  return `'${traced.trained[at].name}' of the first dense layer is used ${usesAt(at)} times: its gradient is a sum over the uses, which no division takes apart`
}

function layersOverData({ data, trainedNodes, dataLoss }: TracedGradient): DenseLayer[] {
  if (data.shape[0] !== 1) return []
  const found: DenseLayer[] = []
  const position = (node: Node): number => (trainedNodes as readonly Node[]).indexOf(unshaped(node))
  for (const sum of reachable([dataLoss])) {
    if (sum.op !== 'add') continue
    const [a, b] = sum.inputs
    for (const [product, term] of [
      [a, b],
      [b, a],
    ]) {
      const layer = weightOf(unshaped(product), data, position)
      const bias = position(term)
      if (layer && bias >= 0) found.push({ ...layer, bias })
    }
  }
  return found
}

/** The weight of a product with the data as one row. */
function weightOf(node: Node, data: Node, position: (node: Node) => number) {
  if (node.op !== 'matMul') return undefined
  const [row, factor] = node.inputs
  const [rows, columns] = row.shape.slice(-2)
  // one row only: a layer over many places of a sample mixes them as it would mix samples
  if (unshaped(row) !== data || rows !== 1 || columns !== data.shape.reduce((a, b) => a * b, 1)) return undefined
  const inner = unshaped(factor)
  const transposed = inner.op === 'transpose'
  const weight = position(transposed ? inner.inputs[0] : inner)
  return weight < 0 ? undefined : { weight, transposed }
}
