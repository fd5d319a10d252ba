import { Tensor } from '@tensorflow/tfjs-core'
import { DlgError } from '../../errors/dlg-error'
import type { OpenModel } from '../model/model'
import type { WeightTensors } from './read-gradients'

/** Which gradients were not shared: weights by name, or whichever a map does not have. */
export type Missing = 'allowed' | readonly string[]

/**
 * The model as the shared gradient sees it: a weight whose gradient is missing is as good as frozen, and left out of the
 * matching.
 *
 * @throws DlgError `invalid-option`, `invalid-gradients` when the names and the gradients contradict each other
 */
export function withoutMissing(model: OpenModel, shared: WeightTensors, missing: Missing | undefined): OpenModel {
  if (missing === undefined) return model
  const trained = model.weights.filter((w) => w.trainable).map((w) => w.name)
  const isMap = typeof shared === 'object' && shared !== null && !Array.isArray(shared) && !(shared instanceof Tensor)
  const absent = new Set(
    missing === 'allowed' ? trained.filter((name) => isMap && !Object.hasOwn(shared, name)) : missing,
  )
  const stranger = [...absent].find((name) => !trained.includes(name))
  if (stranger !== undefined)
    throw new DlgError(
      'invalid-option',
      `missing names '${stranger}', no trained weight; there are ${trained.join(', ')}`,
    )
  const present = isMap ? [...absent].find((name) => Object.hasOwn(shared, name)) : undefined
  if (present !== undefined)
    throw new DlgError('invalid-gradients', `the gradient of '${present}' is there, and missing names it`)
  if (absent.size === trained.length)
    throw new DlgError('invalid-gradients', 'the gradient of every weight is missing: there is nothing to match')
  const weights = model.weights.map((w) => (absent.has(w.name) ? { ...w, trainable: false } : w))
  return { ...model, weights }
}
