import type { LayersModel } from '@tensorflow/tfjs-layers'
import type { SharedUpdate } from '../client/shared/shared-update'
import { countOf } from '../errors/counted'
import { DlgError } from '../errors/dlg-error'
import { coarser, fromPyTorch, type LeftOut, type NamedTensors } from '../io'
import { conventionDifferences } from '../io/layouts/conventions'
import { isList } from '../io/layouts/list-layers'
import type { OnnxModel } from '../models/onnx/model-from-onnx'
import { byWeight, type TensorsByWeight } from './by-weight'
import type { GradientFiles } from './gradient-files'
import { type FileModel, floatsOf, naming, readLayerMap } from './read-files'

/** Names in one line. */
const MOST = 8

/** One file of tensors, and what of it holds no floats. */
interface Read {
  readonly tensors: NamedTensors
  readonly leftOut: readonly LeftOut[]
}

/**
 * Reads what a client shared: the gradient of the model's trained weights, or how they moved.
 *
 * @param report is told, a line each, which tensors of a file were left out and why, and which layers differ from PyTorch's
 * @throws DlgError `invalid-file`, `invalid-gradients` naming the file and the tensor
 */
export function sharedGradient(
  model: FileModel,
  files: GradientFiles,
  report: (line: string) => void,
): TensorsByWeight | SharedUpdate {
  const { source, ignore, layout } = files
  if (layout === 'pytorch')
    for (const { layer, message } of conventionDifferences(model)) report(`layer '${layer}' ${message}`)
  const read = (path: string): Read => {
    const found = floatsOf(path, ignore)
    const named = found.leftOut.map(({ name, type }) => `'${name}' (${type})`)
    if (named.length > 0)
      report(
        `${path}: left out, as what is shared is floats: ${named.slice(0, MOST).join(', ')}${named.length > MOST ? `, and ${named.length - MOST} more` : ''}`,
      )
    return found
  }
  if ('gradients' in source) return inModel(read(source.gradients), model, source.gradients, files, 'gradients')
  const before = read(source.before)
  const after = read(source.after)
  const delta = { tensors: difference(before.tensors, after.tensors, source), leftOut: after.leftOut }
  // what PyTorch keeps twice moves twice, so updates are laid out as gradients are
  return {
    before: inModel(before, model, source.before, files, 'weights'),
    delta: inModel(delta, model, source.after, files, 'gradients'),
  }
}

/** The tensors by the model's weights, in tfjs's layout; a model out of an ONNX file has PyTorch's names and shapes. */
function inModel(
  { tensors, leftOut }: Read,
  model: FileModel,
  path: string,
  { source, layout, map, ordered, partial }: GradientFiles,
  values: 'gradients' | 'weights',
): TensorsByWeight {
  if (!('layers' in model)) {
    if (map === undefined) return inOnnx(tensors, model, path, ordered)
    throw new DlgError(
      'invalid-option',
      '--map says which layer of a tfjs model is which; this model has the names of its weights',
    )
  }
  const how = { ordered, partial, frozen: values === 'weights', leftOut }
  if (layout === 'tfjs') return byWeight(tensors, model, path, how)
  const options = map === undefined ? {} : readLayerMap(map)
  const specs = torchTargets(tensors, model, 'gradients' in source)
  try {
    return byWeight(
      fromPyTorch(tensors, { weights: specs, layers: model.layers }, { ...options, values }).tensors,
      model,
      path,
      how,
    )
  } catch (cause) {
    throw naming(path, cause)
  }
}

/** By the names of the file, or in the order of the weights where a list has no names. */
function inOnnx(tensors: NamedTensors, { trainable }: OnnxModel, path: string, ordered: boolean): TensorsByWeight {
  const names = [...tensors.keys()]
  if (ordered && names.length !== trainable.length)
    throw new DlgError(
      'invalid-gradients',
      `${path}: has ${countOf(names.length, 'tensor')}; by their order they must be as many as the ${countOf(trainable.length, 'trained weight')} of the model`,
    )
  const bare = ordered || (isList(names) && names.length === trainable.length)
  return Object.fromEntries([...tensors.values()].map((tensor, i) => [bare ? trainable[i] : names[i], tensor]))
}

const isStatistic = (name: string): boolean => /moving_(mean|variance)(_\d+)?$/.test(name)

/** The weights that a file of PyTorch has, layer by layer: a state dict has what is not trained too, a list of gradients has not. */
function torchTargets(tensors: NamedTensors, model: LayersModel, trainedAlone: boolean) {
  const trained = new Set(model.trainableWeights)
  const all = model.layers
    .flatMap(({ weights }) => weights)
    .filter((w) => !trainedAlone || trained.has(w) || isStatistic(w.originalName))
  const parameters = all.filter((w) => !isStatistic(w.originalName))
  const names = [...tensors.keys()]
  const statistics = isList(names)
    ? tensors.size > parameters.length
    : names.some((name) => /running_(mean|var)$/.test(name))
  return (statistics ? all : parameters).map(({ originalName, shape }) => ({ name: originalName, shape }))
}

/** after − before, tensor by tensor. */
function difference(
  first: NamedTensors,
  second: NamedTensors,
  { before, after }: { readonly before: string; readonly after: string },
): NamedTensors {
  const stranger = [...second.keys()].find((name) => !first.has(name))
  if (stranger !== undefined)
    throw new DlgError('invalid-gradients', `${before}: has no '${stranger}', which ${after} has`)
  return new Map(
    [...first].map(([name, { shape, data, ...stored }]) => {
      const other = second.get(name)
      if (!other) throw new DlgError('invalid-gradients', `${after}: has no '${name}', which ${before} has`)
      if (other.shape.join() !== shape.join())
        throw new DlgError(
          'invalid-gradients',
          `${after}: '${name}' has shape [${other.shape.join(', ')}]; in ${before} it has [${shape.join(', ')}]`,
        )
      return [name, { shape, data: data.map((v, i) => other.data[i] - v), ...coarser(stored, other) }]
    }),
  )
}
