import type { LayersModel } from '@tensorflow/tfjs-layers'
import { DlgError } from '../errors'
import { fromPyTorch, type NamedTensors } from '../io'
import { byWeight } from './by-weight'
import type { GradientFiles } from './gradient-files'
import { readLayerMap } from './layer-map'
import { naming, tensorsOf } from './tensor-files'

/** The tensors of a file that belong to weights, by the names under which the attack knows them. */
export type WeightTensors = Readonly<Record<string, { readonly shape: readonly number[]; readonly data: Float32Array }>>

/**
 * Reads what a client shared as the gradient of the model's trained weights.
 *
 * @throws DlgError `invalid-file`, `invalid-gradients` naming the file and the tensor
 */
export function sharedGradient(model: LayersModel, files: GradientFiles): WeightTensors {
  const { source, factor, layout, map } = files
  const path = 'gradients' in source ? source.gradients : source.after
  const raw = 'gradients' in source ? tensorsOf(source.gradients) : difference(source.before, source.after)
  const tensors = scaled(raw, factor)
  if (layout === 'tfjs') return byWeight(tensors, model, path, files)
  const options = map === undefined ? {} : readLayerMap(map)
  // a state dict has what is not trained too, a list of gradients has not
  const statistics = [...tensors.keys()].some((name) => /running_(mean|var)$/.test(name))
  const targets = 'gradients' in source ? model.trainableWeights : model.weights
  const wanted = targets.filter((w) => statistics || !/moving_(mean|variance)(_\d+)?$/.test(w.originalName))
  const specs = wanted.map(({ originalName, shape }) => ({ name: originalName, shape }))
  try {
    return byWeight(fromPyTorch(tensors, specs, options).tensors, model, path, files)
  } catch (cause) {
    throw naming(path, cause)
  }
}

/** before − after, tensor by tensor: learning rate · gradient, after one step of plain SGD. */
function difference(before: string, after: string): NamedTensors {
  const [first, second] = [tensorsOf(before), tensorsOf(after)]
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
      return [name, { shape, data: data.map((v, i) => v - other.data[i]) }]
    }),
  )
}

function scaled(tensors: NamedTensors, factor: number): NamedTensors {
  if (factor === 1) return tensors
  return new Map([...tensors].map(([name, { shape, data }]) => [name, { shape, data: data.map((v) => v * factor) }]))
}
