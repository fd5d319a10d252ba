import { type LayersModel, loadLayersModel } from '@tensorflow/tfjs-layers'
import { DlgError } from '../errors/dlg-error'
import { modelFromFile } from '../io'

/**
 * Loads a layers model from its `model.json`.
 *
 * @throws DlgError `invalid-file` when it is none, or tfjs cannot build it
 */
export async function readModel(path: string): Promise<LayersModel> {
  try {
    const model = await loadLayersModel(modelFromFile(path))
    // a Sequential has no names for its inputs before
    if (!model.built && model.inputs?.length) model.build(model.inputs[0].shape)
    return model
  } catch (cause) {
    if (cause instanceof DlgError) throw cause
    throw new DlgError('invalid-file', `${path}: tfjs cannot build this model: ${(cause as Error).message}`, { cause })
  }
}
