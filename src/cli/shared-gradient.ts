import type { LayersModel } from '@tensorflow/tfjs-layers'
import type { SharedUpdate } from '../client/shared/shared-update'
import { DlgError } from '../errors/dlg-error'
import { fromPyTorch, type NamedTensors } from '../io'
import { byWeight, type TensorsByWeight } from './by-weight'
import type { GradientFiles } from './gradient-files'
import { readLayerMap } from './layer-map'
import { naming, tensorsOf } from './tensor-files'

/**
 * Reads what a client shared: the gradient of the model's trained weights, or how they moved.
 *
 * @throws DlgError `invalid-file`, `invalid-gradients` naming the file and the tensor
 */
export function sharedGradient(model: LayersModel, files: GradientFiles): TensorsByWeight | SharedUpdate {
  const { source } = files
  if ('gradients' in source) return inModel(tensorsOf(source.gradients), model, source.gradients, files, 'gradients')
  const before = tensorsOf(source.before)
  const delta = difference(before, source)
  // what PyTorch keeps twice moves twice, so updates are laid out as gradients are
  return {
    before: inModel(before, model, source.before, files, 'weights'),
    delta: inModel(delta, model, source.after, files, 'gradients'),
  }
}

/** The tensors by the model's weights, in tfjs's layout. */
function inModel(
  tensors: NamedTensors,
  model: LayersModel,
  path: string,
  { source, layout, map, ordered, partial }: GradientFiles,
  values: 'gradients' | 'weights',
): TensorsByWeight {
  const how = { ordered, partial, frozen: values === 'weights' }
  if (layout === 'tfjs') return byWeight(tensors, model, path, how)
  const options = map === undefined ? {} : readLayerMap(map)
  // a state dict has what is not trained too, a list of gradients has not
  const statistics = [...tensors.keys()].some((name) => /running_(mean|var)$/.test(name))
  const targets = 'gradients' in source ? model.trainableWeights : model.weights
  const wanted = targets.filter((w) => statistics || !/moving_(mean|variance)(_\d+)?$/.test(w.originalName))
  const specs = wanted.map(({ originalName, shape }) => ({ name: originalName, shape }))
  try {
    return byWeight(fromPyTorch(tensors, specs, { ...options, values }).tensors, model, path, how)
  } catch (cause) {
    throw naming(path, cause)
  }
}

/** after − before, tensor by tensor. */
function difference(
  first: NamedTensors,
  { before, after }: { readonly before: string; readonly after: string },
): NamedTensors {
  const second = tensorsOf(after)
  const stranger = [...second.keys()].find((name) => !first.has(name))
  if (stranger !== undefined)
    throw new DlgError('invalid-gradients', `${before}: has no '${stranger}', which ${after} has`)
  return new Map(
    [...first].map(([name, { shape, data }]) => {
      const other = second.get(name)
      if (!other) throw new DlgError('invalid-gradients', `${after}: has no '${name}', which ${before} has`)
      if (other.shape.join() !== shape.join())
        throw new DlgError(
          'invalid-gradients',
          `${after}: '${name}' has shape [${other.shape.join(', ')}]; in ${before} it has [${shape.join(', ')}]`,
        )
      return [name, { shape, data: data.map((v, i) => other.data[i] - v) }]
    }),
  )
}
