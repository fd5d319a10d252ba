import { input, type LayersModel, layers, model, type SymbolicTensor, sequential } from '@tensorflow/tfjs-layers'
import type { Range } from './case'

export { layers }
export type Layer = ReturnType<typeof layers.dense>
export type Symbolic = SymbolicTensor

/** A small model around one layer, trained on a loss: L(x, W). */
export interface LayerCase extends Range {
  name: string
  /** Shape of one sample. */
  inputShape: number[]
  batch?: number
  training?: boolean
  loss?: 'meanSquaredError' | 'crossEntropy'
  /** Its random numbers cannot be seeded, so the forward value cannot be compared. */
  random?: boolean
  /** The trace must fail with this message. */
  refused?: RegExp
  model(): LayersModel
}

type Options = Partial<LayerCase>
type Made = object | object[]

const stack = (inputShape: number[], parts: object[], headed = false): LayersModel => {
  const net = sequential()
  net.add(layers.inputLayer({ inputShape }))
  for (const part of parts) net.add(part as Layer)
  if (headed && net.outputs[0].shape.length > 2) net.add(layers.flatten())
  if (headed) net.add(layers.dense({ units: 2, activation: 'sigmoid' }))
  return net
}

/** The layers as they are. */
export const net = (name: string, inputShape: number[], parts: () => object[], options: Options = {}): LayerCase => ({
  name,
  inputShape,
  model: () => stack(inputShape, parts()),
  ...options,
})

const headed = (name: string, inputShape: number[], parts: () => object[], options: Options): LayerCase => ({
  name,
  inputShape,
  model: () => stack(inputShape, parts(), true),
  ...options,
})

/** A layer with weights, and a dense layer after it. */
export const layer = (name: string, inputShape: number[], make: () => Made, options: Options = {}): LayerCase =>
  headed(name, inputShape, () => [make()].flat(), options)

/** A layer without weights between two dense layers, which act on the last axis. */
export const between = (name: string, inputShape: number[], make: () => Made, options: Options = {}): LayerCase =>
  headed(
    name,
    inputShape,
    () => [layers.dense({ units: inputShape[inputShape.length - 1], activation: 'tanh' }), ...[make()].flat()],
    options,
  )

/** A functional model: branches of the input, joined. */
export const functional = (
  name: string,
  inputShape: number[],
  join: (x: Symbolic) => Symbolic,
  options: Options = {},
): LayerCase => ({
  name,
  inputShape,
  model: () => {
    const x = input({ shape: inputShape })
    const joined = join(x)
    const flat = joined.shape.length > 2 ? layers.flatten().apply(joined) : joined
    const output = layers.dense({ units: 2, activation: 'sigmoid' }).apply(flat) as Symbolic
    return model({ inputs: x, outputs: output })
  },
  ...options,
})
