import { existsSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { type LayersModel, layers, loadLayersModel } from '@tensorflow/tfjs-layers'
import { DlgError } from '../errors/dlg-error'
import {
  type Ignore,
  type LayoutOptions,
  type LeftOut,
  modelFromFile,
  type NamedTensors,
  readFloatTensors,
  readTensors,
} from '../io'
import { isRecord } from '../io/bytes/untrusted'
import { readBytes } from '../io/files/read-bytes'
import { isList } from '../io/layouts/list-layers'
import { parseJson } from '../io/tensors/json-tensors'
import { registerKerasLayers } from '../models/keras-layers'
import { modelFromOnnx, type OnnxModel } from '../models/onnx/model-from-onnx'
import { modelFromGraphModel, type TfjsGraphModel } from '../models/tensorflow/model-from-graph-model'
import { assignWeights, needsAssigning } from './assign-weights'
import { IMPORTED, importFile } from './import-file'

/** The tensors of a file, where every error names the file. @throws DlgError `invalid-file` */
export const tensorsOf = (path: string): NamedTensors => withPath(path, () => readTensors(path))

/** The tensors of a file that may be gradients or weights, and the names of the others. @throws DlgError `invalid-file` */
export const floatsOf = (
  path: string,
  ignore: Ignore,
): { readonly tensors: NamedTensors; readonly leftOut: readonly LeftOut[] } =>
  withPath(path, () => readFloatTensors(path, { ignore }))

function withPath<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw naming(path, cause)
  }
}

/** An error with the file in front. */
export function naming(path: string, error: unknown): unknown {
  if (!(error instanceof DlgError) || error.message.startsWith(path)) return error
  return new DlgError(error.code, `${path}: ${error.message}`, { cause: error })
}

/** A model as a file has it. */
export type FileModel = LayersModel | OnnxModel | TfjsGraphModel

/** An input or output of a model, with an open batch axis in front. */
interface End {
  readonly name: string
  readonly shape: readonly (number | null)[]
}

const ends = (shapes: OnnxModel['inputShape']): End[] =>
  Object.entries(shapes).map(([name, shape]) => ({ name, shape: [null, ...shape] }))

export const inputsOf = (model: FileModel): End[] =>
  'layers' in model
    ? model.inputs.map(({ shape }, i) => ({ name: model.inputNames[i], shape }))
    : ends(model.inputShape)

export const outputsOf = (model: FileModel): End[] => ('layers' in model ? model.outputs : ends(model.outputShape))

/** A gradient beside a model: its names tell which of the model's numbers are weights. */
export interface NamesOfWeights {
  readonly source: { readonly gradients: string } | { readonly before: string }
  readonly ignore: readonly string[]
  readonly ordered: boolean
  readonly partial: boolean
}

/** Reads an ONNX file, and the weights that PyTorch put into a file beside it. */
function readOnnxModel(path: string, shared: NamesOfWeights | undefined): OnnxModel {
  const beside = `${path}.data`
  const externalData = existsSync(beside) ? { [basename(beside)]: readBytes(beside) } : {}
  const open = (trainable?: readonly string[]) =>
    modelFromOnnx(readBytes(path), { name: basename(path), externalData, trainable })
  const model = withPath(path, () => open())
  if (!shared || shared.ordered || !('gradients' in shared.source)) return model
  const gradients = shared.source.gradients
  const names = [...floatsOf(gradients, shared.ignore).tensors.keys()]
  if (isList(names) || names.every((name) => model.trainable.includes(name))) return model
  model.dispose()
  const named = withGradientNames(gradients, () => open(names))
  const forgotten = model.trainable.find((name) => !names.includes(name) && Object.hasOwn(named.weights, name))
  if (forgotten === undefined || shared.partial) return named
  named.dispose()
  throw new DlgError(
    'invalid-gradients',
    `${gradients}: has no '${forgotten}', a trained weight; --partial leaves such weights out of the matching`,
  )
}

/** Opens a model by the names of a gradient, where an error is one of the gradient's file. */
function withGradientNames<T>(path: string, open: () => T): T {
  try {
    return open()
  } catch (cause) {
    const unknown = cause instanceof DlgError && /^trainable has '(.*?)', which is (.*)$/s.exec(cause.message)
    if (!unknown) throw cause
    const [, name, what] = unknown
    throw new DlgError(
      'invalid-gradients',
      `${path}: has '${name}', which is ${what}. What is no weight of the model is left out with --ignore '${name}'`,
      { cause },
    )
  }
}

/**
 * Loads a layers model from its `model.json` or `.keras` archive, a graph model from its `model.json`, or a model from an ONNX file.
 *
 * @param imported a module that is run before; see {@link importFile}
 * @param weights a file of weights in place of the model's own
 * @param shared a gradient, whose names tell the weights of an ONNX file
 * @throws DlgError `invalid-file` when it is none, or tfjs cannot build it; `untraceable` for an operator that is not supported
 */
export async function readModel(
  path: string,
  {
    imported,
    weights,
    shared,
    ...files
  }: {
    readonly imported?: string
    readonly weights?: string
    readonly map?: string
    readonly shared?: NamesOfWeights
  } = {},
): Promise<FileModel> {
  if (imported !== undefined) await importFile(imported)
  if (path.endsWith('.onnx')) {
    if (weights === undefined) return readOnnxModel(path, shared)
    throw new DlgError(
      'invalid-option',
      '--weights is of a layers model; an .onnx file has its own, so export it again',
    )
  }
  try {
    registerKerasLayers({ layers })
    const artifacts = await modelFromFile(path, weights === undefined ? {} : { weights }).load()
    if (artifacts.format === 'graph-model')
      return withPath(path, () => modelFromGraphModel(artifacts, { name: basename(dirname(resolve(path))) }))
    const { weightSpecs, weightData, ...bare } = artifacts
    const list = weights === undefined ? undefined : listed(weights)
    const model = await loadLayersModel({ load: async () => (list ? bare : artifacts) })
    // a Sequential has no names for its inputs before
    if (!model.built && model.inputs?.length) model.build(model.inputs[0].shape)
    if (list) {
      const layout = files.map === undefined ? {} : readLayerMap(files.map)
      assignWeights(model, list, layout, weights!)
    }
    return model
  } catch (cause) {
    if (cause instanceof DlgError) throw cause
    const { message } = cause as Error
    const unknown = /^Unknown [^:]+: [^.\s]+/.exec(message)?.[0]
    const why = unknown
      ? `${unknown}; a class of your own comes with --import FILE, a module such as: ${IMPORTED}`
      : message
    throw new DlgError('invalid-file', `${path}: tfjs cannot build this model: ${why}`, { cause })
  }
}

/** The tensors of a file of weights that goes by no names of Keras or tfjs. */
function listed(path: string): NamedTensors | undefined {
  try {
    const tensors = readTensors(path)
    return needsAssigning(tensors) ? tensors : undefined
  } catch {
    // whoever reads it by names says what is wrong with it
    return undefined
  }
}

const RIGHT = '{"map": {"conv1": "conv2d_Conv2D1"}, "flatten": {"fc.weight": [16, 5, 5]}}'

/**
 * Reads which PyTorch layer is which, and what is flattened: `map` and `flatten` of `fromPyTorch`, from JSON.
 *
 * @throws DlgError `invalid-file`
 */
export function readLayerMap(path: string): LayoutOptions {
  const json = parseJson(readBytes(path), path)
  const wrong = (what: string) => new DlgError('invalid-file', `${path}: ${what}; it must be like ${RIGHT}`)
  if (!isRecord(json)) throw wrong('is no object')
  const { map = {}, flatten = {}, ...others } = json
  const [stranger] = Object.keys(others)
  if (stranger !== undefined) throw wrong(`has '${stranger}'`)
  if (!isRecord(map) || !Object.values(map).every((to) => typeof to === 'string')) throw wrong('map has no layer names')
  if (!isRecord(flatten) || !Object.values(flatten).every(isOrder)) throw wrong('flatten has no shapes')
  return { map, flatten } as LayoutOptions
}

const isOrder = (order: unknown): boolean =>
  order === 'channels-last' || (Array.isArray(order) && order.every((n) => Number.isInteger(n) && n > 0))
