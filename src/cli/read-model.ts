import { type LayersModel, loadLayersModel } from '@tensorflow/tfjs-layers'
import { DlgError } from '../errors'
import { modelFromFile } from '../io'

/**
 * Loads a layers model from its `model.json`.
 *
 * @throws DlgError `invalid-file` when it is none, or tfjs cannot build it
 */
export async function readModel(path: string): Promise<LayersModel> {
  try {
    return await loadLayersModel(modelFromFile(path))
  } catch (cause) {
    if (cause instanceof DlgError) throw cause
    throw new DlgError('invalid-file', `${path}: tfjs cannot build this model: ${(cause as Error).message}`, { cause })
  }
}
