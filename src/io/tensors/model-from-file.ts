import { knownNames } from '../../errors/checks'
import { DlgError } from '../../errors/dlg-error'
import { joined } from '../bytes/joined'
import { checkPath, isRecord, quote } from '../bytes/untrusted'
import { isFolder, readBytes } from '../files/disk'
import { parseJson } from './json-tensors'
import { type KerasArchive, openKerasArchive } from './keras-archive'
import { byLayer, isKerasWeights } from './keras-weights'
import { inKeras2, isKeras3, type Layers, weightName } from './keras3'
import { folderForModel, notModelJson } from './model-kind'
import { openTensors } from './read-tensors'
import { isZip } from './tensor-format'
import type { TfjsWeight } from './tfjs-manifest'
import { type Group, isArchitecture, type Json, jsonModel, readGroups } from './tfjs-model'

/** What `tf.loadLayersModel` asks of a handler. */
export interface ModelHandler {
  /** Reads the topology and the weights. tfjs calls this. @throws DlgError `invalid-file` */
  load(): Promise<ModelArtifacts>
}

/** How a weight lies in `weightData`. */
export interface WeightSpec {
  name: string
  shape: number[]
  dtype: 'float32' | 'int32' | 'bool'
  quantization?: { dtype: 'uint8' | 'uint16' | 'float16'; scale?: number; min?: number }
}

/** The part of tfjs's `io.ModelArtifacts` that a layers model or a graph model needs. */
export interface ModelArtifacts {
  modelTopology: object
  weightSpecs: WeightSpec[]
  weightData: ArrayBuffer
  format?: string
  generatedBy?: string
  convertedBy?: string | null
  /** Inputs and outputs of a graph model. */
  signature?: object
  userDefinedMetadata?: { [key: string]: object }
}

/** How {@link modelFromFile} reads a model. */
export interface ModelFileOptions {
  /**
   * A file of weights that take the place of the model's own, or its bytes. A `.weights.h5` of Keras 3 goes by layers; any other
   * file that {@link readTensors} reads goes by the names of tfjs or Keras (`w.path`), and must have all weights.
   */
  readonly weights?: string | Uint8Array
}

/**
 * A handler for `tf.loadLayersModel` that reads a layers model from disk, so that Node needs no tfjs-node:
 * `await tf.loadLayersModel(modelFromFile('model/model.json'))`. Of a graph model it reads what `modelFromGraphModel` of `dlg-ts/models` takes.
 *
 * It reads tfjs's `model.json` with the shards beside it, a `.keras` archive of Keras 3, and with `weights` also the JSON that
 * `model.to_json()` of Keras 3 gives. Shards are confined as in {@link readTfjsWeights}. A GRU of Keras 3 with `reset_after`,
 * which is its default, needs `registerKerasLayers` of `dlg-ts/models` before.
 *
 * Nothing is read before `load`, which rejects with DlgError `invalid-file` for a damaged file, and when it holds no model.
 *
 * @param source the path of the model, or the bytes of a `.keras` archive
 * @throws DlgError `invalid-data` for a source that is neither, `invalid-option` for a wrong option
 */
export function modelFromFile(source: string | Uint8Array, options: ModelFileOptions = {}): ModelHandler {
  if (!(source instanceof Uint8Array)) checkPath(source)
  knownNames('options', options, ['weights'])
  const { weights } = options
  if (weights !== undefined && !(weights instanceof Uint8Array)) checkPath(weights)
  return { load: async () => (source instanceof Uint8Array ? ofBytes(source, weights) : ofPath(source, weights)) }
}

type Source = string | Uint8Array

function ofBytes(bytes: Uint8Array, weights: Source | undefined): ModelArtifacts {
  const archive = isZip(bytes) ? openKerasArchive(bytes, 'model') : undefined
  if (!archive) throw notModelJson(bytes, 'model')
  return ofArchive(archive, 'model', weights)
}

function ofPath(path: string, weights: Source | undefined): ModelArtifacts {
  if (isFolder(path)) throw folderForModel(path)
  const bytes = readBytes(path)
  const archive = isZip(bytes) ? openKerasArchive(bytes, path) : undefined
  if (archive) return ofArchive(archive, path, weights)
  const json = jsonModel(bytes, path)
  if (isArchitecture(json)) return ofArchitecture(json, path, weights)
  return ofModelJson(json, path, weights)
}

function ofArchive({ config, weights: own }: KerasArchive, path: string, weights: Source | undefined): ModelArtifacts {
  const json = parseJson(config, `${path}: config.json`)
  if (isRecord(json) && isArchitecture(json)) return ofArchitecture(json, path, weights ?? own)
  throw new DlgError('invalid-file', `${path}: config.json is no model; it must be Sequential or Functional`)
}

function ofArchitecture(model: Json, path: string, weights: Source | undefined): ModelArtifacts {
  if (weights === undefined)
    throw new DlgError(
      'invalid-file',
      `${path}: is an architecture without weights; give them too, with --weights FILE or modelFromFile(path, { weights })`,
    )
  const { config } = model as { config: Json }
  if (!Array.isArray(config.layers))
    throw new DlgError(
      'invalid-file',
      `${path}: is a ${quote(model.class_name)}, a class of its own, whose network is not in the file; it must be Sequential or Functional, or be exported as ONNX: model.export('net.onnx', format='onnx')`,
    )
  const { topology, layers } = inKeras2({ keras_version: '3', model_config: model }, path)
  return { modelTopology: topology, ...weightsFrom(weights, model, layers, path) }
}

/** Weights out of a file of their own. */
function weightsFrom(source: Source, model: Json, layers: Layers, path: string): Weights {
  const name = source instanceof Uint8Array ? `${path}: model.weights.h5` : source
  const stored = [...openTensors(source, {})]
  const tensors = isKerasWeights(stored)
    ? byLayer(model, stored, name)
    : stored.flatMap((tensor) => {
        const named = weightName(tensor.name, layers)
        return named === undefined ? [] : [{ ...tensor, name: named }]
      })
  const read = tensors.map((tensor) => ({ name: tensor.name, ...tensor.read() }))
  return {
    weightSpecs: read.map(({ name, shape }) => ({ name, shape: [...shape], dtype: 'float32' })),
    weightData: joined(read.map(({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength))).buffer,
  }
}

function ofModelJson(json: Json, path: string, weights: Source | undefined): ModelArtifacts {
  const { modelTopology, format, generatedBy, convertedBy } = json
  if (isRecord(modelTopology) && Array.isArray(modelTopology.node))
    return ofGraphModel(json, modelTopology, path, weights)
  if (!isRecord(modelTopology) || (format !== undefined && format !== 'layers-model')) {
    throw new DlgError(
      'invalid-file',
      `${path}: holds ${isRecord(modelTopology) ? `a ${quote(format)}` : 'no topology'}; it must be a layers model: tensorflowjs_converter --output_format=tfjs_layers_model, or model.save`,
    )
  }
  const keras3 = isKeras3(modelTopology)
  const built = (): Built => {
    if (weights === undefined) {
      const groups = readGroups(json, path)
      return keras3 ? translated(modelTopology, groups, path) : artifactsOf(modelTopology, groups)
    }
    const { topology, layers } = inKeras2(modelTopology, path)
    const model = isRecord(modelTopology.model_config) ? modelTopology.model_config : modelTopology
    return { modelTopology: keras3 ? topology : modelTopology, ...weightsFrom(weights, model, layers, path) }
  }
  return {
    ...built(),
    ...(typeof format === 'string' && { format }),
    ...(typeof generatedBy === 'string' && { generatedBy }),
    ...(typeof convertedBy === 'string' && { convertedBy }),
  }
}

/** A graph model as it is: its weights are part of its graph. */
function ofGraphModel(json: Json, modelTopology: Json, path: string, weights: Source | undefined): ModelArtifacts {
  if (weights !== undefined)
    throw new DlgError(
      'invalid-option',
      `${path}: is a graph model, whose weights are in its graph; convert it again, or give a layers model with these weights`,
    )
  const { signature, userDefinedMetadata } = json
  return {
    ...artifactsOf(modelTopology, readGroups(json, path)),
    format: 'graph-model',
    ...(isRecord(signature) && { signature }),
    ...(isRecord(userDefinedMetadata) && { userDefinedMetadata: userDefinedMetadata as Record<string, object> }),
  }
}

type Weights = Pick<ModelArtifacts, 'weightSpecs' | 'weightData'>
type Built = Pick<ModelArtifacts, 'modelTopology'> & Weights

const artifactsOf = (modelTopology: object, groups: readonly Group[]): Built => ({
  modelTopology,
  weightSpecs: groups.flatMap(({ group }) => group.weights.map(specOf)),
  weightData: joined(groups.map(({ bytes }) => bytes)).buffer,
})

/** A model of Keras 3 in the words of Keras 2, without the state of random generators. */
function translated(from: Json, groups: readonly Group[], path: string): Built {
  const { topology, layers } = inKeras2(from, path)
  const kept = groups.flatMap(({ group, bytes }) => {
    let at = 0
    return group.weights.flatMap((weight) => {
      const own = bytes.subarray(at, at + weight.bytes)
      at += weight.bytes
      const name = weightName(weight.name, layers)
      return name === undefined ? [] : [{ spec: specOf({ ...weight, name }), bytes: own }]
    })
  })
  return {
    modelTopology: topology,
    weightSpecs: kept.map(({ spec }) => spec),
    weightData: joined(kept.map(({ bytes }) => bytes)).buffer,
  }
}

function specOf({ name, shape, dtype, stored, scale, min }: TfjsWeight): WeightSpec {
  if (stored === 'uint8' || stored === 'uint16')
    return { name, shape, dtype, quantization: { dtype: stored, scale, min } }
  if (stored === 'float16') return { name, shape, dtype, quantization: { dtype: stored } }
  return { name, shape, dtype }
}
