import type { Tensor } from '@tensorflow/tfjs-core'
import { DlgError } from '../errors/dlg-error'
import { requireNames } from './model/each'
import type { OpenModel } from './model/model'
import { type InputData, readInput } from './read-data'

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
