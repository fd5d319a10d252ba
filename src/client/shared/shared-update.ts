import { Tensor } from '@tensorflow/tfjs-core'
import { knownNames } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import type { StoredAs } from '../../numbers/stored-dtype'
import { requireNames } from '../model/each'
import type { OpenModel, Weight } from '../model/model'
import { precisionsOf, readWeightTensors, type SharedGradients, type WeightTensors } from './read-gradients'
import { isFloat32 } from './rounding'

/**
 * What a client of federated averaging shares: its weights after training, or their difference `delta` from the weights before.
 *
 * Each is a list in the order of the trained weights or of all weights, or a map by their names; in float32, or as numbers in
 * float64. A list of all weights may also be layer by layer, as Keras's `get_weights()`, where only that fits the shapes. Of `before`, the model's own weights are the default for each tensor. Moving statistics and other weights that are
 * not trained are taken from `before`. Elsewhere they are optional: how far a moving statistic moved tells about the data.
 */
export type SharedUpdate =
  | { readonly before?: SharedGradients; readonly after: SharedGradients }
  | { readonly before?: SharedGradients; readonly delta: SharedGradients }

/** An update whose parts are lists or objects. */
export type WeightUpdate =
  | { readonly before?: WeightTensors; readonly after: WeightTensors }
  | { readonly before?: WeightTensors; readonly delta: WeightTensors }

/** The weights the client began with, and how far they moved. */
export interface Movement {
  /** By name; as given, or else missing. */
  readonly before: ReadonlyMap<string, Float64Array>
  /** θ after − θ before, in the order of the trained weights. */
  readonly delta: readonly Float64Array[]
  /** θ after − θ before of moving statistics: weights that are not trained and were shared too, by name. */
  readonly statistics: ReadonlyMap<string, Float64Array>
  /** Whether what was shared is in float32. */
  readonly rounded: boolean
  /** What was shared of each trained weight, its move or the weight after it, and how exactly. */
  readonly shared: readonly SharedTensor[]
}

/** A tensor as it was shared. */
export interface SharedTensor {
  readonly values: Float64Array
  readonly stored: StoredAs
}

const NAMES = ['before', 'after', 'delta']

/** Whether this is an update, and not gradients of weights with such names. */
export function isUpdate(shared: WeightTensors | WeightUpdate): shared is WeightUpdate {
  if (typeof shared !== 'object' || shared === null || Array.isArray(shared) || shared instanceof Tensor) return false
  return Object.entries(shared).some(([name, value]) => NAMES.includes(name) && !isTensor(value))
}

const isTensor = (value: unknown): boolean =>
  value instanceof Tensor ||
  (typeof value === 'object' &&
    value !== null &&
    'data' in value &&
    Array.isArray((value as { shape?: unknown }).shape))

/** The part that says how the weights moved. @throws DlgError `invalid-gradients` unless there is exactly one */
export function movedPart(update: WeightUpdate, model: OpenModel): WeightTensors {
  knownNames('the update', update, NAMES)
  const { after, delta } = update as { readonly after?: WeightTensors; readonly delta?: WeightTensors }
  if ((after === undefined) === (delta === undefined))
    throw new DlgError(
      'invalid-gradients',
      `the update has ${after === undefined ? 'neither' : 'both'} after ${after === undefined ? 'nor' : 'and'} delta; give {before, after} or {delta}`,
    )
  return named((after ?? delta)!, model)
}

/**
 * @param own the model's own weights
 * @param sign which way a delta points
 * @throws DlgError `invalid-gradients`, naming the first tensor that does not fit and what would
 */
export async function readMovement(
  update: WeightUpdate,
  model: OpenModel,
  own: (weight: Weight) => ArrayLike<number>,
  sign: 1 | -1,
): Promise<Movement> {
  const trained = model.weights.filter((w) => w.trainable)
  const before = await readBefore(update.before, model)
  if ('delta' in update && update.delta !== undefined) {
    const shared = await readTrained("'delta' tensor", update.delta, model)
    const delta = shared.map(({ values }) => values)
    const signed = (values: Float64Array) => (sign > 0 ? values : values.map((v) => -v))
    const statistics = await readUntrained("'delta' tensor", update.delta, model)
    return {
      ...{ before, delta: delta.map(signed), rounded: isFloat32(delta), shared },
      statistics: new Map([...statistics].map(([name, values]) => [name, signed(values)])),
    }
  }
  const given = (update as { after: WeightTensors }).after
  const after = await readTrained("'after' tensor", given, model)
  const fromBefore = (weight: Weight, values: Float64Array): Float64Array => {
    const from = before.get(weight.name) ?? own(weight)
    return values.map((v, at) => v - from[at])
  }
  const delta = after.map(({ values }, i) => fromBefore(trained[i], values))
  const untrained = await readUntrained("'after' tensor", given, model)
  const statistics = new Map(
    model.weights.flatMap((weight) => {
      const values = untrained.get(weight.name)
      return values ? [[weight.name, fromBefore(weight, values)] as const] : []
    }),
  )
  return { before, delta, statistics, rounded: isFloat32(after.map(({ values }) => values)), shared: after }
}

async function readTrained(noun: string, given: WeightTensors, model: OpenModel): Promise<SharedTensor[]> {
  const trained = model.weights.filter((w) => w.trainable)
  const tensors = only(noun, named(given, model), model.weights, trained)
  const read = await readWeightTensors(tensors, trained, noun, Float64Array)
  const stored = precisionsOf(tensors, trained)
  return read.map((values, i) => ({ values, stored: stored[i] }))
}

/** What is there of the weights that are not trained, by name. */
async function readUntrained(noun: string, given: WeightTensors, model: OpenModel): Promise<Map<string, Float64Array>> {
  const map = named(given, model)
  // a list that is not of all weights is of the trained ones
  if (!isMap(map)) return new Map()
  const there = model.weights.filter((w) => !w.trainable && Object.hasOwn(map, w.name))
  const tensors = await readWeightTensors(only(noun, map, model.weights, there), there, noun, Float64Array)
  return new Map(there.map(({ name }, i) => [name, tensors[i]]))
}

async function readBefore(given: WeightTensors | undefined, model: OpenModel): Promise<Map<string, Float64Array>> {
  if (given === undefined) return new Map()
  const { weights } = model
  const map = named(given, model)
  const there = Array.isArray(map) || !isMap(map) ? undefined : weights.filter(({ name }) => Object.hasOwn(map, name))
  const read = there ?? weights.filter((w) => w.trainable)
  const tensors = await readWeightTensors(
    only("'before' tensor", map, weights, read),
    read,
    "'before' tensor",
    Float64Array,
  )
  return new Map(read.map(({ name }, i) => [name, tensors[i]]))
}

const isMap = (given: WeightTensors): given is Exclude<WeightTensors, readonly unknown[]> =>
  typeof given === 'object' && given !== null && !Array.isArray(given) && !(given instanceof Tensor)

/**
 * A list of all weights as a map: in tfjs's order, trained ones first, or else layer by layer as Keras lists them, if only
 * that fits the shapes.
 */
function named(given: WeightTensors, { weights, layerOrder = [] }: OpenModel): WeightTensors {
  if (!Array.isArray(given) || given.length !== weights.length) return given
  const byLayer = layerOrder.flatMap((name) => weights.find((w) => w.name === name) ?? [])
  const fits = (order: readonly Weight[]) =>
    order.length === given.length && order.every(({ shape }, i) => given[i]?.shape?.join() === shape.join())
  const order = !fits(weights) && fits(byLayer) ? byLayer : weights
  return Object.fromEntries(order.map(({ name }, i) => [name, given[i]]))
}

/** The tensors of a map that are wanted; the others must be weights of the model. */
function only(
  noun: string,
  given: WeightTensors,
  weights: readonly Weight[],
  wanted: readonly Weight[],
): WeightTensors {
  if (!isMap(given)) return given
  const names = weights.map(({ name }) => name)
  requireNames(`${noun}s`, Object.keys(given), names, 'invalid-gradients')
  const there = wanted.filter(({ name }) => Object.hasOwn(given, name))
  return Object.fromEntries(there.map(({ name }) => [name, given[name]]))
}
