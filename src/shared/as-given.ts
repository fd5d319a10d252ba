import type { Tensor } from '@tensorflow/tfjs-core'
import { DlgError } from '../errors'
import type { PlainTensor, SharedGradients } from './read-gradients'
import type { SharedUpdate } from './shared-update'

/** Tensors by name, as files are read. */
export type TensorsByName = ReadonlyMap<string, Tensor | PlainTensor>

const PARTS = ['before', 'after', 'delta']

/** Maps as plain objects, within an update too. @throws DlgError `invalid-gradients` for what is still to come */
export function asGiven(shared: SharedGradients | SharedUpdate | TensorsByName): SharedGradients | SharedUpdate {
  const given = plain(shared, 'the gradients')
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return given as SharedGradients
  const entries = Object.entries(given)
  if (!entries.some(([name, value]) => PARTS.includes(name) && (value instanceof Map || value instanceof Promise)))
    return given as SharedGradients
  return Object.fromEntries(
    entries.map(([name, value]) => [name, plain(value, `'${name}' of the update`)]),
  ) as SharedUpdate
}

function plain(value: unknown, what: string): unknown {
  if (value instanceof Promise) throw new DlgError('invalid-gradients', `${what} are a Promise; await it first`)
  return value instanceof Map ? Object.fromEntries(value) : value
}
