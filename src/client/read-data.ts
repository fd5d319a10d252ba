import { type DataType, Tensor } from '@tensorflow/tfjs-core'
import { DlgError } from '../errors/dlg-error'
import { type Shape, sameShape } from '../graph'
import type { Values } from '../runtime/runtime'
import { type Each, inOrder, requireNames } from './model/each'
import type { ModelInput, OpenModel } from './model/model'

/** Data of a model: a tensor where it has one input, else a list in the model's order or a map by name. */
export type Data = Tensor | Each<Tensor>

/** A batch of one input as numbers, with the dtype the model sees. */
export interface InputData extends ModelInput {
  readonly values: Values
  readonly dtype: DataType
}

const invalid = (message: string): DlgError => new DlgError('invalid-data', message)

/** A batch of every input. @throws DlgError `invalid-data` */
export async function readData(x: Data, { inputs, name }: OpenModel): Promise<InputData[]> {
  const names = inputs.map((input) => input.name)
  const single = inputs.length === 1
  if (typeof x !== 'object' || x === null) throw invalid('data must be a tf.Tensor')
  if (!single && x instanceof Tensor)
    throw invalid(
      `data is one tensor; model '${name}' needs a list or a map of tensors, one for each of ${names.join(', ')}`,
    )
  const tensors = x instanceof Tensor ? [x] : inOrder('data', x, names, 'invalid-data')
  const batch = tensors[0]?.shape?.[0]
  return Promise.all(
    inputs.map((input, i) =>
      single
        ? readInput('data', tensors[i], input, undefined, ['float32'])
        : readInput(`data '${input.name}'`, tensors[i], input, batch),
    ),
  )
}

/**
 * A batch of one input. What is not searched may be whole numbers.
 *
 * @param batch how many samples there must be
 */
export async function readInput(
  what: string,
  tensor: Tensor,
  { name, shape }: ModelInput,
  batch: number | undefined,
  dtypes: readonly DataType[] = ['float32', 'int32', 'bool'],
): Promise<InputData> {
  if (!(tensor instanceof Tensor)) throw invalid(`${what} must be a tf.Tensor`)
  if (tensor.isDisposed) throw invalid(`${what} is a disposed tensor`)
  if (!dtypes.includes(tensor.dtype))
    throw invalid(`${what} has dtype ${tensor.dtype}; ${dtypes.join(' or ')} is needed`)
  requireBatch(what, tensor.shape, shape, batch)
  const values = Float32Array.from(await tensor.data())
  requireFinite(what, values)
  return { name, shape, values, dtype: tensor.dtype }
}

function requireBatch(what: string, [samples, ...rest]: Shape, shape: Shape, batch: number | undefined): void {
  if (samples >= 1 && sameShape(rest, shape) && (batch === undefined || samples === batch)) return
  const got = samples === undefined ? '' : [samples, ...rest]
  throw invalid(`${what} has shape [${got}]; the model needs [${[batch ?? 'batch', ...shape].join(', ')}]`)
}

/** @throws DlgError `invalid-data`, naming the first NaN or infinity */
export function requireFinite(what: string, values: Values): void {
  const bad = values.findIndex((v) => !Number.isFinite(v))
  if (bad >= 0) throw invalid(`${what} has ${values[bad]} at position ${bad}; every number must be finite`)
}

/** Inputs that the auditor knows, by name. */
export type KnownInputs = { readonly [input: string]: Tensor }

/** @throws DlgError `invalid-option` for a name that there is not or when nothing is left to search, `invalid-data` */
export async function readKnown(known: KnownInputs, { inputs }: OpenModel, batchSize: number): Promise<InputData[]> {
  const names = inputs.map(({ name }) => name)
  requireNames('known', Object.keys(known), names, 'invalid-option')
  const given = inputs.filter(({ name }) => Object.hasOwn(known, name))
  if (given.length === inputs.length)
    throw new DlgError('invalid-option', `known has every input (${names.join(', ')}): nothing is left to search`)
  return Promise.all(given.map((input) => readInput(`known '${input.name}'`, known[input.name], input, batchSize)))
}
