import { type SharedGradients, type WeightTensors, weightTensors } from './read-gradients'
import { isUpdate, type SharedUpdate, type WeightUpdate } from './shared-update'

/** Maps as objects, within an update too. @throws DlgError `invalid-gradients` for what is still to come */
export function asGiven(shared: SharedGradients | SharedUpdate): WeightTensors | WeightUpdate {
  const given: WeightTensors | WeightUpdate = weightTensors(shared as SharedGradients)
  if (!isUpdate(given)) return given
  const parts = Object.entries(given as object as { readonly [part: string]: SharedGradients }).map(([name, part]) => [
    name,
    weightTensors(part, `'${name}' of the update`),
  ])
  return Object.fromEntries(parts)
}
