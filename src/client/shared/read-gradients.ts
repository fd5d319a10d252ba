import { Tensor } from '@tensorflow/tfjs-core'
import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import { isWhole, type StoredAs } from '../../numbers/stored-dtype'
import type { Values } from '../../runtime/runtime'
import type { Weight } from '../model/model'
import { firstNotFinite, type PlainTensor, type Precision, precisionOf, tensorValues } from './tensor-values'

/** Gradients, or other tensors of weights, by the weights' names. */
export type NamedGradients = { readonly [name: string]: Tensor | PlainTensor }

/** One tensor per weight, as a list in the model's order or by the weights' names. */
export type WeightTensors = readonly (Tensor | PlainTensor)[] | NamedGradients

/** By the weights' names, as an object or as the Map that files are read to. */
export type SharedByName = NamedGradients | ReadonlyMap<string, Tensor | PlainTensor>

/** Shared gradients: one tensor per trained weight, as a list in the model's order, or by the weights' names as an object or a Map. */
export type SharedGradients = readonly (Tensor | PlainTensor)[] | SharedByName

/** A word for the tensors, for error messages: gradient, delta. */
type Noun = string

/** A Map as an object. @throws DlgError `invalid-gradients` for what is still to come */
export function weightTensors(shared: SharedGradients, what = 'the gradients'): WeightTensors {
  if (shared instanceof Promise) throw invalid(`${what} are a Promise; await it first`)
  return shared instanceof Map ? Object.fromEntries(shared) : (shared as WeightTensors)
}

/** Like {@link weightTensors}, where a list would not say which tensor is which. @throws DlgError `invalid-gradients` for a list, or for no gradients */
export function namedGradients(shared: SharedByName): NamedGradients {
  const given = weightTensors(shared)
  if (typeof given === 'object' && given !== null && !Array.isArray(given) && !(given instanceof Tensor))
    return given as NamedGradients
  throw invalid('gradients must be a map of tensors by name')
}

const describe = (shape: readonly number[]): string => `[${shape.join(', ')}]`
const invalid = (message: string): DlgError => new DlgError('invalid-gradients', message)

/**
 * The shared tensors' numbers in the order of the weights. Nothing of the caller's is changed or kept.
 *
 * @throws DlgError `invalid-gradients`, naming the first tensor that does not fit and what would.
 */
export const readGradients = (shared: WeightTensors, trained: readonly Weight[]): Promise<Float32Array[]> =>
  readWeightTensors(shared, trained, 'gradient', Float32Array)

/**
 * How exactly each gradient was shared, in the order of the weights: the numbers that {@link readGradients} gives do not tell.
 *
 * @throws DlgError `invalid-gradients` as there
 */
export const precisionsOf = (shared: WeightTensors, trained: readonly Weight[]): StoredAs[] =>
  inOrder(shared, trained, 'gradient').map(precisionOf)

/** Like {@link readGradients}, for any list or map with one tensor per weight. */
export async function readWeightTensors<T extends Values>(
  shared: WeightTensors,
  trained: readonly Weight[],
  noun: Noun,
  precision: Precision<T>,
): Promise<T[]> {
  const tensors = inOrder(shared, trained, noun)
  return Promise.all(
    tensors.map((tensor, i) => tensorValues(tensor, `${noun} of '${trained[i].name}'`, precision, trained[i].shape)),
  )
}

function inOrder(shared: WeightTensors, trained: readonly Weight[], noun: Noun): (Tensor | PlainTensor)[] {
  if (typeof shared !== 'object' || shared === null || shared instanceof Tensor)
    throw invalid(
      `${noun}s must be a list or a map of tensors, got ${shared instanceof Tensor ? 'one tensor' : shared === null ? 'null' : typeof shared}`,
    )
  if (Array.isArray(shared)) {
    if (shared.length === trained.length) return shared
    const next = trained[shared.length]
    throw invalid(
      `${countOf(shared.length, noun)} for ${countOf(trained.length, 'trained weight')}${next ? `; the first without one is '${next.name}' ${describe(next.shape)}. If some were not shared, name them: missing: ['${next.name}', …]` : ''}`,
    )
  }
  const map = shared as { readonly [name: string]: Tensor | PlainTensor }
  const names = new Set(trained.map((w) => w.name))
  // A mask or a counter that came with the file is no gradient, and nobody needs it.
  const stranger = Object.keys(map).find((name) => !names.has(name) && !isBuffer(map[name]))
  const missing = trained.find((w) => !Object.hasOwn(map, w.name))
  if (missing)
    throw invalid(
      `no ${noun} for weight '${missing.name}' ${describe(missing.shape)}${stranger ? `; there is one named '${stranger}', which the model does not have` : ''}. If it was not shared, say missing: ['${missing.name}'], or missing: 'allowed'`,
    )
  if (stranger)
    throw invalid(
      `${noun} '${stranger}' belongs to no trained weight; the model has ${[...names].join(', ')}. Out of a file, leave it out: readTensors(path, { ignore: '${stranger}' })`,
    )
  return trained.map((w) => map[w.name])
}

/** Whether a tensor holds whole numbers or booleans, as its file says. */
const isBuffer = (tensor: Tensor | PlainTensor): boolean => !(tensor instanceof Tensor) && isWhole(tensor ?? {})

/** The caller's weights as numbers, by parameter name. */
export async function readWeights(
  weights: readonly Weight[],
  nameOf: (w: Weight) => string,
): Promise<Map<string, Values>> {
  const entries = weights.map(async (weight) => {
    const values = (await weight.tensor().data()) as Float32Array
    const bad = firstNotFinite(values)
    if (bad >= 0)
      throw new DlgError(
        'invalid-model',
        `weight '${weight.name}' is ${values[bad]} at position ${bad}; every number must be finite`,
      )
    return [nameOf(weight), values.slice()] as const
  })
  return new Map<string, Values>(await Promise.all(entries))
}
